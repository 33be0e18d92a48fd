// What a program does first, and nothing else: node first_reply.mjs PEER PEERS SETTINGS, the last as JSON. `nothing` is the
// bare interpreter; each other one ends with its first reply.

import { existsSync, readFileSync } from "node:fs";

import { check, urlOf } from "./meter.mjs";

const [, , name, folder, text] = process.argv;
const settings = JSON.parse(text);

const PEERS = {
  nothing: async () => undefined,
  preopen: async () => (await import("./own.mjs")).first(settings),
  fetch: async () => check(await (await fetch(urlOf(settings), { headers: settings.headers })).json()),
  "undici.request": async () => {
    const { createRequire } = await import("node:module");
    const { request } = createRequire(`${folder}/`)("undici");
    check(await (await request(urlOf(settings), { headers: settings.headers })).body.json());
  },
  axios: async () => {
    const { createRequire } = await import("node:module");
    const axios = createRequire(`${folder}/`)("axios");
    check((await axios.get(urlOf(settings), { headers: settings.headers, proxy: false })).data);
  },
};

await PEERS[name]();
// The most memory that the process had is in it.
if (existsSync("/proc/self/status")) console.log(readFileSync("/proc/self/status", "utf8"));
process.exit(0);
