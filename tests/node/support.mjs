// What the Node tests share: the embedded broker, and comparing errors and replies with what a file expects.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";

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
  return shown;
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
