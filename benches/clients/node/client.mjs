// One client process of the Node benchmarks: node client.mjs PEER PEERS, where PEERS is the folder that the pinned peers are
// installed in; settings as JSON on standard input, one line of JSON on standard output.

import { text } from "node:stream/consumers";

import * as http from "./http_clients.mjs";
import * as own from "./own.mjs";
import * as sdks from "./sdks.mjs";

const [, , name, folder] = process.argv;
const settings = JSON.parse(await text(process.stdin));
const PEERS = { ...http.PEERS, ...own.PEERS, ...sdks.PEERS };
const peer = PEERS[name];
if (peer === undefined) throw new Error(`no such peer: ${name}`);
await peer(settings, folder);
