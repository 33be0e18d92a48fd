// Many callers, callers that give up, processes that end, and worker threads.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

import { InvalidInputError, Session, generateKey, samcoLegacy } from "preopen";

import { LOGIN, TEN_O_CLOCK, at, count, settled, startBroker, untilSeen } from "./support.mjs";

let broker;
before(async () => {
  broker = await startBroker();
});
after(() => broker.stop());

async function loginsDuring(work) {
  const before = await count(broker, "samco", LOGIN.samco);
  await work();
  return (await count(broker, "samco", LOGIN.samco)) - before;
}

test("S1: a thousand cold promises cost one login and share its token", async () => {
  const session = broker.session("samco");
  await broker.fault("samco", LOGIN.samco, { delayMs: 100 });
  const logins = await loginsDuring(async () => {
    const callers = Array.from({ length: 1000 }, (_, n) => (n % 2 ? session.token() : session.headers()));
    const results = await Promise.all(callers);
    const tokens = results.map((result, n) => (n % 2 ? result.expose() : result["x-session-token"]));
    assert.equal(new Set(tokens).size, 1);
  });
  assert.equal(logins, 1);
});

test("S2: all of them see the same failure, and the next caller starts afresh", async () => {
  const session = broker.session("samco");
  await broker.fault("samco", LOGIN.samco, { delayMs: 1500, status: 500, body: "down" });
  const logins = await loginsDuring(async () => {
    const results = await Promise.all(Array.from({ length: 200 }, () => settled(session.token())));
    assert.deepEqual(new Set(results.map(({ error }) => error?.code)), new Set(["broker_unavailable"]));
    assert.equal((await session.token()).generation, 1);
  });
  assert.equal(logins, 2);
});

test("S3: an aborted caller is told at once and the login lives on", async () => {
  const session = broker.session("samco");
  await broker.fault("samco", LOGIN.samco, { delayMs: 400 });
  const logins = await loginsDuring(async () => {
    const controller = new AbortController();
    const first = session.token({ signal: controller.signal });
    const second = session.token();
    const reason = new Error("the user closed the window");
    const started = performance.now();
    controller.abort(reason);
    assert.equal((await settled(first)).error, reason);
    assert.ok(performance.now() - started < 200);
    assert.equal((await second).generation, 1);
  });
  assert.equal(logins, 1);
});

/** Methods of a session that wait for nothing: all others take a signal. */
const AT_ONCE = ["close", "events", "invalidate", "prime", "reset", "samcoLegacy", "state", "toJSON", "toString"];

test("every call takes a signal, and an aborted one sends nothing", async () => {
  const session = broker.session("samco");
  const legacy = broker.session("samco", { credentials: samcoLegacy({ userId: "AB1", password: "p", secretApiKey: "k" }) }).samcoLegacy();
  const signal = AbortSignal.abort(new Error("not now"));
  const calls = {
    ...Object.fromEntries(["beginLogin", "exportExposed", "feedToken", "headers", "login", "logout", "preflight", "profile", "streamHeaders", "token", "webLoginCode", "whoami"].map((name) => [name, () => session[name]({ signal })])),
    ...Object.fromEntries(["get", "post", "put", "delete"].map((method) => [method, () => session[method]("/x", { signal })])),
    completeLogin: () => session.completeLogin("http://127.0.0.1/?code=c&state=s", { signal }),
    export: () => session.export({ key: generateKey(), signal }),
  };
  const methods = Object.getOwnPropertyNames(Session.prototype).filter((name) => typeof Object.getOwnPropertyDescriptor(Session.prototype, name).value === "function");
  assert.deepEqual(methods.filter((name) => name !== "constructor" && !AT_ONCE.includes(name)).sort(), Object.keys(calls).sort());
  const others = {
    "events().next": () => session.events({ signal }).next(),
    generateOtp: () => legacy.generateOtp({ signal }),
    generateSecretKey: () => legacy.generateSecretKey("123456", { signal }),
    registerIps: () => legacy.registerIps("8.8.8.8", undefined, { signal }),
    updateIps: () => legacy.updateIps("8.8.8.8", undefined, { signal }),
  };
  await broker.clearRequests();
  for (const [name, call] of Object.entries({ ...calls, ...others })) assert.equal((await settled(call())).error, signal.reason, name);
  assert.equal((await broker.requests()).count, 0);
});

test("a timeout signal ends a call to a silent server", async () => {
  const session = broker.session("samco");
  await session.token();
  await broker.fault("samco", "/quote/getQuote", { stall: "before" });
  const { error } = await settled(session.get("/quote/getQuote", { signal: AbortSignal.timeout(100), timeout: 60 }));
  assert.equal(error.name, "TimeoutError");
  assert.equal(error.constructor.name, "DOMException");
});

test("a live token and its headers are kept, and never beyond their generation", async () => {
  const session = broker.session("samco");
  const token = await session.token();
  assert.equal(await session.token(), token);
  const headers = await session.headers();
  assert.deepEqual(await session.headers(), headers);
  headers["x-session-token"] = "changed by its owner";
  assert.equal((await session.headers())["x-session-token"], token.expose());
  session.invalidate(token.generation);
  const next = await session.token();
  assert.equal(next.generation, 2);
  assert.equal((await session.headers())["x-session-token"], next.expose());
  session.invalidate(token.generation);
  assert.equal(await session.token(), next, "an old generation changes nothing");
  await broker.clock.advanceTo("08:00 IST");
  assert.equal((await session.token()).generation, 3);
  await broker.clock.set(TEN_O_CLOCK);
});

test("closing during a login tells all who wait", async () => {
  const session = broker.session("samco");
  const seen = await count(broker, "samco", LOGIN.samco);
  await broker.fault("samco", LOGIN.samco, { delayMs: 2000 });
  const waiting = [session.token(), session.headers(), session.get("/limit/getLimits")].map(settled);
  await untilSeen(broker, "samco", LOGIN.samco, seen + 1);
  assert.equal(session.state().name, "opening");
  session.close();
  for (const { error } of await Promise.all(waiting)) {
    assert.ok(error instanceof InvalidInputError, String(error));
    assert.equal(error.field, "session");
  }
  assert.equal(session.state().name, "closed");
  assert.equal(String(session), "Session(samco, sandbox, closed)");
  await broker.clearFaults();
});

test("a closed session hands out nothing", async () => {
  const session = broker.session("samco");
  await session.token();
  await session.headers();
  session[Symbol.dispose]();
  await session[Symbol.asyncDispose]();
  for (const call of [() => session.token(), () => session.headers(), () => session.get("/x"), () => session.logout()]) {
    const { error } = await settled(call());
    assert.ok(error instanceof InvalidInputError, String(error));
  }
});

/** Runs a child to its end. */
async function run(mode, account = broker.accounts[0]) {
  const child = spawn(process.execPath, [fileURLToPath(at("tests/node/children/idle.mjs")), mode], {
    env: { ...process.env, PREOPEN_TEST_URL: broker.samcoUrl, PREOPEN_TEST_KEY: account.apiKey, PREOPEN_TEST_SECRET: account.apiSecret },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 30_000,
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (text) => (out += text));
  child.stderr.on("data", (text) => (err += text));
  const [code, signal] = await once(child, "close");
  assert.deepEqual([code, signal], [0, null], `${mode}: ${err}`);
  return out.trim();
}

test("a process ends by itself: with an unused session, with a used one, and after an aborted call", async () => {
  assert.equal(await run("unused"), "");
  assert.equal(await run("token"), "");
  await broker.fault("samco", "/slow", { stall: "before" });
  assert.equal(await run("aborted"), "enough");
});

test("a pending call keeps its process alive until it is done", async () => {
  await broker.fault("samco", LOGIN.samco, { delayMs: 300 });
  assert.equal(await run("pending"), "generation 1");
});

test("process.exit() in the middle of a login is clean", async () => {
  await broker.fault("samco", LOGIN.samco, { delayMs: 300 });
  assert.equal(await run("exit"), "");
  await broker.clearFaults();
});

function worker(data) {
  const { apiKey, apiSecret } = broker.accounts[0];
  return new Worker(at("tests/node/children/worker.mjs"), { workerData: { baseUrl: broker.samcoUrl, apiKey, apiSecret, ...data } });
}

test("worker threads have sessions of their own and end by themselves", async () => {
  const generations = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const thread = worker({});
      const ended = once(thread, "exit");
      const [generation] = await once(thread, "message");
      assert.deepEqual(await ended, [0]);
      return generation;
    }),
  );
  assert.deepEqual(generations, [1, 1, 1, 1]);
});

test("a worker thread can be terminated in the middle of a call", async () => {
  await broker.fault("samco", "/slow", { delayMs: 150, times: 3, status: 200, body: "{}" });
  for (let n = 0; n < 3; n += 1) {
    const thread = worker({ pending: true });
    await once(thread, "message");
    await thread.terminate();
  }
  // The answers arrive when their threads are gone; this one must not notice.
  const session = new Session(broker.samcoCredentials(), { baseUrl: broker.samcoUrl });
  await broker.fault("samco", "/later", { delayMs: 400, status: 200, body: '{"status":"Success","value":1}' });
  assert.equal((await session.get("/later")).httpStatus, 200);
  await broker.clearFaults();
});
