// What calls take with them, and how many there may be: the headers that SmartAPI is told, those of streams, limits.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import test, { after, before } from "node:test";
import { inspect } from "node:util";

import { InvalidInputError, RateLimitedError, Session, angelOne, angelOnePublisher } from "preopen";

import { LOGIN, count, settled, startBroker } from "./support.mjs";

const READ = "/rest/secure/angelbroking/user/v1/getRMS";
const QUOTE = "/quote/getQuote";
const params = { symbolName: "INFY", exchange: "NSE" };
const TOLD = ["x-usertype", "x-sourceid", "x-clientlocalip", "x-clientpublicip", "x-macaddress"];
const own = { apiKey: "a-key", clientCode: "A1", pin: "0000", totpSecret: "JBSWY3DPEHPK3PXPJBSWY3DPEH" };
const app = { apiKey: "a-key", clientCode: "A1" };

let broker;
let server;
let url;
let echo;
const seen = [];
before(async () => {
  broker = await startBroker();
  // A SmartAPI that gives a token with a scheme, and replies without data.
  server = createServer((request, response) => {
    seen.push(request.headers);
    const tokens = { jwtToken: "Bearer the.jwt", refreshToken: "the-refresh", feedToken: "the-feed-token", state: echo };
    const data = request.url === LOGIN.angelone ? tokens : {};
    response.setHeader("content-type", "application/json").end(JSON.stringify({ status: true, message: "SUCCESS", errorcode: "", data }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${server.address().port}`;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await broker.stop();
});

const told = (headers) => TOLD.map((name) => headers[name]);

test("SmartAPI is told what is true of any machine, or what the caller says", async () => {
  seen.length = 0;
  const session = new Session(angelOne(own), { baseUrl: url });
  await session.get(READ);
  for (const headers of seen) {
    assert.deepEqual(told(headers), ["USER", "WEB", "127.0.0.1", "127.0.0.1", "00:00:00:00:00:00"]);
    assert.equal(headers["x-privatekey"], "a-key");
  }
  assert.deepEqual(seen.map(({ authorization }) => authorization), [undefined, "Bearer the.jwt"]);
  seen.length = 0;
  const says = { localIp: "192.168.1.7", publicIp: "203.0.113.9", macAddress: "02:00:5e:10:00:01", userType: "USER", sourceId: "WEB2" };
  await new Session(angelOne({ ...own, ...says }), { baseUrl: url }).token();
  assert.deepEqual(seen.map(told), [["USER", "WEB2", "192.168.1.7", "203.0.113.9", "02:00:5e:10:00:01"]]);

  // The same after a publisher login.
  seen.length = 0;
  const published = new Session(angelOnePublisher({ ...app, ...says }), { baseUrl: url });
  const state = new URL((await published.beginLogin()).url).searchParams.get("state");
  await published.completeLogin(`/callback?auth_token=the.jwt&feed_token=the-feed-token&state=${state}`);
  await published.get(READ);
  // The profile, which tells whose login it was, and the call.
  assert.deepEqual(seen.map(told), Array(2).fill(["USER", "WEB2", "192.168.1.7", "203.0.113.9", "02:00:5e:10:00:01"]));
  assert.deepEqual(seen.map(({ authorization }) => authorization), ["Bearer the.jwt", "Bearer the.jwt"]);
});

test("SmartAPI echoes the state of a login", async () => {
  for (const [echoed, refused] of [[undefined, false], ["mine-1", false], ["another", true]]) {
    echo = echoed;
    const token = new Session(angelOne({ ...own, state: "mine-1" }), { baseUrl: url }).token();
    if (refused) await assert.rejects(token, { name: "MalformedResponseError", message: /another login/ });
    else assert.equal((await token).expose(), "the.jwt");
  }
  echo = undefined;
  assert.throws(() => new Session(angelOne({ ...own, state: "a b" }), { baseUrl: url }), { name: "InvalidInputError", field: "state" });
});

test("what cannot be told is refused before anything is sent", () => {
  seen.length = 0;
  const bad = { localIp: "my host", publicIp: "203.0.113.9\r\nx: 1", macAddress: "02:00:5e", userType: "", sourceId: "W B" };
  for (const [field, value] of Object.entries(bad)) {
    assert.throws(() => new Session(angelOne({ ...own, [field]: value }), { baseUrl: url }), { name: "InvalidInputError", field });
    assert.throws(() => angelOne({ ...own, [field]: 5 }), { name: "InvalidInputError", field });
    assert.throws(() => new Session(angelOnePublisher({ ...app, [field]: value }), { baseUrl: url }), { name: "InvalidInputError", field });
    assert.throws(() => angelOnePublisher({ ...app, [field]: 5 }), { name: "InvalidInputError", field });
  }
  // It makes a state of its own.
  assert.throws(() => angelOnePublisher({ ...app, state: "mine" }), { name: "InvalidInputError", field: "state" });
  assert.equal(seen.length, 0);
});

test("streams get live tokens without a doubled scheme", async () => {
  seen.length = 0;
  const session = new Session(angelOne(own), { baseUrl: url });
  const market = { Authorization: "the.jwt", "x-api-key": "a-key", "x-client-code": "A1", "x-feed-token": "the-feed-token" };
  assert.deepEqual({ ...(await session.streamHeaders()) }, market);
  assert.deepEqual({ ...(await session.streamHeaders({ stream: "smart-stream" })) }, market);
  assert.deepEqual({ ...(await session.streamHeaders({ stream: "smart-order-update" })) }, { Authorization: "Bearer the.jwt" });
  assert.equal(await session.feedToken(), "the-feed-token");
  assert.equal(seen.length, 1);
  assert.doesNotMatch(inspect(session, { depth: null, showHidden: true }), /the-feed-token|the\.jwt/);
});

test("streams follow the session", async () => {
  const session = broker.session("samco");
  const first = await session.streamHeaders();
  const token = await session.token();
  assert.deepEqual(first, { "x-session-token": token.expose() });
  session.invalidate(token.generation);
  const next = await session.streamHeaders();
  assert.deepEqual(next, { "x-session-token": (await session.token()).expose() });
  assert.notDeepEqual(next, first);
  for (const stream of [7, "quotes", null]) {
    const { error } = await settled(session.streamHeaders({ stream }));
    assert.ok(error instanceof InvalidInputError, inspect(error));
    assert.equal(error.field, "stream");
  }
});

test("X3: no secret of the session goes into a URL", async () => {
  const session = broker.session("samco");
  const token = (await session.token()).expose();
  await broker.clearRequests();
  const { apiSecret } = broker.accounts.find(({ broker: name }) => name === "samco");
  const calls = [
    [QUOTE, { params: { token } }, "params"],
    [QUOTE, { params: { x: `a${apiSecret}` } }, "params"],
    [`/x/${token}`, {}, "path"],
  ];
  for (const [path, options, field] of calls) {
    const { error } = await settled(session.get(path, options));
    assert.ok(error instanceof InvalidInputError, inspect(error));
    assert.equal(error.field, field);
    for (const secret of [token, apiSecret]) assert.ok(!inspect(error).includes(secret));
  }
  assert.equal((await broker.requests()).count, 0);
});

test("bad limits are refused by name", () => {
  const bad = [
    5,
    "orders",
    [],
    { orders: 5 },
    { orders: { perDay: 5 } },
    { orders: { per_second: 5 } },
    { orders: { perSecond: 0 } },
    { orders: { perSecond: true } },
    { orders: { perSecond: 1.5 } },
    { orders: { perSecond: NaN } },
    { orders: { perSecond: "5" } },
    { "no such group": { perSecond: 1 } },
  ];
  for (const rateLimits of bad) {
    const made = () => broker.session("samco", { rateLimits });
    assert.throws(made, { name: "InvalidInputError", field: "rateLimits" }, inspect(rateLimits));
  }
  broker.session("samco", { rateLimits: { orders: { perSecond: null, perHour: undefined } } });
});

test("a call without a slot is not sent, and says when there is one", async () => {
  const session = broker.session("samco", { account: 1, rateLimits: { other: { perHour: 1 } } });
  await session.get(QUOTE, { params });
  const before = await count(broker, "samco", QUOTE);
  const { error } = await settled(session.get(QUOTE, { params }));
  assert.ok(error instanceof RateLimitedError, inspect(error));
  assert.ok(error.retryAfter > 3000 && error.retryAfter <= 3600, String(error.retryAfter));
  assert.deepEqual([error.advice, error.adviceSeconds, error.endpoint], ["after", error.retryAfter, `GET ${QUOTE}`]);
  assert.equal(await count(broker, "samco", QUOTE), before);
});
