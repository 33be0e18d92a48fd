// Static IPs and preflight: the vectors of the rule on changes, and what only Node has.

import assert from "node:assert/strict";
import test, { after, before } from "node:test";

import { InvalidInputError, StaticIpMismatchError, checkStaticIp, mayChangeStaticIp } from "preopen";
import { Sandbox } from "preopen/sandbox";

import { TEN_O_CLOCK, assertHas, camel, cases, count, errorFields, LOGIN } from "./support.mjs";

const vectors = cases("tests/vectors/static_ip");
assert.ok(vectors.length >= 8);

function compare(found, expected, where) {
  for (const [name, value] of Object.entries(expected)) {
    const [whole, contains] = name.split("_contains");
    if (contains === undefined) assertHas(found, camel({ [name]: value }), where);
    else assert.ok(found[whole].includes(value), `${where}: ${found[whole]}`);
  }
}

for (const [name, { given, cases: asked }] of vectors) {
  for (const [number, one] of asked.entries()) {
    test(`${name} ${number}`, () => {
      const question = { ...given, ...one.asked };
      if (one.error === undefined) return compare(mayChangeStaticIp(question), one.ok, name);
      try {
        mayChangeStaticIp(question);
      } catch (error) {
        assert.ok(error instanceof InvalidInputError);
        return compare(errorFields(error), one.error, name);
      }
      assert.fail("must throw");
    });
  }
}

test("times are dates", () => {
  const at = new Date("2026-11-16T04:30:00.123Z");
  const later = (days) => new Date(at.getTime() + days * 86_400_000);
  const history = [{ at, primary: "1.1.1.1" }];
  const answer = mayChangeStaticIp({ broker: "samco", history, wanted: { primary: "8.8.8.8" }, now: later(1) });
  assert.deepEqual([answer.allowed, answer.at, answer.lastCounted], [false, later(7), at]);
  assert.equal(mayChangeStaticIp({ broker: "samco", history, now: later(7) }).at, undefined);
});

test("what cannot be understood is refused", () => {
  const circle = { broker: "samco" };
  circle.wanted = circle;
  const fields = [
    [circle, "question"],
    [undefined, "question"],
    [{ broker: "samco", wanted: { Primary: "1.1.1.1" } }, "wanted"],
    [{ broker: "samco", history: [{ at: new Date(Number.NaN) }] }, "history[0].at"],
  ];
  for (const [question, field] of fields) assert.throws(() => mayChangeStaticIp(question), { name: "InvalidInputError", field });
  assert.equal(checkStaticIp(" 1.1.1.1 "), "1.1.1.1");
  assert.throws(() => checkStaticIp("192.168.1.5"), { field: "address", message: /private/ });
  assert.throws(() => checkStaticIp(7), { field: "address" });
});

let broker;
before(async () => {
  broker = await Sandbox.start();
  await broker.clock.setRate(0);
  await broker.clock.set(TEN_O_CLOCK);
});
after(() => broker.stop());

test("preflight tells what it found", async () => {
  const session = broker.session("samco");
  const [found, strict] = await Promise.all([session.preflight(), session.preflight({ strict: true })]);
  assert.deepEqual([found.ready, strict.ready, found.broker, found.sourceIp], [true, true, "samco", "203.0.113.10"]);
  assert.deepEqual(found.checks.map(({ name }) => name), ["session", "broker", "static_ip", "clock", "session_end", "network", "store"]);
  assert.equal(found.at.getTime(), Date.parse(TEN_O_CLOCK));
  assert.equal(await count(broker, "samco", LOGIN.samco), 1);
  await broker.setSourceIp("198.51.100.7");
  const { checks } = await session.preflight();
  const failed = checks.filter(({ status }) => status === "fail");
  assert.equal(failed.length, 1);
  const [{ error, fix }] = failed;
  assert.ok(error instanceof StaticIpMismatchError);
  assert.deepEqual([error.sourceIp, error.primaryIp, error.secondaryIp], ["198.51.100.7", "203.0.113.10", "203.0.113.11"]);
  assert.match(fix, /^register 198\.51\.100\.7 with the broker/);
});

test("preflight rejects for a wrong option and an aborted signal alone", async () => {
  const session = broker.session("samco");
  await assert.rejects(session.preflight({ strict: 1 }), { field: "strict" });
  await assert.rejects(session.preflight({ strictly: true }), { field: "strictly" });
  const reason = new Error("enough");
  await assert.rejects(session.preflight({ signal: AbortSignal.abort(reason) }), reason);
  session.close();
  const { ready, checks } = await session.preflight();
  assert.deepEqual([ready, checks[0].status, checks[0].error.field], [false, "fail", "session"]);
});
