// Every scenario of tests/scenarios, told to the embedded broker and a session that follows its clock.

import assert from "node:assert/strict";
import test from "node:test";

import { Sandbox } from "preopen/sandbox";

import { assertHas, camel, cases, count, errorFields, settled } from "./support.mjs";

const SESSION_STEPS = {
  token: (session) => session.token(),
  state: (session) => session.state(),
  whoami: (session) => session.whoami(),
  profile: (session) => session.profile(),
  logout: (session) => session.logout(),
  invalidate: (session, generation) => session.invalidate(generation),
  reset: (session) => session.reset(),
  close: (session) => session.close(),
  herd: async (session, callers) => {
    const results = await Promise.all(Array.from({ length: callers }, () => settled(session.token())));
    const key = ({ ok, error }) => (error ? `${error.code} ${error.message}` : ok.generation);
    assert.deepEqual(new Set(results.map(key)).size, 1, "all callers get the same");
    if (results[0].error) throw results[0].error;
    return { generation: results[0].ok.generation };
  },
};

const BROKER_STEPS = {
  advance: (broker, { to, seconds }) => (to ? broker.clock.advanceTo(to) : broker.clock.advance(seconds)),
  fault: (broker, { path, ...spec }, name) => broker.fault(name, path, camel(spec)),
  source_ip: (broker, ip) => broker.setSourceIp(ip),
  switch: (broker, values) => broker.switch(values),
  wrong: () => undefined,
};

async function run(broker, session, name, step) {
  const [[what, value]] = Object.entries(step);
  if (what === "call") {
    const [method, path] = value.split(" ");
    const { params, json, replay_safe: replaySafe } = step;
    return (await session[method.toLowerCase()](path, { params, json, replaySafe })).data;
  }
  if (what in SESSION_STEPS) return SESSION_STEPS[what](session, value);
  await BROKER_STEPS[what](broker, value, name);
}

function credentials(broker, name, wrong) {
  const replaced = camel(wrong ?? {});
  return name === "samco" ? broker.samcoCredentials(0, replaced) : broker.angeloneCredentials(0, replaced);
}

async function tell(scenario) {
  const broker = await Sandbox.start();
  try {
    await broker.clock.setRate(scenario.rate ?? 0);
    await broker.clock.set(scenario.at);
    const wrong = scenario.steps[0].wrong;
    const session = broker.session(scenario.broker, { credentials: credentials(broker, scenario.broker, wrong) });
    for (const [number, step] of scenario.steps.entries()) {
      await check(broker, session, scenario.broker, step, `step ${number + 1}: ${JSON.stringify(step)}`);
    }
    for (const [path, calls] of Object.entries(scenario.calls)) {
      assert.equal(await count(broker, scenario.broker, path), calls, `calls of ${path}`);
    }
  } finally {
    await broker.stop();
  }
}

async function check(broker, session, name, step, where) {
  const { ok, error } = await settled(run(broker, session, name, step));
  if (step.error) {
    assert.ok(error, `${where}: must fail`);
    return assertHas(errorFields(error), step.error, where);
  }
  if (error) throw new Error(`${where}: ${error}`, { cause: error });
  const [[what, value]] = Object.entries(step);
  if (what === "call" && step.ok) assertHas(ok, step.ok, where);
  if (what in SESSION_STEPS && typeof value === "object") assertHas(ok, camel(value), where);
}

const scenarios = cases("tests/scenarios");
assert.ok(scenarios.length >= 30);
for (const [name, scenario] of scenarios) {
  test(`${name}: ${scenario.about}`, () => tell(scenario));
}
