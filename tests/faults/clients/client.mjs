// One Node client process of the fault table: it prepares, waits, acts once, and reports what came of it, as client.py does.

import { existsSync, readFileSync, readdirSync, writeFileSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { inspect } from "node:util";

/** What is sent behind the scenes is sent by then: milliseconds. */
const SETTLED = 500;

/**
 * The check says success; `genuine`, when the reply has what was asked for: `wanted` is something, and nothing was put in the
 * place of bytes that are no text.
 */
export const success = (wanted) => ({ kind: "success", genuine: Boolean(wanted) && !inspect(wanted).includes("\ufffd") });
/** The reply says that it is a failure, and which. */
export const failure = (what) => ({ kind: "failure", what: String(what).slice(0, 80) });
/** Neither. */
export function other(reply) {
  const what = typeof reply === "string" && reply !== "" ? reply : inspect(reply, { breakLength: Infinity });
  return { kind: "other", what: what.slice(0, 80) };
}

function raised(error) {
  const types = [];
  for (let kind = error; kind; kind = Object.getPrototypeOf(kind)) types.push(`${kind.constructor?.name}`);
  const texts = [String(error), error?.stack, inspect(error), JSON.stringify(error)];
  return { kind: "raised", types: [...new Set(types)], shown: texts.join("\n") };
}

function memory(field) {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(readFileSync("/proc/self/status", "utf8"))[1]) * 1024;
}

/** Calls as often as the row says, and stops at what is no success: how often, and the last reply or error. */
async function act(client, spec) {
  for (let calls = 1; ; calls += 1) {
    const settled = await client[spec.on]().then((reply) => ({ reply }), (error) => ({ error }));
    const goesOn = "reply" in settled && calls < spec.repeat && client.told(settled.reply).kind === "success";
    if (!goesOn) return { calls, ...settled };
  }
}

async function measured(client, spec) {
  const rises = spec.memory && existsSync("/proc/self/clear_refs");
  const before = rises && memory("VmRSS");
  // The peak from now on.
  if (rises) writeFileSync("/proc/self/clear_refs", "5");
  const began = performance.now();
  const { calls, ...settled } = await act(client, spec);
  const told = { calls, seconds: (performance.now() - began) / 1000 };
  if (rises) told.rise = memory("VmHWM") - before;
  // Looking at an error costs memory and time of its own.
  return { ...told, ...("error" in settled ? raised(settled.error) : client.told(settled.reply)) };
}

/** So many packets were sent, or wanted to be. */
function packets() {
  const lines = readFileSync("/proc/self/net/snmp", "utf8").split("\n").filter((line) => line.startsWith("Ip:"));
  const [names, values] = lines.map((line) => line.split(" "));
  return ["OutRequests", "OutNoRoutes"].map((name) => Number(values[names.indexOf(name)])).reduce((one, two) => one + two);
}

const threads = () => readdirSync("/proc/self/task").length;
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Import and construction. */
async function started(make, spec) {
  // Node's own threads, which any import starts.
  await Promise.all(Array.from({ length: 8 }, () => readFile(new URL(import.meta.url))));
  const [sent, running, began] = [packets(), threads(), performance.now()];
  const seconds = () => (performance.now() - began) / 1000;
  try {
    await make(spec);
  } catch (error) {
    return { ...raised(error), seconds: seconds() };
  }
  const took = seconds();
  await wait(SETTLED);
  return { ...success(true), seconds: took, sent: packets() - sent, threads: threads() - running };
}

/** Plays one row with the client that `make` imports and constructs. */
export async function main(make) {
  const report = (told) => writeSync(Number(process.argv[2]), `${JSON.stringify(told)}\n`);
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const spec = JSON.parse((await lines.next()).value);
  if (spec.on === "start") {
    report(await started(make, spec));
  } else {
    const client = await make(spec);
    if (spec.login_first) await client.login();
    if (spec.warm && client.told(await client.read()).kind !== "success") throw new Error("the call before failed");
    report({ kind: "ready", tokens: await client.tokens() });
    // The faults are set when the driver answers.
    await lines.next();
    report({ ...(await measured(client, spec)), tokens: await client.tokens() });
  }
  // A rejection that nobody handles still ends the process, and as a failure.
  await wait(50);
  process.exit();
}
