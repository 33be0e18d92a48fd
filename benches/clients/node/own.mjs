// Preopen itself: calls, a live session, a new session, a herd.

import { calls, check, measure, say } from "./meter.mjs";

async function session(settings) {
  const { Session, samco } = await import("preopen");
  const options = { baseUrl: settings.url };
  if (settings.ca_file) options.caFile = settings.ca_file;
  return new Session(samco({ apiKey: settings.api_key, apiSecret: settings.api_secret }), options);
}

async function get(settings) {
  const live = await session(settings);
  const { path, params } = settings;
  await calls(settings, async () => (await live.get(path, { params })).data);
  live.close();
}

/** Enough for any run, and still counted: the broker's own limit would be three calls a second. */
const UNHINDERED = { profile: { perSecond: 100_000, perHour: 100_000 } };

/** The same call of Angel One's API that its own client makes. */
async function profile(settings) {
  const { Session, angelOne } = await import("preopen");
  const { url, api_key, client_code, pin, totp_secret } = settings.angelone;
  const options = { baseUrl: url, rateLimits: UNHINDERED };
  if (settings.ca_file) options.caFile = settings.ca_file;
  const live = new Session(angelOne({ apiKey: api_key, clientCode: client_code, pin, totpSecret: totp_secret }), options);
  const right = (data) => {
    if (data.clientcode !== client_code) throw new Error(`wrong payload: ${JSON.stringify(data)}`);
  };
  await calls(settings, async () => (await live.get(settings.path)).data, right);
  live.close();
}

function hot(pick) {
  return async (settings) => {
    const live = await session(settings);
    await live.token();
    const method = pick(live);
    const run = async (count) => {
      for (let n = 0; n < count; n += 1) await method();
    };
    await run(1000);
    // The login.
    await measure(settings.calls, 1, run);
  };
}

/** The first session of a process, after the import, and further ones; nothing is sent. */
async function build(settings) {
  const { Session, samco } = await import("preopen");
  const kept = [];
  const one = () => {
    const cpu = process.cpuUsage();
    const wall = performance.now();
    kept.push(new Session(samco({ apiKey: "key", apiSecret: "secret" })));
    const used = process.cpuUsage(cpu);
    return { cpu: used.user + used.system, wall: (performance.now() - wall) * 1000 };
  };
  const [first, ...further] = Array.from({ length: settings.calls }, one);
  const middle = (key) => further.map((found) => found[key]).sort((a, b) => a - b)[further.length >> 1];
  say({ cpu_us: middle("cpu"), wall_us: middle("wall"), first_cpu_us: first.cpu, first_wall_us: first.wall, sent: 0 });
}

/** Many callers of a session that has not logged in; times are of the clock on the wall, as the broker's are. */
async function herd(settings) {
  const live = await session(settings);
  const served = [];
  let asked;
  const ask = async () => {
    asked = performance.timeOrigin + performance.now();
    const { generation } = await live.token();
    served.push(performance.timeOrigin + performance.now());
    return generation;
  };
  const cpu = process.cpuUsage();
  const generations = await Promise.all(Array.from({ length: settings.calls }, ask));
  const used = process.cpuUsage(cpu);
  if (generations.some((generation) => generation !== 1)) throw new Error(`callers got sessions ${[...new Set(generations)]}`);
  say({
    cpu_us: used.user + used.system,
    asked_at: asked / 1000,
    first_at: Math.min(...served) / 1000,
    last_at: Math.max(...served) / 1000,
    calls: settings.calls,
    sent: 1,
  });
}

/** One login after another: the session is declared over each time, so that the next call must log in. */
async function logins(settings) {
  const live = await session(settings);
  let last = 0;
  const call = async () => {
    if (last > 0) live.invalidate(last);
    return (await live.token()).generation;
  };
  const right = (generation) => {
    last += 1;
    if (generation !== last) throw new Error("a login was left out");
  };
  await calls(settings, call, right);
  live.close();
}

/** What a program does first, for `first_reply.mjs`. */
export async function first(settings) {
  const live = await session(settings);
  check((await live.get(settings.path, { params: settings.params })).data);
}

export const PEERS = {
  preopen: get,
  "preopen-angelone": profile,
  "a bare await": hot((live) => () => live),
  "token()": hot((live) => () => live.token()),
  "headers()": hot((live) => () => live.headers()),
  "login preopen": logins,
  build,
  herd,
};
