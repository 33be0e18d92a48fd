// One client process of the Node benchmarks: node client.mjs PEER, settings as JSON on standard input.
import http from "node:http";
import https from "node:https";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";

const settings = JSON.parse(await text(process.stdin));
const PATH = settings.path;
const QUERY = `?${new URLSearchParams(settings.params)}`;

/** A client that sends nothing, or reads nothing, cannot win. */
function check(data) {
  if (data.quoteDetails.symbolName !== "INFY") throw new Error("wrong payload");
}

/** `sent` is every request that was made, warm-up included. */
async function measure(calls, sent, run) {
  const cpu = process.cpuUsage();
  const wall = performance.now();
  await run(calls);
  const used = process.cpuUsage(cpu);
  const took = performance.now() - wall;
  console.log(JSON.stringify({ cpu_us: (used.user + used.system) / calls, wall_us: (took * 1000) / calls, rate: (calls * 1000) / took, calls, sent }));
}

async function calls(call) {
  const run = async (count) => {
    const share = count / settings.workers;
    const some = async () => {
      for (let n = 0; n < share; n += 1) check(await call());
    };
    await Promise.all(Array.from({ length: settings.workers }, some));
  };
  await run(settings.warm_up);
  await measure(settings.calls, settings.warm_up + settings.calls, run);
}

async function session() {
  const { Session, samco } = await import("preopen");
  const options = { baseUrl: settings.url };
  if (settings.ca_file) options.caFile = settings.ca_file;
  return new Session(samco({ apiKey: settings.api_key, apiSecret: settings.api_secret }), options);
}

async function agentCall() {
  const client = settings.url.startsWith("https:") ? https : http;
  const ca = settings.ca_file ? readFileSync(settings.ca_file) : undefined;
  const agent = new client.Agent({ keepAlive: true, ca });
  const url = settings.url + PATH + QUERY;
  const call = () =>
    new Promise((resolve, reject) => {
      const request = client.get(url, { agent, headers: settings.headers }, (reply) => {
        text(reply).then((body) => resolve(JSON.parse(body)), reject);
      });
      request.on("error", reject);
    });
  await calls(call);
  agent.destroy();
}

async function hot(name) {
  const live = await session();
  await live.token();
  const method = { "token()": () => live.token(), "headers()": () => live.headers(), "a bare await": () => live }[name];
  const run = async (count) => {
    for (let n = 0; n < count; n += 1) await method();
  };
  await run(1000);
  await measure(settings.calls, 0, run);
}

const peers = {
  preopen: async () => {
    const live = await session();
    const params = { symbolName: "INFY", exchange: "NSE" };
    await calls(async () => (await live.get(PATH, { params })).data);
  },
  fetch: () => calls(async () => (await fetch(settings.url + PATH + QUERY, { headers: settings.headers })).json()),
  agent: agentCall,
};

const peer = process.argv[2];
await (peers[peer] ?? (() => hot(peer)))();
