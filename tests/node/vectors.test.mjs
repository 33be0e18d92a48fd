// Every vector of tests/vectors: the embedded broker answers with it, and the session must make of it what it says.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { after, before } from "node:test";
import { inspect } from "node:util";

import { Sandbox } from "preopen/sandbox";

import { LOGIN, TEN_O_CLOCK, assertHas, at, camel, cases, errorFields, settled } from "./support.mjs";

const PATHS = {
  samco: { login: LOGIN.samco, whoami: "/ip/whoami" },
  angelone: { login: LOGIN.angelone, profile: "/rest/secure/angelbroking/user/v1/getProfile" },
};

let broker;
before(async () => {
  broker = await Sandbox.start();
  await broker.clock.set(TEN_O_CLOCK);
  // Fast, so that waiting for the next one-time code takes no time.
  await broker.clock.setRate(200);
});
after(() => broker.stop());

function fault({ status, content_type, retry_after, body, text }) {
  const headers = {};
  if (content_type) headers["content-type"] = content_type;
  if (retry_after) headers["retry-after"] = String(retry_after);
  return { status, headers, body: text ?? JSON.stringify(body), times: 10 };
}

/** Makes the call of a vector. */
async function answer(session, call) {
  if (call === "login") {
    const token = await session.token();
    const { accountId } = session.broker === "samco" ? await session.profile() : {};
    return { token: token.expose(), accountId };
  }
  if (call === "whoami" || call === "profile") return session[call]();
  const [method, path] = call.split(" ");
  return session[method.toLowerCase()](path, { json: method === "POST" ? {} : undefined });
}

async function run(name, vector) {
  const session = broker.session(name);
  if (vector.call !== "login") await session.token();
  const path = vector.call.includes(" ") ? vector.call.split(" ")[1] : PATHS[name][vector.call];
  await broker.fault(name, path, fault(vector.reply));
  try {
    const { ok, error } = await settled(answer(session, vector.call));
    if (vector.expect.error) {
      assert.ok(error, "must fail");
      assertHas(errorFields(error), vector.expect.error, "error");
    } else {
      if (error) throw error;
      const { source_ip, primary_ip, secondary_ip, rejections, ...login } = vector.expect.ok;
      const { rejections: _, ...fields } = vector.expect.ok;
      assertHas(ok, camel(vector.call === "login" ? login : fields), "ok");
      if (rejections) {
        const found = ok.rejections.map(({ at, orderId, reason }) => ({ at, order_id: orderId ?? null, reason }));
        assert.deepEqual(found, rejections);
      }
      if (vector.call.includes(" ")) {
        const { body, text } = vector.reply;
        assert.deepEqual(JSON.parse(ok.text), body ?? JSON.parse(text));
      }
    }
  } finally {
    await broker.clearFaults();
    // After a rate limit the account's calls pause.
    session.reset();
  }
}

for (const name of ["samco", "angelone"]) {
  const vectors = cases(`tests/vectors/${name}`);
  assert.ok(vectors.length >= (name === "samco" ? 150 : 120));
  for (const [title, vector] of vectors) test(`${name}/${title}`, () => run(name, vector));
}

test("numbers are reachable as they were sent", async () => {
  const { reply: sent } = JSON.parse(readFileSync(at("tests/vectors/samco/envelope-numbers.json"), "utf8"));
  const session = broker.session("samco");
  await session.token();
  await broker.fault("samco", "/quote/getQuote", fault(sent));
  const reply = await session.get("/quote/getQuote");
  await broker.clearFaults();
  const exact = (key, value, { source }) => (typeof value === "number" ? source : value);
  const { quoteDetails } = JSON.parse(reply.text, exact);
  assert.equal(quoteDetails.id, "9007199254740993");
  assert.notEqual(String(reply.data.quoteDetails.id), "9007199254740993", "JavaScript has no such number");
  assert.equal(quoteDetails.price, "1550.2500");
  assert.equal(quoteDetails.volume, "1.20e3");
  // It is there when it is asked for, and shown nowhere.
  assert.ok(!inspect(reply).includes("9007199254740993"));
  assert.ok(!JSON.stringify(reply).includes("9007199254740993"));
});

test("data is what is in the text, an ordinary property", async () => {
  const session = broker.session("samco");
  await session.token();
  const payload = '"b":[],"a":{"y":1,"x":2,"y":3},"\\u00e9":"\\ud83d\\ude00","status ":null,"__proto__":{"x":1},"data":{}';
  const body = `{"status":"Success","msgId":"m",${payload},"serverTime":"","statusMessage":"said"}`;
  await broker.fault("samco", "/indexData", { status: 200, body, times: 1 });
  const reply = await session.get("/indexData");
  await broker.clearFaults();
  const data = JSON.parse(`{${payload}}`);
  assert.equal(JSON.stringify(reply.data), JSON.stringify(data));
  assert.deepEqual(Object.getOwnPropertyDescriptor(reply, "data"), {
    value: data,
    writable: true,
    enumerable: true,
    configurable: true,
  });
  assert.equal(Object.getPrototypeOf(reply.data), Object.prototype);
  assert.deepEqual(structuredClone(reply).data, data);
  assert.match(inspect(reply), /data: \{[^]*message: 'said'/);
});
