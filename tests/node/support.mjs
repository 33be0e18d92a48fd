// What the Node tests share: the embedded broker, and comparing errors and replies with what a file expects.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { Sandbox } from "preopen/sandbox";

/** Any working day at a time when both brokers are open. */
export const TEN_O_CLOCK = "2026-11-23T10:00:00+05:30";

const root = new URL("../../", import.meta.url);

/** An address inside the repository. */
export function at(path) {
  return new URL(path, root);
}

/** The JSON files of a folder of the repository, by name. */
export function cases(folder) {
  const names = readdirSync(at(folder)).filter((name) => name.endsWith(".json")).sort();
  return names.map((name) => [name.slice(0, -".json".length), JSON.parse(readFileSync(at(`${folder}/${name}`), "utf8"))]);
}

/** An object with its names in `camelCase`. */
export function camel(values) {
  const rename = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [rename(name), value]));
}

/** An error by the names of the shared files. Fields are named there as in Rust. */
export function errorFields(error) {
  assert.ok(error instanceof Error, `not an error: ${error}`);
  const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const fields = Object.entries(error).map(([name, value]) => [snake(name), value]);
  const shown = { message: error.message, ...Object.fromEntries(fields) };
  if (shown.field !== undefined) shown.field = snake(shown.field);
  // Whole seconds, as the shared files have it.
  if (shown.clock_skew !== undefined) shown.clock_skew = Math.trunc(shown.clock_skew);
  return shown;
}

/** An event by the names of the shared files. */
export function eventFields({ name, generation, expiresAt, missed, error }) {
  return { name, generation, expires_at: expiresAt, missed, error: error === null ? null : errorFields(error) };
}

/** Every field that `expected` names is equal in `found`; `null` means that there is nothing. */
export function assertHas(found, expected, where) {
  if (expected === null) return assert.ok(found === null || found === undefined, `${where}: got ${found}`);
  if (found instanceof Date) return assert.equal(found.getTime(), Date.parse(expected), where);
  if (typeof expected === "object" && !Array.isArray(expected)) {
    assert.ok(typeof found === "object" && found !== null, `${where}: got ${found}`);
    for (const [name, value] of Object.entries(expected)) assertHas(found[name], value, `${where}: ${name}`);
    return;
  }
  assert.deepEqual(found, expected, where);
}

/** What a promise gives, or the error that it rejects with. */
export async function settled(promise) {
  try {
    return { ok: await promise };
  } catch (error) {
    return { error };
  }
}

/** How often the broker saw a path. */
export async function count(broker, name, path) {
  return (await broker.requests({ broker: name, path })).count;
}

export const LOGIN = {
  samco: "/session/token",
  angelone: "/rest/auth/angelbroking/user/v1/loginByPassword",
};

/** An embedded broker at ten o'clock whose clock runs fast, so that waits for one-time codes are short. */
export async function startBroker() {
  const broker = await Sandbox.start();
  await broker.clock.set(TEN_O_CLOCK);
  await broker.clock.setRate(200);
  return broker;
}

/** Waits, within ten seconds, until the broker saw this many requests for a path. */
export async function untilSeen(broker, name, path, times = 1) {
  const deadline = performance.now() + 10_000;
  while ((await count(broker, name, path)) < times) assert.ok(performance.now() < deadline, `${path} was not seen`);
}

/** Waits, within `seconds`, until `holds` gives something; `what` tells what did not come. */
export async function until(holds, what, seconds = 10) {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (performance.now() >= deadline) assert.fail(`${what()} did not come`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Listens to a session. `take` gives as many events as expected, and fails when there are fewer or more. */
export function collect(session, options) {
  const events = [];
  const stream = session.events(options);
  const ended = (async () => {
    for await (const event of stream) events.push(event);
  })();
  return {
    ended,
    stream,
    async take(expected) {
      await until(() => events.length >= expected, () => `event ${expected} after ${events.map(({ name }) => name)}`, 5);
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.ok(events.length === expected, `${expected} events, not ${events.map(({ name }) => name)}`);
      return events.splice(0);
    },
  };
}

/** The one-time code of a time in milliseconds (RFC 6238, six digits, 30 seconds). */
export function totp(secret, millis) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const letters = [...secret.toUpperCase()].filter((letter) => alphabet.includes(letter));
  const bits = letters.map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(millis / 30_000)));
  const digest = createHmac("sha1", key).update(step).digest();
  const code = digest.readUInt32BE(digest[19] & 0xf) & 0x7fff_ffff;
  return String(code % 1_000_000).padStart(6, "0");
}

/** Runs a script of tests/node/children to its end: what it wrote, and how it ended. */
export async function runChild(script, args = [], { env = {}, flags = [], stdin = "" } = {}) {
  const child = spawn(process.execPath, [...flags, fileURLToPath(at(`tests/node/children/${script}`)), ...args], {
    cwd: fileURLToPath(at("tests/node")),
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
    timeout: 60_000,
  });
  child.stdin.on("error", () => undefined).end(stdin);
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (err += text));
  const [code, signal] = await once(child, "close");
  return { code, signal, out, err };
}

/** What a child needs to make a session on the broker. */
export function childEnvironment(broker, account = broker.accounts[0]) {
  return { PREOPEN_TEST_URL: broker.samcoUrl, PREOPEN_TEST_KEY: account.apiKey, PREOPEN_TEST_SECRET: account.apiSecret };
}
