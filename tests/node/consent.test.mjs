// Logins at the broker's page, login codes and Samco's deprecated calls: what only Node has of them.

import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { format, inspect } from "node:util";
import { serialize } from "node:v8";

import { LoginStart, Session, angelOnePublisher, samcoLegacy, samcoLoginCode, samcoOAuth } from "preopen";

import { assertFree, closed, listening, startApp } from "./app.mjs";
import { TEN_O_CLOCK, settled, startBroker } from "./support.mjs";

const KEY = "CANARY-key-0123456789";
const SECRET = "CANARY-secret-0123456789";
const HERE = "http://127.0.0.1:8765/callback";
const THERE = "https://strategy.example/callback";

let broker;
let app;
before(async () => {
  broker = await startBroker();
  await broker.clock.setRate(0);
  await broker.clock.set(TEN_O_CLOCK);
  app = await startApp();
});
after(async () => {
  await broker.stop();
  await app.stop();
});

/** Every way to show a value but for its own getters. */
function shown(value) {
  const texts = [inspect(value), inspect(value, { depth: null, showHidden: true }), format("%s %o %O %j", value, value, value, value), String(value), JSON.stringify({ value }), inspect({ ...value })];
  for (const copy of [structuredClone, serialize]) {
    try {
      texts.push(inspect(copy(value)), String(copy(value)));
    } catch (error) {
      texts.push(inspect(error));
    }
  }
  return texts.join("\n");
}

test("credentials show nothing", () => {
  for (const credentials of [
    samcoOAuth({ apiKey: KEY, redirectUrl: HERE }),
    samcoLegacy({ userId: "AB1", password: SECRET, secretApiKey: KEY, yearOfBirth: "1990" }),
    samcoLoginCode({ account: "AB1", code: () => SECRET }),
    angelOnePublisher({ apiKey: KEY, clientCode: "A1", redirectUrl: THERE, trustMissingState: true }),
  ]) {
    assert.ok(!/CANARY/.test(shown(credentials) + shown(new Session(credentials))), inspect(credentials));
  }
  assert.equal(samcoOAuth({ apiKey: KEY, redirectUrl: HERE }).broker, "samco");
  assert.equal(angelOnePublisher({ apiKey: KEY, clientCode: "A1" }).broker, "angelone");
});

test("what is wrong is named and not repeated", async () => {
  const oauth = { apiKey: KEY, redirectUrl: HERE };
  const old = { userId: "AB1", password: SECRET, secretApiKey: KEY };
  const publisher = { apiKey: KEY, clientCode: "A1" };
  const session = new Session(samcoOAuth(oauth), { baseUrl: "http://127.0.0.1:9" });
  const cases = [
    ["redirectUrl", () => samcoOAuth({ apiKey: KEY })],
    ["apiKey", () => samcoOAuth({ ...oauth, apiKey: `${SECRET}\ud800` })],
    ["apiSecret", () => samcoOAuth({ ...oauth, apiSecret: SECRET })],
    ["redirectUrl", () => new Session(samcoOAuth({ ...oauth, redirectUrl: `http://app.example/${SECRET}` }))],
    ["redirectUrl", () => new Session(angelOnePublisher({ ...publisher, redirectUrl: HERE }))],
    ["trustMissingState", () => angelOnePublisher({ ...publisher, trustMissingState: "yes" })],
    ["password", () => samcoLegacy({ ...old, password: 4711 })],
    ["yearOfBirth", () => samcoLegacy({ ...old, yearOfBirth: 1990 })],
    ["yearOfBirth", () => new Session(samcoLegacy({ ...old, yearOfBirth: "90" }))],
    ["code", () => samcoLoginCode({ account: "AB1", code: SECRET })],
    ["url", () => session.completeLogin(4711)],
    ["url", () => session.completeLogin(`${SECRET}\ud800`)],
    ["url", () => session.completeLogin(`http://127.0.0.1:8765/other?code=${SECRET}`)],
    ["state", () => session.completeLogin(`${HERE}?code=${SECRET}&state=${SECRET}`)],
    ["timeout", () => session.login({ openBrowser: false, timeout: "10" })],
    ["timeout", () => session.login({ openBrowser: false, timeout: 0 })],
    ["openBrowser", () => session.login({ openBrowser: 1 })],
    ["show", () => session.login({ openBrowser: false, show: "me" })],
    ["signal", () => session.login({ signal: {} })],
    ["credentials", () => session.samcoLegacy()],
    ["credentials", () => broker.session("samco").beginLogin()],
    ["session", () => broker.session("angelone").webLoginCode()],
  ];
  for (const [field, attempt] of cases) {
    const { error } = await settled((async () => attempt())());
    assert.equal(error?.code, "invalid_input", `${field}: ${attempt}`);
    assert.equal(error.field, field, `${attempt}`);
    assert.ok(!/CANARY/.test(inspect(error)), `${field} shows a secret`);
  }
});

test("credentials come from the environment", () => {
  const names = {
    samcoOAuth: [samcoOAuth, { SAMCO_API_KEY: "k", SAMCO_REDIRECT_URL: HERE }],
    samcoLegacy: [samcoLegacy, { SAMCO_USER_ID: "AB1", SAMCO_PASSWORD: "p", SAMCO_SECRET_API_KEY: "s" }],
    angelOnePublisher: [angelOnePublisher, { ANGELONE_API_KEY: "k", ANGELONE_CLIENT_CODE: "A1" }],
  };
  const before = { ...process.env };
  try {
    for (const [name, [make, values]] of Object.entries(names)) {
      for (const missing of Object.keys(values)) {
        Object.assign(process.env, values);
        delete process.env[missing];
        assert.throws(() => make.fromEnv(), { code: "invalid_input", field: missing }, name);
      }
      Object.assign(process.env, values);
      new Session(make.fromEnv());
    }
    process.env["ANGELONE_REDIRECT_URL"] = HERE;
    assert.throws(() => new Session(angelOnePublisher.fromEnv()), { field: "redirectUrl" });
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
});

test("a begun login shows its page when asked alone", async () => {
  const { apiKey, redirectUrl } = broker.accounts.find((one) => one.broker === "samco");
  const session = broker.session("samco", { credentials: samcoOAuth({ apiKey, redirectUrl }) });
  const start = await session.beginLogin();
  assert.ok(start instanceof LoginStart);
  const page = new URL(start.url);
  assert.equal(page.pathname, "/app/oauth/authorize");
  assert.equal(start.expiresAt.getTime(), Date.parse(TEN_O_CLOCK) + 15 * 60_000);
  assert.ok(!shown(start).includes(page.searchParams.get("state")), shown(start));
  assert.equal(JSON.stringify(start), JSON.stringify({ url: "**redacted**", expiresAt: start.expiresAt }));
  const back = await broker.consent(start.url);
  await session.completeLogin(back);
  assert.equal((await session.token()).generation, 1);
  const { error } = await settled(session.completeLogin(back));
  assert.equal(error.field, "state");
  assert.ok(!inspect(error).includes(new URL(back).searchParams.get("code")));
});

test("a login code is shown by expose() alone", async () => {
  const code = await broker.session("samco").webLoginCode();
  assert.match(code.expose(), /^[A-Za-z0-9]{8}$/);
  assert.equal(code.expiresAt.getTime(), Date.parse(TEN_O_CLOCK) + 120_000);
  assert.ok(!shown(code).includes(code.expose()));
  assert.equal(String(code), `LoginCode(until ${code.expiresAt.toISOString()})`);
});

test("X5: login receives the answer on this machine, and is not disturbed by others", async () => {
  const session = app.session();
  const statuses = [];
  const visit = async (start) => {
    assert.ok(start instanceof LoginStart);
    for (const path of ["/callback?code=1&state=made-up", "/favicon.ico"]) {
      statuses.push((await fetch(`http://127.0.0.1:${app.port}${path}`)).status);
    }
    const page = await app.visit(start);
    statuses.push(page.status);
    assert.match(await page.text(), /You are logged in/);
  };
  let visited;
  await session.login({ openBrowser: false, show: (start) => (visited = visit(start)) });
  // The login may be over before the page is here.
  await visited;
  assert.deepEqual(statuses, [400, 404, 200]);
  assert.equal((await session.token()).generation, 1);
  await assertFree(app.port);
});

test("login without a person is a login", async () => {
  const session = broker.session("samco");
  await session.login({ show: () => assert.fail("nothing is to be shown") });
  assert.equal((await session.token()).generation, 1);
});

test("login ends with what show throws, and the port is free", async () => {
  const stop = new RangeError("stop here");
  for (const show of [() => assert.fail(stop), async () => Promise.reject(stop)]) {
    await assert.rejects(app.session().login({ openBrowser: false, show }), stop);
    await assertFree(app.port);
  }
});

test("a login does not outlast its outcome, whatever show waits for", { timeout: 20_000 }, async () => {
  const never = new Promise(() => {});
  await assert.rejects(app.session().login({ openBrowser: false, timeout: 0.5, show: () => never }), { code: "timeout", phase: "login" });
  await assertFree(app.port);
  const session = app.session();
  let page;
  await session.login({
    openBrowser: false,
    show: async (start) => {
      page = app.visit(start);
      // A person who is asked to press Enter when done, and does not.
      await never;
    },
  });
  assert.equal((await page).status, 200);
  assert.equal((await session.token()).generation, 1);
  await assertFree(app.port);
  // What it throws when the login is over is nobody's any more.
  const late = Promise.withResolvers();
  await app.session().login({ openBrowser: false, show: async (start) => (await app.visit(start), late.promise) });
  late.reject(new RangeError("too late"));
  await new Promise(setImmediate);
});

test("login gives up when nobody comes, and says who has the port", async () => {
  await assert.rejects(app.session().login({ openBrowser: false, timeout: 0.1 }), { code: "timeout", phase: "login" });
  await assertFree(app.port);
  const server = await listening(app.port);
  await assert.rejects(app.session().login({ openBrowser: false, show: () => assert.fail("not shown") }), {
    code: "invalid_input",
    field: "redirectUrl",
  });
  await closed(server);
});

test("an aborted login frees its port at once", async () => {
  const stop = new AbortController();
  const reason = new Error("changed my mind");
  const shownOnce = Promise.withResolvers();
  const login = app.session().login({ openBrowser: false, signal: stop.signal, show: shownOnce.resolve });
  await shownOnce.promise;
  await assert.rejects(listening(app.port), { code: "EADDRINUSE" });
  stop.abort(reason);
  await assertFree(app.port);
  await assert.rejects(login, reason);
  await assert.rejects(app.session().login({ openBrowser: false, signal: stop.signal }), reason);
  await app.session().login({ openBrowser: false, show: app.visit });
});

test("deprecated calls give replies, name what is wrong and show nothing", async () => {
  const { account, password, secretApiKey } = broker.accounts.find((one) => one.broker === "samco");
  const session = broker.session("samco", { credentials: samcoLegacy({ userId: account, password, secretApiKey }) });
  const calls = session.samcoLegacy();
  assert.ok(!shown(calls).includes(password));
  assert.equal((await calls.generateOtp()).httpStatus, 200);
  const sent = (await broker.inbox()).at(-1).value;
  assert.equal((await calls.generateSecretKey(sent)).httpStatus, 200);
  assert.equal((await calls.updateIps("8.8.8.8", "8.8.4.4")).httpStatus, 200);
  await assert.rejects(calls.registerIps("10.0.0.1"), { code: "invalid_input", field: "primary" });
  await assert.rejects(calls.updateIps("8.8.8.8", "8.8.8.8"), { code: "invalid_input", field: "secondary" });
  await assert.rejects(calls.generateSecretKey(4711), { code: "invalid_input", field: "otp" });
  await broker.fault("samco", "/otp/generateOtp", { status: 400, body: `you sent ${password} ${secretApiKey}` });
  const { error } = await settled(calls.generateOtp());
  assert.match(error.message, /you sent \*\*redacted\*\* \*\*redacted\*\*/);
  assert.ok(!inspect(error).includes(secretApiKey) && !inspect(error).includes(password));
  const aborted = AbortSignal.abort(new Error("not now"));
  await assert.rejects(calls.generateOtp({ signal: aborted }), { message: "not now" });
});
