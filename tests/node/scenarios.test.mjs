// Every scenario of tests/scenarios, told to the embedded broker and a session that follows its clock.

import assert from "node:assert/strict";
import test from "node:test";

import { angelOnePublisher, generateKey, samcoLegacy, samcoLoginCode, samcoOAuth } from "preopen";
import { Sandbox } from "preopen/sandbox";

import { assertHas, camel, cases, collect, count, errorFields, eventFields, settled, totp, untilSeen } from "./support.mjs";

const SESSION_STEPS = {
  token: ({ session }) => session.token(),
  state: ({ session }) => {
    const { clockSkew, ...state } = session.state();
    return { ...state, clockSkew: clockSkew === undefined ? undefined : Math.trunc(clockSkew) };
  },
  whoami: ({ session }) => session.whoami(),
  profile: ({ session }) => session.profile(),
  preflight: async ({ session }, { strict }) => {
    const { ready, checks } = await session.preflight({ strict });
    const by = (field) => Object.fromEntries(checks.map((check) => [check.name, field(check)]));
    return { strict, ready, checks: by(({ status }) => status), errors: by(({ error }) => (error ? errorFields(error) : null)) };
  },
  stream_headers: async ({ session }, { stream }) => ({
    stream,
    headers: Object.keys(await session.streamHeaders({ stream: stream ?? undefined })),
  }),
  feed_token: async ({ session }) => ({ given: (await session.feedToken()).length > 0 }),
  logout: ({ session }) => session.logout(),
  invalidate: ({ session }, generation) => session.invalidate(generation),
  reset: ({ session }) => session.reset(),
  close: ({ session }) => session.close(),
  herd: async ({ session }, callers) => {
    const results = await Promise.all(Array.from({ length: callers }, () => settled(session.token())));
    const key = ({ ok, error }) => (error ? `${error.code} ${error.message}` : ok.generation);
    assert.deepEqual(new Set(results.map(key)).size, 1, "all callers get the same");
    if (results[0].error) throw results[0].error;
    return { generation: results[0].ok.generation };
  },
  asked: ({ asked }) => camel(asked),
  begin_login: async (story) => {
    const start = await story.session.beginLogin();
    story.page = start.url;
    return start;
  },
};

const OTHER_STEPS = {
  advance: async (story, { to, seconds }) => story.follow(await (to ? story.broker.clock.advanceTo(to) : story.broker.clock.advance(seconds))),
  set_clock: async (story, at) => story.follow(await story.broker.clock.set(at)),
  fault: ({ broker, name }, { path, ...spec }) => broker.fault(name, path, camel(spec)),
  source_ip: ({ broker }, ip) => broker.setSourceIp(ip),
  switch: ({ broker }, values) => broker.switch(values),
  wrong: () => undefined,
  watch: (story) => {
    story.events = collect(story.session);
  },
  events: async (story, expected) => {
    const seen = await story.events.take(expected.length);
    for (const [n, fields] of expected.entries()) {
      assertHas(eventFields(seen[n]), typeof fields === "string" ? { name: fields } : fields, `event ${n + 1}`);
    }
  },
  wait_calls: async ({ broker, name }, calls) => {
    for (const [path, times] of Object.entries(calls)) await untilSeen(broker, name, path, times);
  },
  hand_over: async (story, { sealed }) => {
    const next = story.open();
    const key = generateKey();
    if (sealed) next.prime(await story.session.export({ key }), { key });
    else next.prime(await story.session.exportExposed());
    story.session = next;
  },
  consent: async (story, { decision }) => {
    assert.ok(["approve", "cancel"].includes(decision), `no decision ${decision}`);
    story.address = await story.broker.consent(story.page, { approve: decision === "approve" });
    story.used = false;
  },
  complete_login: async (story, { address, again = false }) => {
    if (address !== undefined) return story.session.completeLogin(address);
    assert.equal(story.used, again, "`again` tells that it was used");
    story.used = true;
    await story.session.completeLogin(story.address);
  },
};

async function webLoginCode(story, { direct = false }) {
  const giver = direct ? story.broker.session(story.name) : story.session;
  const code = await giver.webLoginCode();
  story.code = code.expose();
  return code;
}

/** One of Samco's deprecated calls. */
async function legacy({ broker, session }, { call, otp, primary, secondary }) {
  const calls = session.samcoLegacy();
  const sent = async () => (otp === "sent" ? (await broker.inbox()).at(-1).value : otp);
  const known = {
    generate_otp: () => calls.generateOtp(),
    generate_secret_key: async () => calls.generateSecretKey(await sent()),
    register_ips: () => calls.registerIps(primary, secondary),
    update_ips: () => calls.updateIps(primary, secondary),
  };
  return known[call]();
}

async function run(story, step) {
  const [[what, value]] = Object.entries(step);
  if (what === "call") {
    const [method, path] = value.split(" ");
    const { params, json, replay_safe: replaySafe } = step;
    return (await story.session[method.toLowerCase()](path, { params, json, replaySafe })).data;
  }
  if (what === "web_login_code") return webLoginCode(story, step);
  if (what === "legacy") return legacy(story, value);
  if (what in SESSION_STEPS) return SESSION_STEPS[what](story, value);
  await OTHER_STEPS[what](story, value);
}

/** A callback that behaves as the scenario says, at once or later. */
function callback(story, field, behaviour, right, asynchronous) {
  story.asked[field] = 0;
  const answer = () => {
    story.asked[field] += 1;
    if (behaviour === "right") return right();
    if (behaviour === "nothing") return null;
    if (behaviour === "fails") throw new Error(`the answer is ${right()}`);
    assert.equal(typeof behaviour.says, "string", `no callback ${JSON.stringify(behaviour)}`);
    return behaviour.says;
  };
  return asynchronous ? () => new Promise((resolve) => setImmediate(resolve)).then(answer) : answer;
}

function credentials(story, { callbacks = {}, steps, credentials: kind, trust_missing_state: trustMissingState = false }, asynchronous) {
  const own = story.broker.accounts.find(({ broker }) => broker === story.name);
  const values = camel(steps[0].wrong ?? {});
  for (const [field, behaviour] of Object.entries(callbacks)) {
    const [name] = Object.keys(camel({ [field]: 0 }));
    const given = values[name] ?? own[name];
    const rights = { totp: () => totp(own.totpSecret, story.now()), code: () => story.code };
    const right = rights[field] ?? (() => given);
    values[name] = callback(story, field, behaviour, right, asynchronous);
  }
  const { apiKey, clientCode, redirectUrl, account, password, secretApiKey } = { ...own, ...values };
  const kinds = {
    samco_oauth: () => samcoOAuth({ apiKey, redirectUrl }),
    samco_legacy: () => samcoLegacy({ userId: account, password, secretApiKey }),
    samco_login_code: () => samcoLoginCode({ account, code: values.code }),
    angelone_publisher: () => angelOnePublisher({ apiKey, clientCode, redirectUrl, trustMissingState }),
  };
  if (kind !== undefined) return kinds[kind]();
  return story.name === "samco" ? story.broker.samcoCredentials(0, values) : story.broker.angeloneCredentials(0, values);
}

function limits({ rate_limits: groups }) {
  return groups && Object.fromEntries(Object.entries(groups).map(([group, rates]) => [group, camel(rates)]));
}

async function tell(scenario, asynchronous) {
  const broker = await Sandbox.start();
  const rate = scenario.rate ?? 0;
  const story = { broker, name: scenario.broker, asked: {} };
  // The session's clock, for callbacks that must answer at once.
  story.follow = (date) => {
    const since = performance.now();
    story.now = () => date.getTime() + (performance.now() - since) * rate;
  };
  try {
    await broker.clock.setRate(rate);
    story.follow(await broker.clock.set(scenario.at));
    const own = credentials(story, scenario, asynchronous);
    story.open = () => broker.session(scenario.broker, { credentials: own, keepWarm: scenario.keep_warm ?? false, rateLimits: limits(scenario) });
    story.session = story.open();
    for (const [number, step] of scenario.steps.entries()) {
      await check(story, step, `step ${number + 1}: ${JSON.stringify(step)}`);
    }
    for (const [path, calls] of Object.entries(scenario.calls)) {
      assert.equal(await count(broker, scenario.broker, path), calls, `calls of ${path}`);
    }
  } finally {
    await broker.stop();
  }
}

async function check(story, step, where) {
  const { ok, error } = await settled(run(story, step));
  if (step.error) {
    assert.ok(error, `${where}: must fail`);
    return assertHas(errorFields(error), step.error, where);
  }
  if (error) throw new Error(`${where}: ${error}`, { cause: error });
  const [[what, value]] = Object.entries(step);
  if (what === "call" && step.ok) assertHas(ok, step.ok, where);
  if (what === "legacy" && step.ok) assertHas(ok, camel(step.ok), where);
  if (what === "web_login_code") assertHas(ok, camel(value), where);
  if (what in SESSION_STEPS && typeof value === "object") assertHas(ok, camel(value), where);
}

const scenarios = cases("tests/scenarios");
assert.ok(scenarios.length >= 30);
for (const [name, scenario] of scenarios) {
  if (scenario.callbacks === undefined) test(`${name}: ${scenario.about}`, () => tell(scenario, false));
  else {
    test(`${name}, answered at once: ${scenario.about}`, () => tell(scenario, false));
    test(`${name}, answered later: ${scenario.about}`, () => tell(scenario, true));
  }
}
