// Servers that a test plays by hand: plain or TLS, one answer for everything but the login.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as plain } from "node:net";
import { createServer as secure } from "node:tls";
import { fileURLToPath } from "node:url";

import { LOGIN, at } from "./support.mjs";

export const TOKEN = "CANARY-token-of-a-server-that-is-played";
export const READ = JSON.stringify({ status: "Success", quoteDetails: { symbolName: "INFY" } });
export const CA = fileURLToPath(at("tests/faults/tls/ca.pem"));

function reply(body) {
  const bytes = Buffer.from(body, "latin1");
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${bytes.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

/** The paths of the requests in what a connection sent so far, and what is left of it. */
function* requests(state) {
  for (;;) {
    const end = state.text.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = state.text.slice(0, end);
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    if (state.text.length < end + 4 + length) return;
    state.text = state.text.slice(end + 4 + length);
    yield head.split(" ")[1].split("?")[0];
  }
}

/**
 * A Samco that says `body` to everything; a login works unless `login` is a body. With `certificate` over TLS; with `close`
 * each connection ends after one reply.
 */
export async function serve({ body = READ, login, close = false, certificate } = {}) {
  const seen = [];
  const open = new Set();
  const token = JSON.stringify({ status: "Success", sessionToken: TOKEN, accountID: "M1" });
  const connection = (socket) => {
    const state = { text: "" };
    open.add(socket);
    socket.on("error", () => undefined).on("close", () => open.delete(socket));
    socket.on("data", (data) => {
      state.text += data.toString("latin1");
      for (const path of requests(state)) {
        seen.push(path);
        const answer = reply(path === LOGIN.samco ? (login ?? token) : body);
        if (close) return socket.end(answer);
        socket.write(answer);
      }
    });
  };
  const pem = certificate && readFileSync(at(`tests/faults/tls/${certificate}.pem`));
  const server = pem ? secure({ cert: pem, key: pem }, connection) : plain(connection);
  server.on("tlsClientError", () => undefined).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    seen,
    url: `${pem ? "https" : "http"}://127.0.0.1:${server.address().port}`,
    async stop() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** An address at which nobody listens. */
export async function nobody() {
  const server = await serve();
  await server.stop();
  return server.url;
}
