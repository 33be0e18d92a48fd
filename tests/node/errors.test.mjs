// The errors: one class a code, nothing missing, nothing without a name.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import test from "node:test";

import * as preopen from "preopen";

import { LOGIN, at } from "./support.mjs";

const native = createRequire(import.meta.url)(at("node/native/preopen.node").pathname);
const { PreopenError, Session, angelOne, errorClasses, samco } = preopen;

test("there is a class for every code of Rust, and no other", () => {
  assert.deepEqual(Object.keys(errorClasses), native.errorCatalogue());
  assert.equal(new Set(Object.values(errorClasses)).size, native.errorCatalogue().length);
});

test("every class says its kind and code and is an Error", () => {
  for (const [code, Class] of Object.entries(errorClasses)) {
    const name = `${code.split("_").map((word) => word[0].toUpperCase() + word.slice(1)).join("")}Error`;
    const error = new Class("what happened", { advice: "now", broker: "samco", httpStatus: 503 });
    assert.equal(preopen[name], Class, `${name} is exported`);
    assert.ok(error instanceof PreopenError && error instanceof Error && error instanceof Class);
    assert.deepEqual([error.name, error.code, `${error.kind}Error`], [name, code, name]);
    assert.equal(error.retryable, true);
    assert.equal(String(error), `${name}: samco: what happened [HTTP 503]`);
    assert.ok(error.stack.startsWith(`${name}: what happened`) || error.stack.includes("what happened"));
    assert.equal(new Class("x").retryable, false);
  }
});

function refused(field, make) {
  assert.throws(make, (error) => {
    assert.ok(error instanceof preopen.InvalidInputError, `${field}: ${error}`);
    assert.equal(error.field, field);
    assert.ok(error.message.startsWith(field), error.message);
    return true;
  });
}

test("wrong credentials are refused by name before any I/O", () => {
  const account = { apiKey: "key", clientCode: "A1", pin: "0000", totpSecret: "JBSWY3DPEHPK3PXPJBSWY3DPEH" };
  for (const field of Object.keys(account)) {
    refused(field, () => angelOne({ ...account, [field]: 7 }));
    refused(field, () => new Session(angelOne({ ...account, [field]: "" })));
  }
  refused("apiSecret", () => samco({ apiKey: "key" }));
  refused("apiSecert", () => samco({ apiKey: "key", apiSecert: "x" }));
  refused("credentials", () => samco());
  refused("credentials", () => new Session());
  refused("credentials", () => new Session({ apiKey: "key", apiSecret: "secret" }));
});

test("wrong options are refused by name before any I/O", async () => {
  const credentials = samco({ apiKey: "key", apiSecret: "secret" });
  const wrong = {
    baseUrl: ["nonsense", "https://evil.example", "http://tradeapi.samco.in", 7],
    timeout: [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e9, "10"],
    ipVersion: [5, "4"],
    sourceIp: ["here", 7],
    proxy: ["socks5://127.0.0.1", 7],
    caFile: [7],
    allowedHosts: ["host", [7]],
    store: ["files", 7],
    baseURL: ["http://127.0.0.1:1"],
  };
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) refused(field, () => new Session(credentials, { [field]: value }));
  }
  refused("options", () => new Session(credentials, null));
  refused("generation", () => new Session(credentials).invalidate("1"));
  const session = new Session(credentials, { baseUrl: "http://127.0.0.1:9" });
  const calls = {
    path: [
      ...["/logout", "/Logout/", "/%6cogout"].map((path) => () => session.delete(path)),
      ...["/session/token", "/Session/Token/", "/session/%74oken", "/session/./token"].map((path) => () => session.post(path)),
      () => session.get(7),
      () => session.get("quote"),
      () => session.get("//evil.example/x"),
    ],
    "params.a": [() => session.get("/x", { params: { a: {} } }), () => session.get("/x", { params: { a: [null] } })],
    params: [() => session.get("/x", { params: [] })],
    json: [() => session.post("/x", { json: () => 1 }), () => session.post("/x", { json: 1n })],
    "headers.a": [() => session.get("/x", { headers: { a: 1 } })],
    headers: [() => session.get("/x", { headers: { "x-session-token": "other" } })],
    replaySafe: [() => session.post("/x", { replaySafe: "yes" })],
    timeout: [() => session.get("/x", { timeout: "1" }), () => session.get("/x", { timeout: 0 })],
    signal: [() => session.get("/x", { signal: {} }), () => session.token({ signal: 1 })],
    retries: [() => session.get("/x", { retries: 3 })],
  };
  for (const [field, attempts] of Object.entries(calls)) {
    for (const attempt of attempts) {
      const promise = attempt();
      await assert.rejects(promise, { name: "InvalidInputError", field }, `${field}: ${attempt}`);
    }
  }
});

const COMPLEX = { a: [1, { price: Number.NaN }] };
const LOOP = {};
LOOP.self = LOOP;
const DEEP = {};
for (let n = 0, at = DEEP; n < 100_000; n += 1) at = at.a = {};

/** Bodies that cannot be written as they are, and what the message says. */
const BODIES = [
  [Number.NaN, /: json is NaN/],
  [{ price: Number.NaN }, /: json\.price is NaN/],
  [{ price: new Number(Number.NaN) }, /: json\.price is NaN/],
  [{ legs: [{ price: 1 }, { price: -Infinity }] }, /: json\.legs\[1\]\.price is -Infinity/],
  [{ first: { price: 1 }, second: COMPLEX, "a b": 1 }, /: json\.second\.a\[1\]\.price is NaN/],
  [{ "a b": { c: Number.NaN } }, /: json\["a b"\]\.c is NaN/],
  [{ twice: [LOOP.none, 1] }, /: json\.twice\[0\] is undefined/],
  [[, 1], /: json\[0\] is undefined/],
  [new Map([["a", 1]]), /: json is a Map/],
  [{ a: new Map() }, /: json\.a is a Map/],
  [{ a: { b: new Set([1]) } }, /: json\.a\.b is a Set/],
  [{ a: Promise.resolve(1) }, /: json\.a is a Promise/],
  [{ a: /x/ }, /: json\.a is a RegExp/],
  [{ a: new Uint8Array(2) }, /: json\.a is a Uint8Array/],
  [{ a: 1n }, /: json\.a is a bigint/],
  [{ a: Object(1n) }, /: json\.a is a bigint/],
  [{ a: () => 1 }, /: json\.a is a function/],
  [() => 1, /: json is a function/],
  [{ a: Symbol("s") }, /: json\.a is a symbol/],
  [{ a: "CANARY\ud800" }, /: json\.a is text that is not valid Unicode$/],
  [{ a: { "\ud800": 1 } }, /: json\.a\["\\ud800"\] has a key that is not valid Unicode/],
  [{ at: new Date(Number.NaN) }, /: json\.at is an invalid Date/],
  [LOOP, /: it contains itself$/],
  [DEEP, /: it is nested too deeply$/],
  [{ toJSON: () => { throw new Error("no"); } }, /: a toJSON failed: no$/],
  [{ toJSON: () => undefined }, /: json is undefined/],
];

test("a body that JSON would change without a word is refused, naming the key", async () => {
  const session = new Session(samco({ apiKey: "key", apiSecret: "secret" }), { baseUrl: "http://127.0.0.1:9" });
  for (const [json, message] of BODIES) {
    await assert.rejects(session.post("/order/placeOrder", { json }), (error) => {
      assert.ok(error instanceof preopen.InvalidInputError, String(error));
      assert.equal(error.field, "json");
      assert.match(error.message, message);
      assert.match(error.message, /^json cannot be written as JSON: /);
      assert.ok(error.message.length <= 512 && !error.message.includes("CANARY"), error.message);
      return true;
    });
  }
});

test("a body that JSON has is sent as JSON.stringify writes it", async (t) => {
  let sent;
  const server = createServer(async (request, reply) => {
    const body = await text(request);
    if (request.url === LOGIN.samco) return reply.end('{"status":"Success","sessionToken":"token","accountID":"M1"}');
    sent = body;
    return reply.end('{"status":"Success"}');
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const session = new Session(samco({ apiKey: "key", apiSecret: "secret" }), { baseUrl: `http://127.0.0.1:${server.address().port}` });
  class Order {
    price = 1.5;
    #hidden = 2;
    get twice() { return this.#hidden; }
  }
  const shared = { a: [] };
  for (const body of [
    null, false, 0, -0, 1e21, "", "₹📈", [], {}, [null, [[]]], { left: undefined, kept: null }, new Order(), [shared, shared, { shared }],
    { at: new Date(0) }, Object.assign(Object.create(null), { a: 1 }), [new String("a"), new Number(1), new Boolean(false)],
    { toJSON: () => [1] }, { "a b": 1, "": 2 }, { "": { "": [1] } },
  ]) {
    await session.post("/quote/multiQuote", { json: body });
    assert.equal(sent, JSON.stringify(body));
  }
});

test("text and numbers that cannot be sent as they are are refused by name", async () => {
  const credentials = samco({ apiKey: "key", apiSecret: "secret" });
  const half = "CANARY\ud800";
  const account = { apiKey: "key", clientCode: "A1", pin: "0000", totpSecret: "JBSWY3DPEHPK3PXPJBSWY3DPEH" };
  for (const field of Object.keys(account)) refused(field, () => angelOne({ ...account, [field]: half }));
  refused("apiKey", () => samco({ apiKey: half, apiSecret: "x" }));
  refused("baseUrl", () => new Session(credentials, { baseUrl: half }));
  refused("options", () => new Session(credentials, new Map([["timeout", 1]])));
  const session = new Session(credentials, { baseUrl: "http://127.0.0.1:9" });
  const calls = [
    ["params.a", { params: { a: Number.NaN } }],
    ["params.a", { params: { a: [1, Infinity] } }],
    ["params.a", { params: { a: half } }],
    ["params", { params: { [half]: "a" } }],
    ["params", { params: new Map([["a", "b"]]) }],
    ["params", { params: new Set(["a"]) }],
    ["headers.a", { headers: { a: half } }],
    ["headers", { headers: new Map([["a", "b"]]) }],
    ["headers", { headers: new Headers({ a: "b" }) }],
  ];
  for (const [field, options] of calls) {
    await assert.rejects(session.get("/x", options), (error) => {
      assert.equal(error.name, "InvalidInputError", String(error));
      assert.equal(error.field, field);
      return true;
    });
  }
  await assert.rejects(session.get(`/${half}`), { name: "InvalidInputError", field: "path" });
});

test("a timeout in milliseconds is told that it is in seconds", async () => {
  const credentials = samco({ apiKey: "key", apiSecret: "secret" });
  const told = { name: "InvalidInputError", field: "timeout", message: "timeout must be at most 600: it is in seconds, not milliseconds" };
  assert.throws(() => new Session(credentials, { timeout: 5000 }), told);
  await assert.rejects(new Session(credentials).get("/x", { timeout: 600.5 }), told);
  new Session(credentials, { timeout: 600 });
});

test("the environment is read where it is asked for, and names what is missing", () => {
  const before = { ...process.env };
  try {
    delete process.env.SAMCO_API_SECRET;
    process.env.SAMCO_API_KEY = "key";
    refused("SAMCO_API_SECRET", () => samco.fromEnv());
    process.env.SAMCO_API_SECRET = "secret";
    assert.equal(new Session(samco.fromEnv()).broker, "samco");
    refused("ANGELONE_API_KEY", () => angelOne.fromEnv());
  } finally {
    for (const name of ["SAMCO_API_KEY", "SAMCO_API_SECRET"]) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
});
