// Keeps a WebSocket open with the headers of a live session: when the session is renewed, a new socket is opened with the
// new headers, and the old one is closed. Samco's stream of quotes, as documented:
//
//   SAMCO_API_KEY=... SAMCO_API_SECRET=... node examples/websocket-headers.mjs 3045_NSE 11536_NSE

import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";

import { Session, samco } from "preopen";

const STREAM = "wss://stream.samco.in";

/** Opens a socket; Node's own WebSocket takes headers, which that of browsers does not. */
export function open(url, headers, onMessage) {
  const socket = new WebSocket(url, { headers });
  const { promise, resolve, reject } = Promise.withResolvers();
  socket.addEventListener("open", () => resolve(socket), { once: true });
  // The error of a failed handshake says nothing; the session says whether the token is to blame.
  socket.addEventListener("error", () => reject(new Error(`the stream at ${url} cannot be opened`)), { once: true });
  socket.addEventListener("message", ({ data }) => onMessage(data));
  return promise;
}

/** A live token, however long an outage lasts; rejects when trying again cannot help. */
async function liveToken(session, signal) {
  for (;;) {
    try {
      return await session.token({ signal });
    } catch (error) {
      if (!error.retryable) throw error;
      await sleep((error.adviceSeconds ?? 1) * 1000, undefined, { signal });
    }
  }
}

/**
 * Stays connected until `signal` is aborted or the session is closed; rejects when only you can help: the login is blocked,
 * or a person must log in. `connect` gets headers and gives a socket, which has `close()`.
 */
export async function stayConnected(session, connect, { signal } = {}) {
  // Before the first headers are read, so that no renewal is missed in between.
  const events = session.events({ signal });
  let current;
  let connected = 0;
  const reconnect = async () => {
    const { generation } = await liveToken(session, signal);
    const next = await connect(await session.streamHeaders({ signal }));
    // The old socket goes when the new one is there: no tick is lost, though one may come twice.
    current?.close();
    [current, connected] = [next, generation];
  };
  try {
    await reconnect();
    for await (const { name, generation, error } of events) {
      if (name === "blocked" || name === "login_needed") throw error;
      // Sessions without `keepWarm` are renewed by the next call: this one.
      if (name === "expired") await liveToken(session, signal);
      if ((name === "renewed" && generation > connected) || name === "lagged") await reconnect();
    }
  } catch (error) {
    if (!signal?.aborted) throw error;
  } finally {
    await events.return();
    current?.close();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const symbols = process.argv.slice(2).map((symbol) => ({ symbol }));
  const request = { streaming_type: "quote", data: { symbols }, request_type: "subscribe", response_format: "json" };
  const session = new Session(samco.fromEnv(), { keepWarm: true });
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  const connect = async (headers) => {
    const socket = await open(STREAM, headers, console.log);
    socket.send(`${JSON.stringify({ request })}\n`); // the server waits for the line's end
    return socket;
  };
  await stayConnected(session, connect, { signal: stop.signal });
}
