// A program with an HTTP code of its own keeps it: its `fetch` becomes one with the session's live token, and each login is
// told. It asks for a path every few seconds, through the daily end of the session:
//
//   SAMCO_API_KEY=... SAMCO_API_SECRET=... node examples/own-fetch.mjs /limit/getLimits

import { subscribe } from "node:diagnostics_channel";
import { setInterval } from "node:timers/promises";
import { pathToFileURL } from "node:url";

import { Session, logs, samco } from "preopen";
import { createFetch } from "preopen/fetch";

/** What a program may have had before: it knows of no session. */
export async function limits(fetch, path, { signal } = {}) {
  const response = await fetch(path, { signal });
  if (!response.ok) throw new Error(`HTTP ${response.status}: ${(await response.json()).statusMessage}`);
  return response.json();
}

/** Calls `take` with what the broker says, every `seconds`, until `signal` is aborted. */
export async function watch(session, path, take, { seconds = 5, signal } = {}) {
  const fetch = createFetch(session);
  take(await limits(fetch, path, { signal }));
  for await (const _ of setInterval(seconds * 1000, undefined, { signal })) take(await limits(fetch, path, { signal }));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  subscribe("preopen:audit", ({ action, why, outcome, durationMs }) => console.error(`${action} (${why}): ${outcome}, ${durationMs} ms`));
  logs.enable();
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort(new Error("stopped")));
  const session = new Session(samco.fromEnv());
  await watch(session, process.argv[2] ?? "/limit/getLimits", (data) => console.log(data), { signal: stop.signal }).catch((error) => {
    if (!stop.signal.aborted) throw error;
  });
}
