// The errors: one class a code, nothing missing, nothing without a name.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";

import * as preopen from "preopen";

import { at } from "./support.mjs";

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
    store: ["file"],
    baseURL: ["http://127.0.0.1:1"],
  };
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) refused(field, () => new Session(credentials, { [field]: value }));
  }
  refused("options", () => new Session(credentials, null));
  refused("generation", () => new Session(credentials).invalidate("1"));
  const session = new Session(credentials, { baseUrl: "http://127.0.0.1:9" });
  const calls = {
    path: [() => session.get(7), () => session.get("quote"), () => session.get("//evil.example/x")],
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
