// The examples, against the embedded broker and a WebSocket server of node:http.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import test, { after, before } from "node:test";

import { watch } from "../../examples/own-fetch.mjs";
import { soak } from "../../examples/soak-month.mjs";
import { open, stayConnected } from "../../examples/websocket-headers.mjs";

import { startBroker, until } from "./support.mjs";

let broker;
before(async () => {
  broker = await startBroker();
  await broker.clock.setRate(0);
});
after(() => broker.stop());

/** A server that accepts every WebSocket, greets it, and remembers whose token it came with. */
async function streamServer() {
  const sockets = [];
  const server = createServer();
  server.on("upgrade", ({ headers }, socket) => {
    const accept = createHash("sha1").update(`${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    const text = Buffer.from(`hello ${sockets.length}`);
    socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]));
    const seen = { token: headers["x-session-token"], open: true };
    sockets.push(seen);
    socket.on("error", () => undefined);
    socket.on("close", () => (seen.open = false));
    socket.on("data", (frame) => {
      if ((frame[0] & 0x0f) === 8) socket.end(Buffer.from([0x88, 0]));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `ws://127.0.0.1:${server.address().port}`;
  return { sockets, url, stop: () => new Promise((resolve) => server.close(resolve)) };
}

const tokens = ({ sockets }) => sockets.map(({ token, open }) => [token, open]);

test("websocket-headers reconnects with the headers of every renewed session", async () => {
  const stream = await streamServer();
  const session = broker.session("samco");
  const stop = new AbortController();
  const messages = [];
  const connected = stayConnected(session, (headers) => open(stream.url, headers, (text) => messages.push(text)), { signal: stop.signal });
  try {
    await until(() => messages.length === 1, () => "the first socket");
    const first = (await session.token()).expose();
    assert.deepEqual(tokens(stream), [[first, true]]);

    await broker.clock.advanceTo("08:00 IST"); // nobody calls: the end of the session is enough
    await until(() => messages.length === 2 && !stream.sockets[0].open, () => "the second socket");
    const token = await session.token();
    assert.equal(token.generation, 2);
    assert.deepEqual(tokens(stream), [[first, false], [token.expose(), true]]);

    session.invalidate(2);
    await until(() => messages.length === 3 && !stream.sockets[1].open, () => "the third socket");
    assert.deepEqual(tokens(stream).at(-1), [(await session.token()).expose(), true]);
    assert.deepEqual(messages, ["hello 0", "hello 1", "hello 2"]);
  } finally {
    stop.abort();
    await connected;
  }
  await until(() => stream.sockets.every(({ open }) => !open), () => "the end of the last socket");
  await stream.stop();
});

test("websocket-headers ends when the session is closed, and with the error when it is blocked", async () => {
  const stream = await streamServer();
  const connect = (headers) => open(stream.url, headers, () => undefined);
  const closed = broker.session("samco");
  const ended = stayConnected(closed, connect);
  await until(() => stream.sockets.length === 1, () => "the socket");
  closed.close();
  await ended;

  const blocked = broker.session("samco");
  const failed = assert.rejects(stayConnected(blocked, connect), { code: "credentials_rejected" });
  await until(() => stream.sockets.length === 2, () => "the socket");
  await broker.fault("samco", "/session/token", { status: 401, body: { status: "Failure", errorCode: "EOAUTH008", statusMessage: "no" } });
  blocked.invalidate(1);
  await failed;
  await until(() => stream.sockets.every(({ open }) => !open), () => "the end of the sockets");
  await stream.stop();
  await assert.rejects(open(stream.url, {}, () => undefined), { message: `the stream at ${stream.url} cannot be opened` });
});

test("a month in steps of half an hour", async () => {
  const told = [];
  const { seen, logins } = await soak({ minutes: 30, tell: (line) => told.push(line) });
  assert.deepEqual([seen, logins], [{ ok: 535, broker_unavailable: 4 }, 31]);
  assert.deepEqual(told.map((line) => line.slice(0, 20)), ["04", "11", "18", "25"].map((day) => `2026-11-${day}T11:00 IST`));
});

test("own-fetch goes on through the daily end of the session, and ends when it is told to", async () => {
  await broker.clock.set("2026-11-23T10:00:00+05:30");
  const session = broker.session("samco");
  const stop = new AbortController();
  const taken = [];
  const watching = watch(session, "/limit/getLimits", ({ status }) => taken.push(status), { seconds: 0.01, signal: stop.signal });
  await until(() => taken.length > 1, () => "a reply");
  await broker.clock.advanceTo("08:00 IST");
  const { length } = taken;
  await until(() => taken.length > length + 2, () => "a reply of the next day");
  assert.equal((await session.token()).generation, 2);
  assert.deepEqual(new Set(taken), new Set(["Success"]));
  stop.abort(new Error("stopped"));
  await assert.rejects(watching, (error) => error === stop.signal.reason || error.cause === stop.signal.reason);
});
