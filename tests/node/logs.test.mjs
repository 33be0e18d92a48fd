// What the package tells of itself: log records and audit entries on channels, metrics, and those for OpenTelemetry.

import assert from "node:assert/strict";
import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, afterEach, before } from "node:test";

import { DataPointType, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";

import { logs, metrics } from "preopen";
import { instrument } from "preopen/opentelemetry";
import { Sandbox } from "preopen/sandbox";

import { TEN_O_CLOCK, childEnvironment, runChild, settled, until } from "./support.mjs";

let broker;
const listening = [];
before(async () => {
  broker = await Sandbox.start({ startAt: TEN_O_CLOCK, rate: 0 });
});
after(() => broker.stop());
afterEach(() => {
  logs.disable();
  for (const [name, take] of listening.splice(0)) unsubscribe(name, take);
});

/** What a channel gives from now on. */
function collect(name) {
  const taken = [];
  const take = (message) => taken.push(message);
  subscribe(name, take);
  listening.push([name, take]);
  return taken;
}

const some = (taken, holds) => until(() => taken.find(holds), () => `a record like ${holds}`);

test("a login and a logout are one audit entry each, however many ask", async () => {
  const entries = collect("preopen:audit");
  logs.enable();
  assert.equal(logs.level, "info");
  const session = broker.session("samco");
  await Promise.all(Array.from({ length: 50 }, () => session.token()));
  await session.logout();
  await some(entries, ({ action }) => action === "logout");
  assert.deepEqual(entries.map(({ action, why, outcome, broker }) => [action, why, outcome, broker]), [
    ["login", "first_use", "ok", "samco"],
    ["logout", entries[1].why, "ok", "samco"],
  ]);
  for (const { at, account, host, durationMs } of entries) {
    assert.ok(at instanceof Date && at.getTime() === Date.parse(TEN_O_CLOCK), String(at));
    assert.ok(account.length > 0 && host.length > 0 && durationMs >= 0);
  }
});

test("a refusal is told with its kind, and nothing that is told shows a secret", async () => {
  const [entries, records] = [collect("preopen:audit"), collect("preopen:log")];
  logs.enable({ level: "trace" });
  const { apiKey } = broker.accounts[0];
  const wrong = broker.session("samco", { credentials: broker.samcoCredentials(0, { apiSecret: "CANARY-secret-of-logs-0123456789" }) });
  await settled(wrong.token());
  const right = broker.session("samco");
  const token = (await right.token()).expose();
  await right.get("/limit/getLimits");
  await some(entries, ({ outcome }) => outcome === "credentials_rejected");
  await some(records, ({ target, message }) => target === "preopen" && message !== "");
  const told = JSON.stringify([entries, records]);
  for (const secret of ["CANARY", token, apiKey, broker.accounts[0].apiSecret]) assert.ok(!told.includes(secret), told);
  for (const { at, level, fields } of records) {
    assert.ok(at instanceof Date && ["trace", "debug", "info", "warn", "error"].includes(level));
    assert.ok(Object.keys(fields).every((name) => !name.includes("_")), JSON.stringify(fields));
  }
});

test("the level holds for log records, an audit entry comes at every level, and disabled nothing comes", async () => {
  const [entries, records] = [collect("preopen:audit"), collect("preopen:log")];
  logs.enable({ level: "error" });
  await broker.session("samco").token();
  await some(entries, ({ action }) => action === "login");
  assert.deepEqual(records, []);
  logs.enable({ level: "info" });
  assert.equal(logs.level, "info");
  await broker.session("samco").token();
  await some(records, ({ target }) => target === "preopen.audit");
  assert.equal(entries.length, 2);
  logs.disable();
  logs.disable();
  assert.equal(logs.level, undefined);
  await broker.session("samco").token();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(entries.length, 2);
  for (const level of ["loud", 3, null]) assert.throws(() => logs.enable({ level }), { code: "invalid_input", field: "level" });
  assert.equal(channel("preopen:log").hasSubscribers, true);
});

test("collecting keeps no process alive", async () => {
  const { code, out, err } = await runChild("channels.mjs", [], { env: childEnvironment(broker) });
  assert.deepEqual([code, out], [0, "login first_use ok\n"], err);
});

test("the option audit writes the same entries into a file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "preopen-audit-"));
  try {
    const audit = join(folder, "audit.jsonl");
    const session = broker.session("samco", { audit });
    await session.token();
    const lines = readFileSync(audit, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(lines.map(({ action, outcome }) => [action, outcome]), [["login", "ok"]]);
    if (process.platform !== "win32") assert.equal(statSync(audit).mode & 0o777, 0o600);
    assert.throws(() => broker.session("samco", { audit: "" }), { field: "audit" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const logins = () => metrics().filter(({ name, labels }) => name === "preopen_logins_total" && labels.why === "first_use" && labels.outcome === "ok")[0]?.value ?? 0;

test("metrics count, and their labels are closed sets", async () => {
  const before = logins();
  const session = broker.session("samco");
  await session.token();
  assert.equal(logins(), before + 1);
  const found = metrics();
  assert.ok(found.some(({ name, value }) => name === "preopen_live_sessions" && value >= 1));
  const wait = found.find(({ name }) => name === "preopen_login_wait_seconds");
  assert.ok(wait.kind === "histogram" && wait.count >= 1 && wait.sum > 0 && wait.buckets.every(([bound, count]) => bound > 0 && count <= wait.count));
  for (const { labels, help, unit } of found) {
    assert.ok(Object.values(labels).every((value) => /^[a-z_]+$/.test(value)), JSON.stringify(labels));
    assert.ok(help.endsWith(".") && unit.length > 0);
  }
});

/** A reader that collects when it is asked. */
class Reader extends MetricReader {
  async onForceFlush() {}
  async onShutdown() {}

  async read() {
    const { resourceMetrics, errors } = await this.collect();
    assert.deepEqual(errors, []);
    const all = resourceMetrics.scopeMetrics.flatMap(({ scope, metrics }) => metrics.map((one) => ({ ...one, scope: scope.name })));
    return Object.fromEntries(all.map((one) => [one.descriptor.name, one]));
  }
}

test("OpenTelemetry reads them as observable instruments, until that is ended", async () => {
  const reader = new Reader();
  const meterProvider = new MeterProvider({ readers: [reader] });
  const stop = instrument({ meterProvider });
  await broker.session("samco").token();
  const found = await reader.read();
  const { dataPoints, dataPointType, descriptor, scope } = found["preopen_logins_total"];
  const own = dataPoints.find(({ attributes }) => attributes.why === "first_use" && attributes.outcome === "ok");
  assert.deepEqual([scope, dataPointType, descriptor.unit, own.value, own.attributes.broker], ["preopen", DataPointType.SUM, "{login}", logins(), "samco"]);
  assert.equal(found["preopen_live_sessions"].dataPointType, DataPointType.GAUGE);
  const count = found["preopen_login_wait_seconds_count"].dataPoints[0].value;
  assert.ok(count >= 1 && found["preopen_login_wait_seconds_sum"].dataPoints[0].value > 0);
  const buckets = found["preopen_login_wait_seconds_bucket"].dataPoints;
  assert.equal(buckets.find(({ attributes }) => attributes.le === "+Inf").value, count);
  stop();
  await broker.session("samco").token();
  const [after] = (await reader.read())["preopen_logins_total"].dataPoints.filter(({ attributes }) => attributes.why === own.attributes.why);
  assert.deepEqual([after.value, logins()], [own.value, own.value + 1]);
  await meterProvider.shutdown();
  for (const wrong of [undefined, {}, { meterProvider: {} }]) assert.throws(() => instrument(wrong), { field: "meterProvider" });
});
