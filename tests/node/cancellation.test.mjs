// Callers that give up: they are told at once, the login lives on, a write is not repeated, nothing is left behind.

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import test, { after, before } from "node:test";

import { generateKey } from "preopen";
import { Sandbox } from "preopen/sandbox";

import { LOGIN, count, settled, until, untilSeen } from "./support.mjs";

const QUOTE = "/quote/getQuote";
const ORDER = "/order/placeOrder";
const PROFILE = "/rest/secure/angelbroking/user/v1/getProfile";
const params = { symbolName: "INFY", exchange: "NSE" };
const key = generateKey();

/** Every call that waits, and where. */
const CALLS = {
  token: ["samco", LOGIN.samco, (session, signal) => session.token({ signal })],
  headers: ["samco", LOGIN.samco, (session, signal) => session.headers({ signal })],
  streamHeaders: ["samco", LOGIN.samco, (session, signal) => session.streamHeaders({ signal })],
  feedToken: ["angelone", LOGIN.angelone, (session, signal) => session.feedToken({ signal })],
  export: ["samco", LOGIN.samco, (session, signal) => session.export({ key, signal })],
  exportExposed: ["samco", LOGIN.samco, (session, signal) => session.exportExposed({ signal })],
  "profile of the login": ["samco", LOGIN.samco, (session, signal) => session.profile({ signal })],
  profile: ["angelone", PROFILE, (session, signal) => session.profile({ signal })],
  preflight: ["samco", "/ip/whoami", (session, signal) => session.preflight({ signal })],
  "preflight of a login": ["samco", LOGIN.samco, (session, signal) => session.preflight({ signal })],
  login: ["samco", LOGIN.samco, (session, signal) => session.login({ signal })],
  webLoginCode: ["samco", "/webSecretCode", (session, signal) => session.webLoginCode({ signal })],
  whoami: ["samco", "/ip/whoami", (session, signal) => session.whoami({ signal })],
  get: ["samco", QUOTE, (session, signal) => session.get(QUOTE, { params, signal })],
  post: ["samco", ORDER, (session, signal) => session.post(ORDER, { json: { symbolName: "INFY" }, signal })],
  put: ["samco", "/order/modifyOrder/1", (session, signal) => session.put("/order/modifyOrder/1", { json: {}, signal })],
  delete: ["samco", "/order/cancelOrder", (session, signal) => session.delete("/order/cancelOrder", { signal })],
  logout: ["samco", "/logout", (session, signal) => session.logout({ signal })],
};

let broker;
before(async () => {
  broker = await Sandbox.start();
});
after(() => broker.stop());

/** Aborts a call: it must reject with the reason at once, whatever it waits for. */
async function aborted(call, controller) {
  const reason = new Error("enough");
  controller.abort(reason);
  const late = new Promise((resolve) => setTimeout(resolve, 2000, { error: "too late" }).unref());
  assert.equal((await Promise.race([settled(call), late])).error, reason);
  assert.deepEqual(getEventListeners(controller.signal, "abort"), []);
}

for (const [title, [name, path, call]] of Object.entries(CALLS)) {
  test(`${title} can be given up`, async () => {
    await broker.clearRequests();
    const login = path === LOGIN[name];
    // A logout goes on without its caller, and no login starts before it is over.
    const session = broker.session(name, { timeout: title === "logout" ? 2 : 60 });
    if (!login) await session.token();
    await broker.fault(name, path, login ? { delayMs: 1000 } : { stall: "before" });
    const controller = new AbortController();
    const waiting = call(session, controller.signal);
    await untilSeen(broker, name, path);
    await aborted(waiting, controller);
    // The login lives on, and a call of one's own is not sent by anybody else.
    const again = title === "logout" ? 2 : 1;
    assert.equal((await session.token()).generation, again);
    assert.equal(await count(broker, name, path), 1);
    assert.equal(await count(broker, name, LOGIN[name]), again);
  });
}

test("a write that was given up is not repeated", async () => {
  await broker.clearRequests();
  const session = broker.session("samco", { timeout: 60 });
  await session.token();
  // The order is placed; its reply stops half way.
  await broker.fault("samco", ORDER, { stall: true });
  const controller = new AbortController();
  const order = session.post(ORDER, { json: { symbolName: "INFY" }, signal: controller.signal });
  await untilSeen(broker, "samco", ORDER);
  await aborted(order, controller);
  // Whatever could repeat it had its turn when these came back.
  for (let n = 0; n < 3; n += 1) await session.get(QUOTE, { params });
  assert.equal(await count(broker, "samco", ORDER), 1);
});

test("a caller who gives up waiting for a slot sends nothing and holds up nobody", async () => {
  const sandbox = await Sandbox.start();
  try {
    const session = sandbox.session("samco", { rateLimits: { other: { perSecond: 1 } } });
    await session.get(QUOTE, { params });
    const controllers = Array.from({ length: 3 }, () => new AbortController());
    const waiting = controllers.map(({ signal }) => session.get(QUOTE, { params, signal }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const [n, controller] of controllers.entries()) await aborted(waiting[n], controller);
    await session.get(QUOTE, { params });
    assert.equal(await count(sandbox, "samco", QUOTE), 2);
  } finally {
    await sandbox.stop();
  }
});

test("givers-up leave nothing behind", async () => {
  await broker.clearRequests();
  const session = broker.session("samco", { timeout: 60 });
  const held = () => (existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0);
  let seen = 0;
  const round = async (calls) => {
    await broker.fault("samco", QUOTE, { stall: "before", times: calls });
    const controller = new AbortController();
    const waiting = Array.from({ length: calls }, () => session.get(QUOTE, { params, signal: controller.signal }));
    const all = Promise.allSettled(waiting);
    await untilSeen(broker, "samco", QUOTE, (seen += calls));
    controller.abort();
    assert.ok((await all).every(({ reason }) => reason === controller.signal.reason));
    assert.deepEqual(getEventListeners(controller.signal, "abort"), []);
  };
  await session.token();
  await round(20);
  const before = held();
  for (let n = 0; n < 5; n += 1) await round(20);
  // Connections of given-up calls are closed, not kept.
  await until(() => held() <= before + 5, () => `fewer than ${held()} descriptors, ${before} before`);
});
