// A canary in every credential and token: no rendering of anything that a program holds shows it (X1).

import assert from "node:assert/strict";
import { Console } from "node:console";
import { PassThrough } from "node:stream";
import test, { after, before } from "node:test";
import { format, inspect } from "node:util";
import { serialize } from "node:v8";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";

import axios from "axios";
import { Agent, interceptors, request } from "undici";

import { Session, angelOne, errorClasses, generateKey, samco } from "preopen";
import { attach } from "preopen/axios";
import { createFetch } from "preopen/fetch";
import { createInterceptor } from "preopen/undici";

import { LOGIN, childEnvironment, runChild, settled, startBroker } from "./support.mjs";

const KEY = "CANARY-key-0123456789";
const SECRET = "CANARY-secret-0123456789012345678901234567890";
const TOKEN = "CANARY-token-0123456789";
const TOTP = "CANARYCANARYCANARYCANARYCANARYCA";
const QUOTE = "/quote/getQuote";
const ORDER = "/order/placeOrder";
const DATA = "/rest/secure/angelbroking/user/v1/getRMS";

let broker;
before(async () => {
  broker = await startBroker();
});
after(() => broker.stop());

/** Every name and value that can be reached from a value by its own properties and those of its classes. */
function walk(value, seen = new Set(), depth = 0) {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return [String(value)];
  if (seen.has(value) || depth > 6) return [];
  seen.add(value);
  const found = [];
  for (let from = value; from !== null && ![Object, Function, Error, Array].some(({ prototype }) => prototype === from); from = Object.getPrototypeOf(from)) {
    for (const key of [...Object.getOwnPropertyNames(from), ...Object.getOwnPropertySymbols(from)]) {
      found.push(String(key));
      try {
        // Reading runs getters on the value itself, as a debugger does.
        found.push(...walk(Reflect.get(from, key, value), seen, depth + 1));
      } catch (error) {
        found.push(inspect(error));
      }
    }
  }
  for (const [name, inner] of Object.entries(value)) found.push(name, ...walk(inner, seen, depth + 1));
  return found;
}

/** What a console writes. */
function printed(value) {
  const stream = new PassThrough();
  const console = new Console(stream);
  console.log(value);
  console.error("%s %o %O %j", value, value, value, value);
  console.dir(value, { depth: null, showHidden: true });
  console.table([value]);
  return String(stream.read());
}

/** What another thread gets. */
function posted(value) {
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(value);
    return inspect(receiveMessageOnPort(port2)?.message, { depth: null, showHidden: true, getters: true });
  } finally {
    port1.close();
  }
}

/** Every way in which a program shows or copies a value. Copying may be refused. */
function renderings(value) {
  const shown = [
    inspect(value),
    inspect(value, { depth: null, showHidden: true, getters: true }),
    inspect(value, { depth: null, showHidden: true, customInspect: false, showProxy: true }),
    inspect(value, { depth: null, showHidden: true, customInspect: false, getters: true }),
    inspect({ nested: [value], map: new Map([[value, value]]), set: new Set([value]) }, { depth: null }),
    format("%s %o %O %j", value, value, value, value),
    String(value),
    `${value}`,
    JSON.stringify({ value }),
    JSON.stringify(value, Object.getOwnPropertyNames(value)),
    inspect(Object.entries(value)),
    inspect(Object.getOwnPropertyDescriptors(value), { depth: null }),
    inspect({ ...value }, { depth: null }),
    inspect(Object.assign(Object.create(null), value), { depth: null, showHidden: true }),
    inspect(Reflect.ownKeys(value)),
    walk(value).join("\n"),
    printed(value),
  ];
  for (const copy of [() => inspect(structuredClone(value), { depth: null, showHidden: true }), () => serialize(value).toString("latin1"), () => posted(value)]) {
    try {
      shown.push(copy());
    } catch (error) {
      shown.push(inspect(error));
    }
  }
  if (value instanceof Error) {
    shown.push(value.stack, value.message);
    if (value.cause !== undefined) shown.push(...renderings(value.cause));
  }
  return shown;
}

const secrets = [];

function assertHidden(value, what) {
  for (const text of renderings(value)) {
    assert.ok(!/CANARY/i.test(text), `${what} shows a secret: ${text}`);
    for (const secret of secrets) assert.ok(!text.includes(secret), `${what} shows a secret: ${text}`);
  }
}

test("the harness finds a secret wherever it may hide", () => {
  class Leak {
    #hidden = TOKEN;
    get value() {
      return this.#hidden;
    }
  }
  const symbol = { [Symbol(TOKEN)]: 1 };
  const hidden = Object.defineProperty({}, "secret", { value: TOKEN, enumerable: false });
  const caused = new Error("x", { cause: new Error("y", { cause: { TOKEN } }) });
  const leaks = [{ TOKEN }, new Leak(), symbol, hidden, caused, new Error(TOKEN), Object.assign(new Error("x"), { TOKEN })];
  for (const leak of leaks) assert.throws(() => assertHidden(leak, "it"), /shows a secret/, inspect(leak));
});

function reply(body) {
  return { status: 200, body: { serverTime: "23/11/26 10:00:00", status: "Success", ...body } };
}

/** A session whose credentials and token are canaries. */
async function samcoSession() {
  const credentials = samco({ apiKey: KEY, apiSecret: SECRET });
  assertHidden(credentials, "samco credentials");
  const session = broker.session("samco", { credentials, timeout: 0.5 });
  await broker.fault("samco", LOGIN.samco, { ...reply({ sessionToken: TOKEN, accountID: "SBX1" }), times: 20 });
  return session;
}

test("credentials, sessions, tokens and states show nothing", async () => {
  const session = await samcoSession();
  assertHidden(session, "a session that never logged in");
  const token = await session.token();
  assert.equal(token.expose(), TOKEN);
  await session.headers();
  await session.token();
  assertHidden(token, "a token");
  assertHidden(session, "a session");
  assertHidden(session.state(), "a state");
  assert.equal(JSON.stringify(token), JSON.stringify({ token: "**redacted**", expiresAt: token.expiresAt, generation: 1 }));
  assert.deepEqual(Object.keys(token), []);
  const account = angelOne({ apiKey: KEY, clientCode: "A1", pin: "4711", totpSecret: TOTP });
  assertHidden(account, "angelone credentials");
  assertHidden(new Session(account), "an angelone session");
  await broker.clearFaults();
});

test("a token is shown by expose(), headers() and exportExposed() only", async () => {
  try {
    const session = await samcoSession();
    const events = session.events();
    assert.equal((await session.token()).expose(), TOKEN);
    assert.equal((await session.headers())["x-session-token"], TOKEN);
    assert.equal(JSON.parse(await session.exportExposed()).tokens[0][1], TOKEN);
    const key = generateKey();
    secrets.push(key);
    const record = await session.export({ key });
    assertHidden({ record }, "a sealed session");
    for (const part of record.split(".")) assert.ok(!/CANARY/i.test(Buffer.from(part, "base64url").toString("latin1")), "sealed");
    const { value } = await events.next();
    assert.equal(value.name, "renewed");
    assertHidden(value, "an event");
    assertHidden(events, "a listener");
    const exposed = await session.exportExposed();
    const { error } = await settled((async () => broker.session("samco").prime(exposed))());
    assertHidden(error, "the refusal of a record of another account");
    const broken = await settled((async () => session.prime(exposed.slice(0, -1)))());
    assertHidden(broken.error, "the refusal of a damaged record");
    assertHidden((await settled(session.export({ key: `${key}x` }))).error, "the refusal of a key");
    assertHidden(session, "an exported session");
  } finally {
    secrets.length = 0;
    await broker.clearFaults();
  }
});

test("credentials and sessions with callbacks show nothing of what they gave", async () => {
  try {
    await broker.fault("samco", LOGIN.samco, { ...reply({ sessionToken: TOKEN, accountID: "SBX1" }), times: 20 });
    const credentials = samco({ apiKey: KEY, apiSecret: async () => SECRET });
    const session = broker.session("samco", { credentials });
    const events = session.events();
    assertHidden(credentials, "credentials with a callback");
    assertHidden(session, "a session with a callback");
    await session.token();
    assertHidden(credentials, "credentials whose callback answered");
    assertHidden(session, "a session whose callback answered");
    await broker.clearFaults();
    await broker.fault("samco", LOGIN.samco, { status: 401, body: { status: "Failure", errorCode: "EOAUTH008", statusMessage: `you sent ${KEY} ${SECRET}` }, times: 5 });
    session.invalidate(1);
    const { error } = await settled(session.token());
    assert.equal(error?.code, "credentials_rejected", inspect(error));
    assertHidden(error, "a refusal of what a callback gave");
    for (const name of ["renewed", "expired", "blocked"]) {
      const { value } = await events.next();
      assert.equal(value.name, name);
      assertHidden(value, `the event ${name}`);
    }
    const account = { apiKey: KEY, clientCode: "A1", pin: () => "CANARY", totp: () => "CANARY" };
    assertHidden(angelOne(account), "angelone credentials with callbacks");
    const refused = await settled(broker.session("angelone", { credentials: broker.angeloneCredentials(0, { pin: account.pin }) }).token());
    assert.equal(refused.error?.field, "pin", inspect(refused));
    assertHidden(refused.error, "the refusal of an answer");
  } finally {
    await broker.clearFaults();
  }
});

test("what other HTTP clients give shows nothing when it is printed", async () => {
  const session = await samcoSession();
  const instance = axios.create();
  attach(instance, session);
  const fetch = createFetch(session);
  const dispatcher = new Agent().compose(createInterceptor(session), interceptors.responseError());
  const url = `${session.baseUrl}/limit/getLimits`;
  assertHidden(fetch, "a fetch");
  try {
    await broker.fault("samco", "/limit/getLimits", { status: 200, body: { status: "Success" }, times: 3 });
    const given = [await fetch(url), await instance.get(url), await request(url, { dispatcher })];
    await broker.clearFaults();
    // The canary is no token that the broker knows, and it is given out again and again.
    await broker.fault("samco", LOGIN.samco, { ...reply({ sessionToken: TOKEN, accountID: "SBX1" }), times: 20 });
    for (const call of [() => instance.get(url), () => instance.post(`${session.baseUrl}${ORDER}`, {}), () => request(url, { dispatcher })]) {
      const { error } = await settled(call());
      assert.equal(error?.response?.status ?? error?.statusCode, 401, inspect(error));
      given.push(error, error.cause, ...(error.toJSON ? [error.toJSON()] : []));
    }
    const elsewhere = await settled(instance.get("http://127.0.0.1:9/"));
    given.push(await fetch(url), elsewhere.error);
    for (const value of given) {
      const shown = [inspect(value, { depth: null }), String(value), inspect({ ...value }, { depth: null })];
      for (const text of shown) assert.ok(!/CANARY/i.test(text), text);
    }
  } finally {
    await broker.clearFaults();
  }
});

test("no class of errors adds anything to what it was given", () => {
  for (const [code, Class] of Object.entries(errorClasses)) {
    const error = new Class("what happened", { broker: "samco", cause: new Error("why") });
    assertHidden(error, code);
    assert.deepEqual(Object.keys(error).sort(), ["advice", "broker", "code"], code);
  }
});

for (const mode of ["unhandled", "uncaught", "printed", "environment", "report", "posted"]) {
  test(`a process shows nothing: ${mode}`, async () => {
    await broker.fault("samco", LOGIN.samco, { ...reply({ sessionToken: TOKEN, accountID: "SBX1" }), times: 20 });
    // What the callback gave is forgotten by then: it went with the login, and only there can it be echoed.
    await broker.fault("samco", QUOTE, { status: 400, body: { status: "Failure", statusMessage: `you sent ${KEY} ${TOKEN}` }, times: 5 });
    try {
      const env = { ...childEnvironment(broker), PREOPEN_TEST_KEY: undefined, PREOPEN_TEST_SECRET: undefined };
      const { code, out, err } = await runChild("show.mjs", [mode], { env, stdin: JSON.stringify({ KEY, SECRET }) });
      assert.equal(code, ["unhandled", "uncaught"].includes(mode) ? 1 : 0, err);
      assert.ok(`${out}${err}`.length > 100, "something is shown");
      assert.ok(!/CANARY/i.test(`${out}${err}`), `${mode} shows a secret: ${out}${err}`);
    } finally {
      await broker.clearFaults();
    }
  });
}

/** What a broker might say, with everything that it was sent echoed. */
const ECHO = `you sent ${KEY} ${SECRET} ${TOKEN}`;
const refusal = (status, text = ECHO) => ({ status, body: { status: "Failure", statusMessage: text }, times: 5 });

const SAMCO = {
  static_ip_mismatch: [QUOTE, refusal(403, `The IP is not the registered static IP ${ECHO}`)],
  account_action_required: [QUOTE, refusal(403, `User account is blocked ${ECHO}`)],
  rate_limited: [QUOTE, refusal(429)],
  broker_unavailable: [QUOTE, refusal(503)],
  broker_rejected: [QUOTE, refusal(400)],
  malformed_response: [QUOTE, { body: `{"cut": "${ECHO}`, status: 200, times: 5 }],
  session_expired: [ORDER, refusal(401)],
  timeout: [QUOTE, { stall: "before", times: 5 }],
  network: [QUOTE, { reset: "before", times: 5 }],
  outcome_unknown: [ORDER, { ...refusal(503), times: 5 }],
};

for (const [code, [path, spec]] of Object.entries(SAMCO)) {
  test(`${code} shows nothing of what the broker echoes`, async () => {
    const session = await samcoSession();
    try {
      await session.token();
      await broker.fault("samco", path, spec);
      const call = path === ORDER ? session.post(path, { json: { echo: SECRET } }) : session.get(path);
      const { error } = await settled(call);
      assert.equal(error?.code, code, inspect(error));
      assertHidden(error, code);
    } finally {
      await broker.clearFaults();
      // After a rate limit the account's calls pause.
      session.reset();
    }
  });
}

test("credentials_rejected and login_required show nothing", async () => {
  try {
    const session = await samcoSession();
    await broker.clearFaults();
    await broker.fault("samco", LOGIN.samco, { status: 401, body: { status: "Failure", errorCode: "EOAUTH008", statusMessage: `you sent ${KEY} ${SECRET}` } });
    const { error } = await settled(session.token());
    assert.equal(error?.code, "credentials_rejected", inspect(error));
    assertHidden(error, "credentials_rejected");
    assertHidden(session.state(), "a blocked state");

    const angel = broker.session("angelone");
    const { error: refused } = await settled(
      (async () => {
        const canary = (await angel.token()).expose();
        await broker.fault("angelone", DATA, { status: 200, body: { status: false, message: `Invalid Refresh Token ${canary}`, errorcode: "AB8050", data: null }, times: 5 });
        await angel.get(DATA).catch((error) => {
          for (const text of renderings(error)) assert.ok(!text.includes(canary), text);
          throw error;
        });
      })(),
    );
    assert.equal(refused?.code, "login_required", inspect(refused));
  } finally {
    await broker.clearFaults();
  }
});

test("invalid_input shows nothing", async () => {
  for (const make of [
    () => new Session(samco({ apiKey: KEY, apiSecret: "" })),
    () => samco({ apiKey: KEY, apiSecret: { SECRET } }),
    () => new Session(angelOne({ apiKey: KEY, clientCode: "A1", pin: "CANARY", totpSecret: TOTP })),
    () => new Session(angelOne({ apiKey: KEY, clientCode: "A1", pin: "4711", totpSecret: "CANARY-0189" })),
  ]) {
    const { error } = await settled((async () => make())());
    assert.equal(error?.code, "invalid_input", inspect(error));
    assertHidden(error, "invalid_input");
  }
});
