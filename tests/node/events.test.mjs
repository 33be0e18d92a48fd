// The events of a session as an asynchronous iterator: in order, none lost, and nothing kept alive by them.

import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test, { after, before } from "node:test";
import { inspect } from "node:util";
import { Worker } from "node:worker_threads";

import { CredentialsRejectedError, InvalidInputError } from "preopen";

import { at, childEnvironment, collect, runChild, settled, startBroker } from "./support.mjs";

let broker;
before(async () => {
  broker = await startBroker();
  await broker.clock.setRate(0);
});
after(() => broker.stop());

/** Makes `times` pairs of events: renewed, expired. */
async function renew(session, times) {
  for (let n = 0; n < times; n += 1) session.invalidate((await session.token()).generation);
}

async function names(events, times) {
  const seen = [];
  for (let n = 0; n < times; n += 1) seen.push((await events.next()).value);
  return seen.map(({ name, generation }) => `${name} ${generation}`);
}

test("records.ts names the events of Rust", () => {
  const native = createRequire(import.meta.url)(at("node/native/preopen.node").pathname);
  const [, union] = readFileSync(at("node/src/records.ts"), "utf8").match(/export type EventName =([^;]+);/);
  assert.deepEqual([...union.matchAll(/"(\w+)"/g)].map(([, name]) => name), native.eventCatalogue());
});

test("an event is a plain record of its own", async () => {
  const session = broker.session("samco");
  const events = session.events();
  await session.token();
  const { value, done } = await events.next();
  assert.equal(done, false);
  const { at: when, expiresAt, reason, ...rest } = value;
  assert.deepEqual(rest, { name: "renewed", generation: 1, error: null, missed: 0 });
  assert.ok(when instanceof Date && expiresAt instanceof Date && expiresAt > when, inspect(value));
  assert.equal(expiresAt.toISOString().slice(10), "T02:30:00.000Z", "08:00 in India");
  assert.ok(typeof reason === "string" && reason.length > 0);
  assert.deepEqual(JSON.parse(JSON.stringify(value)).expiresAt, expiresAt.toISOString());
  assert.deepEqual(structuredClone(value), value);
  await events.return();
});

test("an event carries its error", async () => {
  const session = broker.session("samco", { credentials: broker.samcoCredentials(0, { apiSecret: "wrong" }) });
  const events = session.events();
  await settled(session.token());
  const { value } = await events.next();
  assert.equal(value.name, "blocked");
  assert.ok(value.error instanceof CredentialsRejectedError, inspect(value));
  await events.return();
});

test("calls of next() that wait together get their events in turn", async () => {
  const session = broker.session("samco");
  const events = session.events();
  const waiting = Array.from({ length: 6 }, () => events.next());
  await renew(session, 2);
  assert.deepEqual((await Promise.all(waiting.slice(0, 4))).map(({ value }) => value.name), ["renewed", "expired", "renewed", "expired"]);
  session.close();
  assert.deepEqual(await Promise.all(waiting.slice(4)), [{ done: true, value: undefined }, { done: true, value: undefined }]);
});

test("a listener that falls behind gets one lagged event and goes on with the oldest that are kept", async () => {
  const session = broker.session("samco");
  const events = session.events();
  await renew(session, 40);
  const { value: lagged } = await events.next();
  assert.deepEqual([lagged.name, lagged.missed, lagged.generation, lagged.error], ["lagged", 16, 0, null]);
  const rest = await names(events, 64);
  assert.deepEqual([rest[0], rest[63]], ["renewed 9", "expired 40"]);
  const next = events.next();
  await session.token();
  assert.equal((await next).value.generation, 41);
  await events.return();
});

test("a listener that keeps up misses nothing", async () => {
  const session = broker.session("samco");
  const listener = collect(session);
  await renew(session, 80);
  const seen = await listener.take(160);
  assert.deepEqual(new Set(seen.map(({ missed }) => missed)), new Set([0]));
  assert.deepEqual([seen[0].generation, seen[159].generation], [1, 80]);
  session.close();
  await listener.ended;
});

test("a thousand listeners all hear the same", async () => {
  const session = broker.session("samco");
  const listeners = Array.from({ length: 1000 }, () => session.events());
  const waiting = listeners.slice(0, 500).map((events) => events.next());
  await session.token();
  const late = listeners.slice(500).map((events) => events.next());
  for (const { value } of await Promise.all([...waiting, ...late])) assert.equal(`${value.name} ${value.generation}`, "renewed 1");
  const rest = listeners.map((events) => events.next());
  session.close();
  assert.ok((await Promise.all(rest)).every(({ done }) => done));
});

test("closing the session ends every listener at once, after what it has not read", async () => {
  const session = broker.session("samco");
  const [read, unread] = [session.events(), session.events()];
  await session.token();
  assert.equal((await read.next()).value.name, "renewed");
  const waiting = read.next();
  session.close();
  assert.equal((await waiting).done, true);
  assert.equal((await unread.next()).value.name, "renewed");
  assert.equal((await unread.next()).done, true);
  assert.deepEqual(await session.events().next(), { done: true, value: undefined });
});

test("leaving the loop ends the listening", async () => {
  const session = broker.session("samco");
  const events = session.events();
  assert.equal(events[Symbol.asyncIterator](), events);
  await renew(session, 1);
  for await (const { name } of events) {
    assert.equal(name, "renewed");
    break;
  }
  assert.deepEqual(await events.next(), { done: true, value: undefined }, "what was not read is forgotten");
  const failing = session.events();
  await session.token();
  await assert.rejects(async () => {
    for await (const { name } of failing) throw new Error(name);
  }, { message: "renewed" });
  assert.equal((await failing.next()).done, true);
});

test("return() and disposal end calls that wait", async () => {
  const session = broker.session("samco");
  for (const end of [(events) => events.return(), (events) => events[Symbol.asyncDispose]()]) {
    const events = session.events();
    const waiting = [events.next(), events.next()];
    await end(events);
    assert.deepEqual((await Promise.all(waiting)).map(({ done }) => done), [true, true]);
    await end(events);
    assert.equal((await events.next()).done, true);
  }
});

test("an aborted signal rejects the call that waits, once, and is let go", async () => {
  const session = broker.session("samco");
  const controller = new AbortController();
  const events = session.events({ signal: controller.signal });
  const waiting = [events.next(), events.next()].map(settled);
  const reason = new Error("enough");
  controller.abort(reason);
  const [first, second] = await Promise.all(waiting);
  assert.equal(first.error, reason);
  assert.deepEqual(second.ok, { done: true, value: undefined });
  assert.equal((await events.next()).done, true);
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  const other = new AbortController();
  await session.events({ signal: other.signal }).return();
  assert.equal(getEventListeners(other.signal, "abort").length, 0);
});

test("what happened before a signal was aborted is not lost", async () => {
  const session = broker.session("samco");
  const controller = new AbortController();
  const events = session.events({ signal: controller.signal });
  await renew(session, 2);
  controller.abort(new Error("enough"));
  await renew(session, 1);
  assert.deepEqual(await names(events, 4), ["renewed 1", "expired 1", "renewed 2", "expired 2"]);
  await assert.rejects(events.next(), { message: "enough" });
  assert.equal((await events.next()).done, true);
});

test("an event that comes together with the abort is given first", async () => {
  for (let n = 0; n < 50; n += 1) {
    const session = broker.session("samco");
    const { generation } = await session.token();
    const controller = new AbortController();
    const events = session.events({ signal: controller.signal });
    const waiting = [events.next(), events.next()].map(settled);
    session.invalidate(generation);
    controller.abort(new Error("enough"));
    assert.equal((await waiting[0]).ok?.value.name, "expired");
    assert.equal((await waiting[1]).error?.message, "enough");
  }
});

test("a signal that is aborted already, and wrong options", async () => {
  const session = broker.session("samco");
  const signal = AbortSignal.abort(new Error("before"));
  await assert.rejects(session.events({ signal }).next(), { message: "before" });
  for (const [options, field] of [[{ signal: 1 }, "signal"], [{ limit: 3 }, "limit"], [null, "options"]]) {
    assert.throws(() => session.events(options), (error) => error instanceof InvalidInputError && error.field === field);
  }
});

async function child(mode, flags = []) {
  const { code, signal, out, err } = await runChild("events.mjs", [mode], { env: childEnvironment(broker), flags });
  assert.deepEqual([code, signal, err], [0, null, ""], mode);
  return out.trim().split("\n");
}

test("waiting for events keeps no process alive", async () => {
  assert.deepEqual(await child("idle"), ["waiting"]);
});

test("a listener is told of closing and aborting even when the process has nothing else to do", async () => {
  assert.deepEqual(await child("close"), ["close  ended"]);
  assert.deepEqual(await child("abort"), ["abort  enough"]);
});

test("process.exit() while somebody listens is clean", async () => {
  assert.deepEqual(await child("exit"), [""]);
});

test("a session is collected though somebody listens, and the listening ends", async () => {
  assert.deepEqual(await child("collected", ["--expose-gc"]), ["first renewed ended", "second renewed ended", "unread renewed true"]);
});

test("forgotten listeners are collected", async () => {
  assert.deepEqual(await child("forgotten", ["--expose-gc"]), ["true"]);
});

test("a worker thread that listens ends by itself, and can be terminated", async () => {
  const { apiKey, apiSecret } = broker.accounts[0];
  for (const events of ["idle", "terminated"]) {
    const worker = new Worker(at("tests/node/children/worker.mjs"), { workerData: { baseUrl: broker.samcoUrl, apiKey, apiSecret, events } });
    const ended = once(worker, "exit");
    assert.deepEqual(await once(worker, "message"), ["renewed"]);
    if (events === "terminated") await worker.terminate();
    assert.deepEqual(await ended, [events === "terminated" ? 1 : 0]);
  }
  assert.equal((await broker.session("samco").token()).generation, 1);
});

test("keepWarm renews after the daily end without a caller, and tells", async () => {
  const session = broker.session("samco", { keepWarm: true });
  const listener = collect(session);
  const heard = async (times) => (await listener.take(times)).map(({ name, generation }) => `${name} ${generation}`);
  await session.token();
  assert.deepEqual(await heard(1), ["renewed 1"]);
  await broker.clock.advanceTo("07:50 IST");
  assert.deepEqual(await heard(1), ["expiring 1"]);
  await broker.clock.advanceTo("08:00 IST");
  assert.deepEqual(await heard(1), ["expired 1"]);
  await broker.clock.advance(130);
  assert.deepEqual(await heard(1), ["renewed 2"]);
  assert.equal(session.state().generation, 2);
  assert.throws(() => broker.session("samco", { keepWarm: "yes" }), { name: "InvalidInputError", field: "keepWarm" });
  session.close();
  await listener.ended;
});
