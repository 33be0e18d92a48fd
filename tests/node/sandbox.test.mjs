// `preopen/sandbox`: the child process and its control API.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

import { InvalidInputError } from "preopen";
import { Sandbox, SandboxError } from "preopen/sandbox";

import { LOGIN, TEN_O_CLOCK, at, settled } from "./support.mjs";

async function withSandbox(options, work) {
  const broker = await Sandbox.start(options);
  try {
    await work(broker);
  } finally {
    await broker.stop();
  }
}

test("sessions of both brokers follow its clock", () =>
  withSandbox({}, async (broker) => {
    await broker.clock.setRate(0);
    await broker.clock.set(TEN_O_CLOCK);
    const samco = broker.session("samco");
    const second = broker.session("samco", { account: 1 });
    const angel = broker.session("angelone");
    assert.equal((await samco.token()).expiresAt.toISOString(), "2026-11-24T02:30:00.000Z");
    assert.notEqual((await second.profile()).accountId, (await samco.profile()).accountId);
    assert.equal((await angel.token()).expiresAt.toISOString(), "2026-11-23T18:30:00.000Z");
    assert.equal(samco.state().name, "active");
    const eight = await broker.clock.advanceTo("08:00 IST");
    assert.equal(eight.toISOString(), "2026-11-24T02:30:00.000Z");
    assert.deepEqual([samco.state().name, angel.state().name], ["expired", "expired"]);
    assert.equal((await samco.token()).generation, 2);
    assert.equal((await broker.clock.advance(3600)).getTime() - eight.getTime(), 3_600_000);
    assert.equal((await broker.clock.now()).getTime() - eight.getTime(), 3_600_000);
    assert.deepEqual([(await samco.logout()).acknowledged, samco.state().name], [true, "signed_out"]);
  }));

test("a person at the browser, and the inbox", () =>
  withSandbox({}, async (broker) => {
    const { account, apiKey, redirectUrl } = broker.accounts.find((one) => one.broker === "samco");
    const query = new URLSearchParams({ api_key: apiKey, redirect_url: redirectUrl, state: "a&b" });
    const url = `${broker.samcoUrl}/app/oauth/authorize?${query}`;
    const landed = new URL(await broker.consent(url));
    assert.equal(landed.origin + landed.pathname, redirectUrl);
    assert.deepEqual([landed.searchParams.get("code").length, landed.searchParams.get("state")], [43, "a&b"]);
    assert.match(await broker.consent(url, { approve: false }), /error=access_denied/);
    const stayed = await settled(broker.consent(url, { account: "SBX002" }));
    assert.ok(stayed.error instanceof SandboxError);
    assert.match(stayed.error.message, /EOAUTH008/);
    await broker.changeAccount(account, { redirectUrl: "http://127.0.0.1:8123/" });
    assert.match((await settled(broker.consent(url))).error.message, /EOAUTH002/);
    assert.deepEqual(await broker.inbox(), []);
    await fetch(`${broker.samcoUrl}/otp/generateOtp`, { method: "POST", body: JSON.stringify({ uid: account }) });
    const messages = await broker.inbox();
    assert.deepEqual(
      messages.map((one) => [one.channel, one.kind, one.account]),
      [
        ["sms", "otp", account],
        ["email", "otp", account],
      ],
    );
    assert.ok(messages[0].text.includes(messages[0].value));
  }));

test("faults, requests, addresses and switches", () =>
  withSandbox({}, async (broker) => {
    const session = broker.session("samco");
    await session.token();
    const { count, requests } = await broker.requests({ broker: "samco", path: LOGIN.samco });
    assert.equal(count, 1);
    assert.deepEqual([requests[0].method, requests[0].status], ["POST", 200]);
    assert.ok("sourceIp" in requests[0]);
    await broker.clearRequests();
    assert.equal((await broker.requests()).count, 0);
    await broker.setSourceIp("198.51.100.9");
    assert.equal((await session.whoami()).sourceIp, "198.51.100.9");
    await broker.switch({ totp_clock: "either" });
    assert.match(JSON.stringify(await broker.switches()), /totp_clock/);
    const refused = await settled(broker.fault("samco", "no-slash", { status: 500 }));
    assert.ok(refused.error instanceof SandboxError);
    assert.match(refused.error.message, /path/);
    assert.ok((await settled(broker.switch({ nonsense: true }))).error instanceof SandboxError);
    assert.throws(() => broker.samcoCredentials(99), InvalidInputError);
  }));

test("https with its own certificate authority", () =>
  withSandbox({ tls: true }, async (broker) => {
    assert.ok(broker.samcoUrl.startsWith("https://"));
    assert.equal((await broker.session("samco").whoami()).verdict, "match");
    const { error } = await settled(broker.session("samco", { caFile: undefined }).token());
    assert.equal(error?.code, "network", String(error));
  }));

test("it stops within a second, twice, and is gone then", async () => {
  const broker = await Sandbox.start();
  const session = broker.session("samco");
  await session.token();
  const started = performance.now();
  await Promise.all([broker.stop(), broker[Symbol.asyncDispose]()]);
  assert.ok(performance.now() - started < 1000);
  await broker.stop();
  assert.ok((await settled(broker.requests())).error instanceof SandboxError);
  for (const make of [() => broker.session("samco"), () => broker.samcoCredentials(), () => broker.angeloneCredentials()]) {
    assert.throws(make, { name: "SandboxError", message: "the sandbox is not running: it was stopped" });
  }
  assert.equal((await settled(session.get("/x"))).error.code, "network");
});

/** The processes that this one started. */
const tasks = `/proc/${process.pid}/task/${process.pid}/children`;
const children = () => readFileSync(tasks, "utf8").trim().split(" ").filter(Boolean).map(Number);

test("data survives a stop and a kill", { skip: !existsSync(tasks) }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "preopen-data-"));
  const data = join(folder, "sandbox.db");
  try {
    let token;
    await withSandbox({ data }, async (broker) => {
      token = (await broker.session("samco").token()).expose();
    });
    const before = new Set(children());
    const broker = await Sandbox.start({ data });
    const headers = { "x-session-token": token };
    const reply = await fetch(`${broker.samcoUrl}/ip/whoami`, { headers });
    assert.equal((await reply.json()).status, "Success");
    await assert.rejects(Sandbox.start({ data }), /another sandbox is using it/);
    await broker.clock.setRate(0);
    const shown = await broker.clock.advance(3600);
    for (const pid of children()) if (!before.has(pid)) process.kill(pid, "SIGKILL");
    await broker.stop();
    await withSandbox({ data }, async (again) => {
      assert.equal((await again.clock.now()).getTime(), shown.getTime());
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("one whose process died makes no session", { skip: !existsSync(tasks) }, async () => {
  const before = new Set(children());
  const broker = await Sandbox.start();
  for (const pid of children()) if (!before.has(pid)) process.kill(pid, "SIGKILL");
  const died = () => settled((async () => broker.session("samco"))());
  const deadline = performance.now() + 5000;
  while ((await died()).error === undefined) {
    assert.ok(performance.now() < deadline, "it was not noticed");
    await new Promise(setImmediate);
  }
  const { error } = await died();
  assert.ok(error instanceof SandboxError, String(error));
  assert.match(error.message, /^the sandbox is not running: its process ended \(SIGKILL\)$/);
  await broker.stop();
});

test("a broker that there is not gets no session", () =>
  withSandbox({}, async (broker) => {
    for (const name of ["zerodha", "Samco", undefined, null, {}]) {
      assert.throws(() => broker.session(name), (error) => {
        assert.ok(error instanceof InvalidInputError, String(error));
        assert.deepEqual([error.field, error.message], ["broker", "broker must be samco or angelone"]);
        return true;
      });
    }
  }));

test("it ends with its parent", async () => {
  const source = 'import { Sandbox } from "preopen/sandbox"; console.log((await Sandbox.start()).samcoUrl);';
  const parent = spawn(process.execPath, ["--input-type=module", "--eval", source], { cwd: at("tests/node"), stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(parent.stdout, "data");
  const url = String(line).trim();
  assert.ok((await fetch(url)).status > 0, "it answers");
  parent.kill("SIGKILL");
  await once(parent, "exit");
  const gone = async () => (await settled(fetch(url))).error !== undefined;
  const deadline = performance.now() + 5000;
  while (!(await gone())) assert.ok(performance.now() < deadline, "it outlived its parent");
});

/** The error of a start with another binary. */
async function startWith(binary, path = process.env.PATH) {
  const before = { PREOPEN_BIN: process.env.PREOPEN_BIN, PATH: process.env.PATH };
  try {
    if (binary === undefined) delete process.env.PREOPEN_BIN;
    else process.env.PREOPEN_BIN = binary;
    process.env.PATH = path;
    return (await settled(Sandbox.start())).error;
  } finally {
    Object.assign(process.env, before);
  }
}

test("a binary that is missing or fails is told clearly", async () => {
  const folder = mkdtempSync(join(tmpdir(), "preopen-"));
  try {
    const missing = await startWith(undefined, folder);
    assert.ok(missing instanceof SandboxError, String(missing));
    assert.match(missing.message, /preopen was not found: .*cargo install.* PREOPEN_BIN/);
    const broken = join(folder, "broken");
    writeFileSync(broken, "#!/bin/sh\necho 'no port is free' >&2\nexit 3\n");
    chmodSync(broken, 0o755);
    const failed = await startWith(broken);
    assert.ok(failed instanceof SandboxError, String(failed));
    assert.match(failed.message, /ended \(3\) before it was ready; it wrote: no port is free/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
