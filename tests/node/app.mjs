// An app whose redirect URL is on a free port of this machine, at an embedded broker of its own.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

import { Session, samcoOAuth } from "preopen";

/** A listener on a port of this machine. */
export async function listening(port) {
  const server = createServer();
  server.listen({ host: "127.0.0.1", port, exclusive: true });
  await once(server, "listening");
  return server;
}

/** Ends it. */
export async function closed(server) {
  server.close();
  await once(server, "close");
}

async function freePort() {
  const server = await listening(0);
  const { port } = server.address();
  await closed(server);
  return port;
}

/** Fails when somebody listens there. */
export const assertFree = async (port) => closed(await listening(port));

/** An embedded broker with an app whose redirect URL is on a free port of this machine. */
export async function startApp() {
  const child = spawn(process.env["PREOPEN_BIN"] ?? "preopen", ["sandbox", "--json", "--exit-with-stdin"], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = await once(createInterface(child.stdout), "line");
  const facts = JSON.parse(line);
  const control = async (method, path, body) => {
    const headers = { "x-sandbox-token": facts.control_token, "content-type": "application/json" };
    const reply = await fetch(facts.control_url + path, { method, headers, body: JSON.stringify(body) });
    assert.ok(reply.ok, `${path}: ${reply.status}`);
    return reply.json();
  };
  const consent = async ({ url }) => (await control("POST", "/consent", { url, decision: "approve" })).redirect_to;
  const port = await freePort();
  const redirectUrl = `http://127.0.0.1:${port}/callback`;
  const { api_key: apiKey } = await control("POST", "/accounts", { broker: "samco", redirect_url: redirectUrl });
  return {
    port,
    control,
    session: (options) => new Session(samcoOAuth({ apiKey, redirectUrl }), { baseUrl: facts.samco_url, ...options }),
    consent,
    /** What the person's browser does: the page, and the address that it is sent to. */
    visit: async (start) => fetch(await consent(start)),
    stop: async () => {
      child.stdin.end();
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}
