// Other HTTP clients with a session's token: every one of them through the same cases.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import test, { after, before, beforeEach } from "node:test";
import { inspect } from "node:util";

import axios from "axios";
import { Agent, Client, request } from "undici";

import { InvalidInputError, PreopenError } from "preopen";
import { attach } from "preopen/axios";
import { createFetch } from "preopen/fetch";
import { Sandbox } from "preopen/sandbox";
import { createInterceptor } from "preopen/undici";

import { CLIENTS } from "./clients.mjs";
import { LOGIN, TEN_O_CLOCK, count, settled, untilSeen } from "./support.mjs";

const LIMITS = "/limit/getLimits";
const ORDER = "/order/placeOrder";
const QUOTES = "/quote/multiQuote";
const JSON_TYPE = { "content-type": "application/json" };
const order = JSON.stringify({
  symbolName: "INFY", exchange: "NSE", transactionType: "BUY", orderType: "L", quantity: "1", price: "1500", orderValidity: "DAY", productType: "CNC",
});

let broker;
let elsewhere;
const strangers = [];
before(async () => {
  broker = await Sandbox.start({ startAt: TEN_O_CLOCK, rate: 0 });
  // A host that must never see a token.
  elsewhere = createServer((request, reply) => {
    strangers.push(request.headers);
    reply.end("{}");
  }).listen(0, "127.0.0.1");
  await once(elsewhere, "listening");
});
after(async () => {
  elsewhere?.close();
  await broker?.stop();
});
beforeEach(() => broker.clearRequests());

const strange = (path = "/") => `http://127.0.0.1:${elsewhere.address().port}${path}`;

/** Another login of the account ends the session, of which nobody is told. */
async function ended(session) {
  const { generation } = await session.token();
  await broker.session("samco").token();
  await broker.clearRequests();
  return generation;
}

/** The error below: clients wrap what their sender threw. */
function ours(error) {
  for (let at = error; at !== undefined && at !== null; at = at.cause) if (at instanceof PreopenError) return at;
  return error;
}

for (const [name, make] of Object.entries(CLIENTS)) {
  /** A session, its client and what its calls begin with. */
  const fresh = (which = "samco", options = {}) => {
    const session = broker.session(which, options);
    return [session, make(session), session.baseUrl];
  };

  test(`${name}: logs in, sends the live token, and renews at the daily end`, async () => {
    const [session, send, base] = fresh();
    const { status, text } = await send("GET", `${base}${LIMITS}?a=b`, { headers: { "x-own": "1", "X-Session-Token": "old" } });
    assert.deepEqual([status, JSON.parse(text).status], [200, "Success"]);
    await broker.clock.advanceTo("08:00 IST");
    assert.equal((await send("GET", base + LIMITS)).status, 200);
    assert.equal((await session.token()).generation, 2);
    const { requests } = await broker.requests({ broker: "samco", path: LIMITS });
    assert.deepEqual(requests.map(({ status }) => status), [200, 200]);
    await broker.clock.set(TEN_O_CLOCK);
  });

  test(`${name}: an expired token costs one login, and a read is sent again`, async () => {
    const [session, send, base] = fresh();
    const generation = await ended(session);
    const { status, text } = await send("GET", base + LIMITS);
    assert.deepEqual([status, JSON.parse(text).status], [200, "Success"]);
    assert.equal((await session.token()).generation, generation + 1);
    assert.deepEqual((await broker.requests({ path: LIMITS })).requests.map(({ status }) => status), [401, 200]);
    assert.equal(await count(broker, "samco", LOGIN.samco), 1);
  });

  test(`${name}: a write is sent once, and the next call has a new token`, async () => {
    const [session, send, base] = fresh();
    const generation = await ended(session);
    const refused = await send("POST", base + ORDER, { body: order, headers: JSON_TYPE });
    assert.equal(refused.status, 401);
    assert.match(refused.text, /Unauthorized/);
    assert.equal(await count(broker, "samco", ORDER), 1);
    assert.equal((await send("POST", base + ORDER, { body: order, headers: JSON_TYPE })).status, 200);
    assert.equal((await session.token()).generation, generation + 1);
    assert.equal(await count(broker, "samco", ORDER), 2);
  });

  test(`${name}: a herd renews once`, async () => {
    const [session, send, base] = fresh();
    const generation = await ended(session);
    const replies = await Promise.all(Array.from({ length: 20 }, () => send("GET", base + LIMITS)));
    assert.ok(replies.every(({ status }) => status === 200));
    assert.equal((await session.token()).generation, generation + 1);
    assert.equal(await count(broker, "samco", LOGIN.samco), 1);
  });

  test(`${name}: a token that is refused when it is new costs no other login`, async () => {
    const [session, send, base] = fresh();
    const { generation } = await session.token();
    const body = { status: "Failure", statusMessage: "Unauthorized - Invalid Token" };
    await broker.fault("samco", LIMITS, { status: 401, body, times: 2 });
    assert.equal((await send("GET", base + LIMITS)).status, 401);
    assert.equal((await session.token()).generation, generation + 1);
    assert.equal(await count(broker, "samco", LIMITS), 2);
  });

  test(`${name}: a POST that reads is sent again unless its body is gone`, async () => {
    const [session, send, base] = fresh();
    await ended(session);
    const body = JSON.stringify({ multiQuoteList: [{ exchange: "NSE", symbolName: "INFY" }] });
    const gone = name === "fetch of a Request" || name === "undici's fetch";
    const { status } = await send("POST", base + QUOTES, { body, headers: JSON_TYPE });
    assert.equal(await count(broker, "samco", QUOTES), gone ? 1 : 2);
    assert.equal(status === 401, gone);
    await ended(session);
    const streamed = await send("POST", base + QUOTES, { stream: body, headers: JSON_TYPE });
    assert.equal(streamed.status, 401);
    assert.equal(await count(broker, "samco", QUOTES), 1);
  });

  test(`${name}: the token goes to the session's host alone, and nothing is sent to another`, async () => {
    const [session, send, base] = fresh();
    const { token } = { token: (await session.token()).expose() };
    await broker.clearRequests();
    const { host } = new URL(base);
    const wrong = {
      [strange(LIMITS)]: "url",
      [`http://localhost:${new URL(base).port}${LIMITS}`]: "url",
      [`https://${host}${LIMITS}`]: "url",
      [`${base}${LOGIN.samco}`]: "path",
      [`${base}${LIMITS}?key=${token}`]: "params",
    };
    for (const [url, field] of Object.entries(wrong)) {
      const error = ours((await settled(send("GET", url))).error ?? (await settled(send("POST", url))).error);
      assert.ok(error instanceof InvalidInputError, `${url}: ${inspect(error)}`);
      assert.ok([field, "url"].includes(error.field), `${url}: ${error.field}`);
      assert.ok(!inspect(error, { depth: null, showHidden: true }).includes(token), url);
    }
    assert.deepEqual([strangers, (await broker.requests({ path: LIMITS })).count], [[], 0]);
  });

  test(`${name}: a Host that is not the URL's is refused before a login`, async () => {
    const [, send, base] = fresh();
    const { host, hostname } = new URL(base);
    // undici's own fetch takes a Host of the caller's out of every request, so that none gets here.
    const wrong = name === "undici's fetch" ? [] : [{ Host: "evil.example" }, { hOST: `${host}.evil.example` }, { host: hostname }];
    for (const headers of wrong) {
      const error = ours((await settled(send("GET", base + LIMITS, { headers }))).error);
      assert.ok(error instanceof InvalidInputError && error.field === "headers", inspect(error));
    }
    assert.equal((await broker.requests()).count, 0);
    assert.equal((await send("GET", base + LIMITS, { headers: { Host: host } })).status, 200);
  });

  test(`${name}: a read that a header makes a write is not sent again`, async () => {
    const [session, send, base] = fresh();
    await ended(session);
    assert.equal((await send("GET", base + LIMITS, { headers: { "X-HTTP-Method-Override": "POST" } })).status, 401);
    assert.equal(await count(broker, "samco", LIMITS), 1);
  });

  test(`${name}: a redirect is not followed`, async () => {
    const [, send, base] = fresh();
    await broker.fault("samco", LIMITS, { redirectTo: strange("/stolen") });
    const { ok, error } = await settled(send("GET", base + LIMITS));
    assert.ok(ok?.status === 307 || ours(error)?.code === "broker_unavailable" || ours(error)?.field === "url", inspect(ok ?? error));
    assert.deepEqual(strangers, []);
  });

  test(`${name}: who gives up is told at once; a login lives on, and an aborted call sends nothing`, async () => {
    const [session, send, base] = fresh();
    assert.ok((await settled(send("GET", base + LIMITS, { signal: AbortSignal.abort(new Error("enough")) }))).error);
    assert.equal((await broker.requests()).count, 0);
    await broker.fault("samco", LOGIN.samco, { delayMs: 300 });
    const controller = new AbortController();
    const waiting = settled(send("GET", base + LIMITS, { signal: controller.signal }));
    await untilSeen(broker, "samco", LOGIN.samco);
    controller.abort(new Error("enough"));
    const late = new Promise((resolve) => setTimeout(resolve, 2000, {}).unref());
    assert.match((await Promise.race([waiting, late])).error?.message, /enough|cancell?ed|abort/i);
    assert.equal((await session.token()).generation, 1);
    assert.deepEqual([await count(broker, "samco", LOGIN.samco), await count(broker, "samco", LIMITS)], [1, 0]);
  });

  test(`${name}: a login that fails is the call's error`, async () => {
    const [, send, base] = fresh("samco", { credentials: broker.samcoCredentials(0, { apiSecret: "wrong" }) });
    const error = ours((await settled(send("GET", base + LIMITS))).error);
    assert.deepEqual([error.code, error.which], ["credentials_rejected", "api_secret"]);
    assert.equal(await count(broker, "samco", LIMITS), 0);
  });
}

test("SmartAPI: its refusals of a token are known, and its own headers are sent", async () => {
  const session = broker.session("angelone");
  const path = "/rest/secure/angelbroking/user/v1/getRMS";
  const body = { success: false, message: "Invalid Token", errorCode: "AG8001", data: "" };
  for (const send of [CLIENTS.fetch(session), CLIENTS.axios(session), CLIENTS.undici(session)]) {
    const { generation } = await session.token();
    await broker.fault("angelone", path, { status: 200, body });
    const { status, text } = await send("GET", session.baseUrl + path);
    assert.deepEqual([status, JSON.parse(text).message], [200, "SUCCESS"]);
    assert.equal((await session.token()).generation, generation + 1);
  }
});

test("fetch: a Response is as it was, and a long or streamed one is not kept waiting", async () => {
  const session = broker.session("samco");
  const fetch = createFetch(session);
  const small = await fetch(new URL(session.baseUrl + LIMITS));
  assert.deepEqual([small.url, small.ok, small.redirected, small.bodyUsed], [session.baseUrl + LIMITS, true, false, false]);
  assert.equal((await small.json()).status, "Success");
  await broker.fault("samco", LIMITS, { bodyKind: "large", size: 400_000 });
  assert.equal((await (await fetch(LIMITS)).arrayBuffer()).byteLength >= 400_000, true);
  // What is no text and no JSON is handed over before it is there.
  await broker.fault("samco", LIMITS, { stall: true, headers: { "content-type": "text/event-stream" } });
  const controller = new AbortController();
  const streamed = await fetch(LIMITS, { signal: controller.signal });
  assert.equal(streamed.status, 200);
  controller.abort();
  await assert.rejects(streamed.text());
  assert.equal((await fetch(LIMITS, { redirect: "manual" })).status, 200);
  await broker.fault("samco", LIMITS, { redirectTo: strange("/stolen") });
  assert.equal((await fetch(LIMITS, { redirect: "manual" })).status, 307);
  for (const path of ["//example.invalid/x", LIMITS.slice(1), ""]) await assert.rejects(fetch(path), { field: "url" });
  await assert.rejects(fetch(LIMITS, { body: "x" }), TypeError);
  await assert.rejects(fetch(LIMITS, { method: "PATCH" }), { field: "method" });
});

test("fetch: bodies keep their own type, and text is JSON unless it says otherwise", async () => {
  const seen = [];
  const session = broker.session("samco");
  const fetch = createFetch(session, { fetch: async (url, init) => new Response(void seen.push([url, new Request(url, init).headers.get("content-type")])) });
  const form = new FormData();
  form.set("a", "b");
  const bodies = ["{}", new URLSearchParams("a=b"), form, new Blob(["x"], { type: "text/csv" }), new Uint8Array(3)];
  for (const body of bodies) await fetch("/some/write", { method: "POST", body });
  await fetch("/some/write", { method: "POST", body: "a,b", headers: { "Content-Type": "text/csv" } });
  await fetch(new Request(`${session.baseUrl}/some/write`, { method: "POST", body: form }));
  const types = seen.map(([, type]) => type.replace(/boundary=.*/, "boundary"));
  const multi = "multipart/form-data; boundary";
  assert.deepEqual(types, ["application/json", "application/x-www-form-urlencoded;charset=UTF-8", multi, "text/csv", "application/json", "text/csv", multi]);
  assert.ok(seen.every(([url]) => url === `${session.baseUrl}/some/write`));
});

test("axios: the session's API is the base, other interceptors and transformations stay, and it can be taken back", async () => {
  const session = broker.session("samco");
  const instance = axios.create({ params: { always: "1" } });
  const order = [];
  instance.interceptors.request.use((config) => (order.push("early"), config));
  const detach = attach(instance, session);
  instance.interceptors.request.use((config) => (order.push("late"), config));
  instance.interceptors.response.use((reply) => (order.push("reply"), reply));
  const { data, config, status } = await instance.get(LIMITS, { params: { b: "2" }, transformResponse: [(text) => JSON.parse(text).status] });
  assert.deepEqual([data, status, config.params, order], ["Success", 200, { always: "1", b: "2" }, ["late", "early", "reply"]]);
  assert.equal((await broker.requests({ path: LIMITS })).requests[0].query, "always=**redacted**&b=**redacted**");
  await broker.fault("samco", LIMITS, { status: 503, body: { status: "Failure" } });
  const { error } = await settled(instance.get(LIMITS));
  assert.deepEqual([error.isAxiosError, error.response.status, error.response.data, error.config.url], [true, 503, { status: "Failure" }, LIMITS]);
  // An interceptor that changes the host finds a closed door, whenever it runs.
  instance.interceptors.request.use((config) => ({ ...config, baseURL: strange() }));
  const moved = axios.create();
  moved.interceptors.request.use((config) => ({ ...config, url: strange(LIMITS) }));
  attach(moved, session);
  for (const one of [instance, moved]) assert.equal((await settled(one.get(LIMITS))).error.field, "url");
  await assert.rejects(moved.get(session.baseUrl + LIMITS, { socketPath: "/tmp/x.sock" }), InvalidInputError);
  detach();
  assert.equal((await instance.get("/")).status, 200);
  assert.equal(strangers.length, 1);
  assert.ok(!JSON.stringify(strangers.pop()).includes((await session.token()).expose()));
  for (const wrong of [undefined, {}, () => undefined]) assert.throws(() => attach(wrong, session), { field: "instance" });
});

test("undici: a dispatcher that does not tell where it goes is refused, one of an origin is not", async () => {
  const session = broker.session("samco");
  const dispatcher = new Agent().compose(createInterceptor(session));
  await assert.rejects(new Promise((_, reject) => dispatcher.dispatch({ path: LIMITS, method: "GET" }, { onResponseError: (_, error) => reject(error) })), { field: "origin" });
  const client = new Client(session.baseUrl);
  const { statusCode, body } = await client.compose(createInterceptor(session)).request({ origin: session.baseUrl, path: LIMITS, method: "GET", query: { a: "b" } });
  assert.equal(statusCode, 200);
  await body.dump();
  await client.close();
  // A path that reads as another host would go to this one; it is refused all the same.
  await assert.rejects(request({ origin: session.baseUrl, path: `//${new URL(strange()).host}/x`, method: "GET" }, { dispatcher }), { field: "path" });
  assert.deepEqual(strangers, []);
});

test("undici: what was asked for is what is sent, whatever becomes of it while a login is under way", async () => {
  const session = broker.session("samco");
  const dispatcher = new Agent().compose(createInterceptor(session));
  const origin = new URL(session.baseUrl);
  const options = { origin, path: LIMITS, method: "GET", query: { a: "b" }, headers: { "x-own": "1" } };
  const sent = dispatcher.request(options);
  origin.port = new URL(strange()).port;
  const { statusCode, body } = await sent;
  await body.dump();
  assert.deepEqual([statusCode, await count(broker, "samco", LIMITS), strangers.splice(0).length], [200, 1, 0]);
});

test("what is no session is refused when it is given", () => {
  for (const wrong of [undefined, null, {}, "session"]) {
    for (const make of [() => createFetch(wrong), () => attach(axios.create(), wrong), () => createInterceptor(wrong)]) assert.throws(make, { field: "session" });
  }
  assert.throws(() => createFetch(broker.session("samco"), { fetch: "fetch" }), { field: "fetch" });
});
