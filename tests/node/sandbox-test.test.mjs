// `preopen/sandbox/test`: brokers for node:test and vitest, in suites of their own as users have them.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { InvalidInputError } from "preopen";
import { MARKET_OPEN, Sandbox, useSandbox } from "preopen/sandbox/test";

import { LOGIN, at, settled } from "./support.mjs";

test("a broker of its own, whose clock stands still", async (t) => {
  const broker = await useSandbox(t);
  assert.equal((await broker.clock.now()).getTime(), Date.parse(MARKET_OPEN));
  const session = broker.session("samco");
  assert.equal((await session.token()).generation, 1);
  assert.equal((await broker.clock.now()).getTime(), Date.parse(MARKET_OPEN));
  await broker.clock.advanceTo("08:00 IST");
  assert.equal((await session.token()).generation, 2);
  assert.equal((await broker.requests({ broker: "samco", path: LOGIN.samco })).count, 2);
  assert.equal(await broker.script(), null);
});

test("options come first, and a script says where it starts", async (t) => {
  const broker = await useSandbox(t, { script: "bad-day", tls: true });
  assert.equal((await broker.clock.now()).getTime(), Date.parse("2026-11-23T07:30:00+05:30"));
  await broker.clock.advanceTo("10:00 IST");
  const session = broker.session("samco");
  assert.equal((await session.whoami()).verdict, "mismatch");
  const script = await broker.script();
  assert.deepEqual([script.script, script.doneCount, script.done[2].name, script.ended], ["bad-day", 3, "the line fails over", false]);
  assert.equal(script.next.ist, "2026-11-23 10:30:00 IST");
  const other = await useSandbox(t, { startAt: new Date("2026-11-24T00:00:00Z"), rate: 3600 });
  assert.ok((await other.clock.now()).getTime() >= Date.parse("2026-11-24T00:00:00Z"));
  const wrong = await settled(useSandbox(t, { script: "no-such-day" }));
  assert.match(wrong.error.message, /^the script cannot be played: no-such-day cannot be read .*ordinary-day, bad-day, month/);
});

test("what does not exist is refused before anything starts, by its name", async (t) => {
  const refused = async (promise) => (await settled(promise)).error;
  for (const start of [() => useSandbox(t, { scirpt: "bad-day" }), () => Sandbox.start({ scirpt: "bad-day" })]) {
    const error = await refused(start());
    assert.ok(error instanceof InvalidInputError, String(error));
    assert.equal(error.message, "scirpt is not an option: there are port, tls, data, startAt, rate, script");
  }
  assert.match((await refused(useSandbox(t, "bad-day"))).message, /^options must be an object with any of port, /);
  assert.match((await refused(useSandbox())).message, /^t must be the context of the test/);
  const broker = await useSandbox(t);
  assert.match((await refused(broker.fault({ broker: "samco", path: "/*", status: 503 }))).message, /^broker must be samco or angelone, as in fault\("samco"/);
  assert.match((await refused(broker.fault("samco", "/*"))).message, /^spec must be an object/);
  assert.match((await refused(broker.requests("samco", "/session/token"))).message, /^filter must be an object with any of broker, path$/);
  assert.match((await refused(broker.consent("/", { aprove: false }))).message, /^aprove is not an option/);
  assert.equal((await broker.requests({ broker: undefined })).count, 0);
});

test("a fault that lasts", async (t) => {
  const broker = await useSandbox(t);
  const session = broker.session("samco");
  const until = new Date(Date.parse(MARKET_OPEN) + 300_000);
  await broker.fault("samco", "/ip/whoami", { from: MARKET_OPEN, until, status: 400, body: "{}" });
  for (let n = 0; n < 3; n++) assert.ok((await settled(session.whoami())).error instanceof Error);
  await broker.clock.set(until);
  assert.equal((await session.whoami()).verdict, "match");
});

/** A folder in which `preopen` is found. */
function folder(t) {
  const path = mkdtempSync(fileURLToPath(at("tests/node/.suite-")));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

function run(path, args) {
  // Nothing of the test runner that runs this.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("NODE_")));
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: path, encoding: "utf8", env: { ...env, NO_COLOR: "1" }, timeout: 120_000 });
  return { status, text: stdout + stderr };
}

const CALLS = `
  const session = broker.session("samco");
  await session.token();
  await broker.fault("samco", "/quote/*", { status: 400, body: "{}" });
  await session.get("/quote/getQuote", { params: { symbolName: "INFY" } }).catch(() => undefined);
`;

/** What both reports show. */
function assertTold(text) {
  assert.match(text, /embedded broker at http:\/\/127\.0\.0\.1:\d+, its clock: 2026-11-23 09:15:00 IST/);
  assert.match(text, /2026-11-23 09:15:00 IST {2}samco {2}POST \/session\/token {2}200 {2}SBX001 {2}from 203\.0\.113\.10/);
  assert.match(text, /samco {2}GET \/quote\/getQuote\?symbolName=INFY {2}400 .*\(fault 1\)/);
  assert.equal(text.split("embedded broker at").length, 2, "only the test that failed tells");
  assert.doesNotMatch(text, /sandbox-secret|sandbox-password/);
}

test("a failure in node:test shows what the broker saw, and no broker is left", (t) => {
  const path = folder(t);
  writeFileSync(join(path, "suite.test.mjs"), `
    import assert from "node:assert/strict";
    import test from "node:test";
    import { useSandbox } from "preopen/sandbox/test";
    const urls = [];
    test("fine", async (t) => { const broker = await useSandbox(t); urls.push(broker.samcoUrl); ${CALLS} });
    test("fails", async (t) => { const broker = await useSandbox(t); urls.push(broker.samcoUrl); ${CALLS} assert.fail("on purpose"); });
    test("both are gone", async () => {
      assert.equal(urls.length, 2);
      for (const url of urls) await assert.rejects(fetch(url));
    });
  `);
  const { status, text } = run(path, ["--test", "--test-reporter=tap", "suite.test.mjs"]);
  assert.equal(status, 1, text);
  assert.match(text, /# pass 2\n# fail 1/);
  assertTold(text);
});

test("the same in vitest", (t) => {
  const path = folder(t);
  writeFileSync(join(path, "suite.test.mjs"), `
    import { expect, test as base } from "vitest";
    import { sandboxFixture } from "preopen/sandbox/test";
    const urls = [];
    const test = base.extend({ broker: sandboxFixture(), tls: sandboxFixture({ tls: true }) });
    test("fine", async ({ broker }) => { urls.push(broker.samcoUrl); ${CALLS} });
    test("fails", async ({ broker }) => { urls.push(broker.samcoUrl); ${CALLS} expect(1, "on purpose").toBe(2); });
    test("https", async ({ tls }) => { expect(tls.samcoUrl).toMatch(/^https:/); });
    test("both are gone", async () => {
      expect(urls.length).toBe(2);
      for (const url of urls) await expect(fetch(url)).rejects.toThrow();
    });
  `);
  const vitest = fileURLToPath(at("node_modules/vitest/vitest.mjs"));
  const { status, text } = run(path, [vitest, "run", "--root", path, "--no-cache"]);
  assert.equal(status, 1, text);
  assert.match(text, /1 failed \| 3 passed/);
  assertTold(text);
});
