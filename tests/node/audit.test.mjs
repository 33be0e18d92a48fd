// The audit file, log records and metrics as the addon gives them: what they hold, and that nothing is kept alive.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { inspect } from "node:util";

import { InvalidInputError } from "preopen";

import { at, childEnvironment, runChild, startBroker, until } from "./support.mjs";

const native = createRequire(import.meta.url)(at("node/native/preopen.node").pathname);
const ENTRY = ["at", "broker", "account", "host", "action", "why", "outcome", "duration_ms"];

let broker;
let folder;
before(async () => {
  broker = await startBroker();
  folder = mkdtempSync(join(tmpdir(), "preopen-audit-"));
});
after(async () => {
  rmSync(folder, { recursive: true });
  await broker.stop();
});

const entries = (path) => readFileSync(path, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
const said = (path) => entries(path).map(({ action, why, outcome }) => `${action} ${why} ${outcome}`);

/** Collects records as objects. */
function listen(level) {
  const records = [];
  const { ok } = native.logs(level, (json) => records.push(JSON.parse(json)));
  return { records, logs: ok };
}

test("each login is one line however many callers wait", async () => {
  const audit = join(folder, "one.jsonl");
  const session = broker.session("samco", { audit });
  await Promise.all(Array.from({ length: 64 }, () => session.token()));
  const [entry, ...more] = entries(audit);
  assert.deepEqual([Object.keys(entry), more], [ENTRY, []]);
  assert.match(entry.at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+05:30$/);
  await session.logout();
  assert.deepEqual(said(audit), ["login first_use ok", "logout asked ok"]);
});

test("a path is a text that is not empty", () => {
  for (const audit of ["", 7, Buffer.from("audit")]) {
    const wrong = (error) => error instanceof InvalidInputError && error.field === "audit";
    assert.throws(() => broker.session("samco", { audit }), wrong, inspect(audit));
  }
});

test("records are plain and of the level that was asked for", async () => {
  const [info, fine] = [listen("info"), listen("debug")];
  const session = broker.session("samco");
  await session.get("/limit/getLimits");
  const call = () => fine.records.find(({ message }) => message === "call");
  await until(call, () => "the record of the call");
  assert.equal(call().level, "debug");
  const audit = info.records.find(({ target }) => target === "preopen.audit");
  assert.deepEqual(Object.keys(audit), ["at", "level", "target", "message", "fields"]);
  assert.deepEqual(Object.keys(audit.fields), ENTRY);
  assert.ok(Math.abs(audit.at - Date.now() / 1000) < 60, inspect(audit));
  assert.ok(info.records.every(({ level }) => level === "info"), inspect(info.records));
  assert.ok(!JSON.stringify(fine.records).includes((await session.token()).expose()));
  info.logs.close();
  const before = info.records.length;
  await session.logout();
  await until(() => fine.records.some(({ fields }) => fields.action === "logout"), () => "the record of the logout");
  assert.equal(info.records.length, before);
  assert.deepEqual([info.logs.closed, fine.logs.closed], [true, false]);
  fine.logs.close();
  assert.equal(JSON.parse(native.logs("loud", () => undefined).error).field, "level");
});

test("metrics count what happened", async () => {
  const number = (name) => {
    const mine = JSON.parse(native.metrics()).filter((one) => one.name === name && one.labels.broker === "samco");
    return mine.reduce((sum, { value, count }) => sum + (value ?? count), 0);
  };
  const names = ["preopen_logins_total", "preopen_calls_total", "preopen_login_wait_seconds"];
  const before = names.map(number);
  const session = broker.session("samco");
  for (let n = 0; n < 3; n += 1) await session.get("/limit/getLimits");
  assert.deepEqual(names.map((name, n) => number(name) - before[n]), [1, 3, 1]);
  const histogram = JSON.parse(native.metrics()).find(({ kind }) => kind === "histogram");
  assert.deepEqual(Object.keys(histogram).sort(), ["buckets", "count", "help", "kind", "labels", "name", "sum", "unit"]);
  assert.ok(histogram.buckets.at(-1)[1] <= histogram.count && histogram.sum > 0);
});

test("whoever reads records keeps no process alive, and a worker that ends with open ones none either", async () => {
  const ended = await runChild("logs.mjs", [], { env: childEnvironment(broker) });
  assert.deepEqual([ended.code, ended.err], [0, ""]);
  assert.deepEqual(JSON.parse(ended.out), { main: ["preopen.audit", "preopen"], worker: ["preopen.audit", "preopen"] });
});
