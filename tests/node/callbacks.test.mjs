// Secrets that are asked for: when a callback is called, what it may answer, and what follows when it does not.

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import test, { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { Worker } from "node:worker_threads";

import { InvalidInputError, LoginRequiredError, Session, angelOne, samco } from "preopen";

import { LOGIN, at, childEnvironment, count, runChild, settled, startBroker, totp, until } from "./support.mjs";

const CANARY = "CANARY-4711-in-a-message";

let broker;
before(async () => {
  broker = await startBroker();
});
after(() => broker.stop());

const account = (name) => broker.accounts.find((one) => one.broker === name);

/** A Samco session whose secret `callback` gives; `asked.times` counts. */
function asking(callback) {
  const asked = { times: 0 };
  const apiSecret = (...given) => {
    asked.times += 1;
    assert.equal(given.length, 0, "a callback gets nothing");
    return callback(asked.times);
  };
  return [broker.session("samco", { credentials: broker.samcoCredentials(0, { apiSecret }) }), asked];
}

const right = () => account("samco").apiSecret;

test("a callback is called for a login, once, and not while the session lives", async () => {
  const [session, asked] = asking(right);
  await sleep(20);
  assert.equal(asked.times, 0, "making a session asks nothing");
  const seen = await count(broker, "samco", LOGIN.samco);
  const callers = Array.from({ length: 1000 }, (_, n) => (n % 2 ? session.token() : session.headers()));
  await Promise.all(callers);
  await session.token();
  await session.get("/quote/getQuote", { params: { symbolName: "INFY", exchange: "NSE" } });
  assert.equal(asked.times, 1);
  session.invalidate(1);
  assert.equal((await session.token()).generation, 2);
  assert.equal(asked.times, 2, "the answer is not kept");
  assert.equal(await count(broker, "samco", LOGIN.samco), seen + 2);
});

test("a slow callback is waited for by all who arrive, and by nobody twice", async () => {
  const [session, asked] = asking(() => sleep(200, right()));
  const first = session.token();
  await until(() => asked.times === 1, () => "the question");
  const rest = Array.from({ length: 999 }, () => session.token());
  assert.equal(session.state().name, "opening");
  assert.equal(new Set((await Promise.all([first, ...rest])).map((token) => token.expose())).size, 1);
  assert.equal(asked.times, 1);
});

test("every field of SmartAPI may be asked for; a refresh asks nothing", async () => {
  const { pin, totpSecret } = account("angelone");
  const asked = [];
  const tell = (field, value) => async () => {
    asked.push(field);
    return typeof value === "function" ? value() : value;
  };
  const secret = { pin: tell("pin", pin), totpSecret: tell("totpSecret", totpSecret) };
  const typed = { pin, totp: tell("totp", async () => totp(totpSecret, (await broker.clock.now()).getTime())) };
  for (const [replaced, fields] of [[secret, ["pin", "totpSecret"]], [typed, ["totp"]]]) {
    asked.length = 0;
    const session = broker.session("angelone", { credentials: broker.angeloneCredentials(0, replaced) });
    await session.token();
    assert.deepEqual(asked, fields);
    session.invalidate(1);
    assert.equal((await session.token()).generation, 2);
    assert.deepEqual(asked, fields, "the refresh token was enough");
  }
});

test("there is exactly one source of one-time codes", () => {
  const { pin, apiKey, clientCode, totpSecret } = account("angelone");
  const rest = { apiKey, clientCode, pin };
  const code = () => "123456";
  const wrong = [
    [rest, "totpSecret"],
    [{ ...rest, totpSecret, totp: code }, "totpSecret"],
    [{ ...rest, totp: "123456" }, "totp"],
    [{ ...rest, totpSecret: 7 }, "totpSecret"],
    [{ ...rest, clientCode: code, totpSecret }, "clientCode"],
    [{ ...rest, apiKey: code, totpSecret }, "apiKey"],
    [{ ...rest, pin: null, totpSecret }, "pin"],
  ];
  for (const [values, field] of wrong) {
    assert.throws(() => angelOne(values), (error) => {
      assert.ok(error instanceof InvalidInputError && error.field === field, `${field}: ${error}`);
      assert.ok(!inspect(error).includes(totpSecret), "no secret");
      return true;
    });
  }
  angelOne({ ...rest, totpSecret, totp: undefined });
  angelOne({ ...rest, totp: code, totpSecret: undefined });
});

for (const nothing of [null, undefined]) {
  test(`${nothing}: a login is required, and the next call asks again`, async () => {
    for (const later of [false, true]) {
      const [session, asked] = asking((times) => {
        const answer = times === 1 ? nothing : right();
        return later ? sleep(1, answer) : answer;
      });
      const results = await Promise.all(Array.from({ length: 20 }, () => settled(session.token())));
      for (const { error } of results) {
        assert.ok(error instanceof LoginRequiredError, inspect(error));
        assert.deepEqual([error.reason, error.broker, error.field], ["not_answered", "samco", undefined]);
        assert.match(error.message, /^the callback for apiSecret gave nothing/);
      }
      assert.equal((await session.token()).generation, 1);
      assert.equal(asked.times, 2);
    }
  });
}

class BadSecret extends Error {
  name = CANARY;
}

/** Ways to fail: what the callback does, and what is told of it. */
const FAILURES = [
  ["an error", () => { throw new TypeError(CANARY, { cause: new Error(CANARY) }); }, "threw TypeError"],
  ["a rejection", () => Promise.reject(new RangeError(CANARY)), "threw RangeError"],
  ["a late rejection", async () => { await sleep(1); throw new BadSecret(CANARY); }, "threw BadSecret"],
  ["an aggregate", async () => { throw new AggregateError([new Error(CANARY)], CANARY); }, "threw AggregateError"],
  ["text", () => { throw CANARY; }, "threw a string"],
  ["null", () => { throw null; }, "threw null"],
  ["undefined", () => Promise.reject(), "threw undefined"],
  ["a symbol", () => { throw Symbol(CANARY); }, "threw a symbol"],
  ["an object without a class", () => { throw Object.assign(Object.create(null), { CANARY }); }, "threw an object"],
  ["a getter that fails", () => { throw { get constructor() { throw new Error(CANARY); } }; }, "threw an object"],
  ["a secret as the name", () => { throw { constructor: { name: `${CANARY} is my secret` } }; }, "threw an object"],
  ["a thenable that fails", () => ({ then: (_, reject) => reject(new SyntaxError(CANARY)) }), "threw SyntaxError"],
  ["a thenable that throws", () => ({ then() { throw new URIError(CANARY); } }), "threw URIError"],
  ["a number", () => 4711, "gave a number, not text"],
  ["a promise of a number", async () => 4711, "gave a number, not text"],
  ["a boolean", () => false, "gave a boolean, not text"],
  ["bytes", () => Buffer.from(CANARY), "gave Buffer, not text"],
  ["an object", () => ({ secret: CANARY }), "gave Object, not text"],
  ["a function", () => () => CANARY, "gave a function, not text"],
  ["a text object", () => new String(CANARY), "gave String, not text"],
  ["half a surrogate pair", () => `${CANARY}\ud800`, "gave text that is not valid Unicode"],
];

for (const [what, fail, told] of FAILURES) {
  test(`S4: ${what}: a typed error without its content, and the slot is free`, async () => {
    const [session, asked] = asking((times) => (times === 1 ? fail() : right()));
    const seen = await count(broker, "samco", LOGIN.samco);
    const results = await Promise.all([session.token(), session.headers(), session.get("/x")].map(settled));
    // On a busy machine a caller may come after the failure; it asks anew.
    const failed = results.filter(({ error }) => error instanceof InvalidInputError);
    assert.ok(failed.length > 0, inspect(results));
    for (const { error } of failed) {
      assert.deepEqual([error.field, error.broker, error.cause], ["apiSecret", "samco", undefined]);
      assert.equal(error.message, `the callback for apiSecret ${told}: nothing was sent`);
      assert.ok(!inspect(error, { depth: null, showHidden: true }).includes("CANARY"));
    }
    assert.equal(await count(broker, "samco", LOGIN.samco), seen + asked.times - 1, "nothing was sent for the failure");
    assert.equal((await session.token()).generation, 1);
    assert.equal(asked.times, 2);
  });
}

test("an answer is checked before anything is sent, naming the field", async () => {
  const { pin } = account("angelone");
  const cases = [
    [broker.samcoCredentials(0, { apiSecret: () => "" }), "samco", "apiSecret"],
    [broker.samcoCredentials(0, { apiSecret: () => "<api secret>" }), "samco", "apiSecret"],
    [broker.angeloneCredentials(0, { pin: () => "abcd" }), "angelone", "pin"],
    [broker.angeloneCredentials(0, { pin: () => pin, totpSecret: () => "1890" }), "angelone", "totpSecret"],
    [broker.angeloneCredentials(0, { totp: () => "12345" }), "angelone", "totp"],
  ];
  for (const [credentials, name, field] of cases) {
    const seen = await count(broker, name, LOGIN[name]);
    const { error } = await settled(broker.session(name, { credentials }).token());
    assert.ok(error instanceof InvalidInputError, inspect(error));
    assert.equal(error.field, field);
    assert.equal(await count(broker, name, LOGIN[name]), seen);
  }
});

test("a callback that waits for its own session is told at once, and may still answer", async () => {
  const refused = [];
  const [session, asked] = asking(async () => {
    for (const call of [() => session.token(), () => session.headers(), () => session.get("/x"), () => session.export({ key: "A".repeat(43) })]) {
      refused.push((await settled(call())).error);
    }
    return right();
  });
  const started = performance.now();
  assert.equal((await session.token()).generation, 1);
  assert.ok(performance.now() - started < 10_000);
  assert.equal(asked.times, 1);
  assert.equal(refused.length, 4);
  for (const error of refused) assert.ok(error instanceof InvalidInputError && error.field === "session", inspect(error));
});

test("a callback that gives its own session's token fails", async () => {
  const [session] = asking(() => session.token().then((token) => token.expose()));
  const { error } = await settled(session.token());
  assert.equal(error?.message, "the callback for apiSecret threw InvalidInputError: nothing was sent");
});

test("a callback may use other sessions, and what it leaves running may use its own", async () => {
  const [other] = asking(right);
  let later;
  const [session] = asking(async () => {
    await other.token();
    later ??= new Promise((resolve) => setTimeout(() => resolve(settled(session.token())), 300));
    return right();
  });
  assert.equal((await session.token()).generation, 1);
  session.invalidate(1);
  const { ok, error } = await later;
  assert.equal(ok?.generation, 2, inspect(error));
});

test("a callback runs outside of its callers' contexts", async () => {
  const storage = new AsyncLocalStorage();
  const found = [];
  const [session] = asking(() => {
    found.push(storage.getStore());
    return right();
  });
  await storage.run("a caller's", async () => assert.equal((await session.token()).generation, 1));
  assert.deepEqual(found, [undefined]);
});

test("credentials with a callback serve many sessions", async () => {
  let times = 0;
  const credentials = broker.samcoCredentials(0, { apiSecret: () => ((times += 1), right()) });
  const sessions = Array.from({ length: 10 }, () => broker.session("samco", { credentials }));
  for (const token of await Promise.all(sessions.map((session) => session.token()))) assert.equal(token.generation, 1);
  assert.equal(times, 10);
});

test("a caller who gives up leaves the callback to the others", async () => {
  const [session, asked] = asking(() => sleep(200, right()));
  const controller = new AbortController();
  const gone = settled(session.token({ signal: controller.signal }));
  await until(() => asked.times === 1, () => "the question");
  controller.abort(new Error("enough"));
  assert.equal((await gone).error.message, "enough");
  assert.equal((await session.token()).generation, 1);
  assert.equal(asked.times, 1);
});

test("an answer that comes after a logout or a close is not used", async () => {
  for (const end of ["logout", "close"]) {
    let answer;
    const [session, asked] = asking((times) => (times === 1 ? new Promise((resolve) => (answer = resolve)) : right()));
    const seen = await count(broker, "samco", LOGIN.samco);
    const waiting = settled(session.token());
    await until(() => asked.times === 1, () => "the question");
    await session[end]();
    assert.ok((await waiting).error, end);
    answer(right());
    await sleep(50);
    assert.equal(await count(broker, "samco", LOGIN.samco), seen, "nothing was sent");
    if (end === "logout") assert.equal((await session.token()).generation, 1);
  }
});

test("a wrong answer costs one login and blocks, as a wrong secret does", async () => {
  const [session, asked] = asking(() => "not-the-secret-0123456789");
  const seen = await count(broker, "samco", LOGIN.samco);
  for (let n = 0; n < 3; n += 1) assert.equal((await settled(session.token())).error?.code, "credentials_rejected");
  assert.deepEqual([asked.times, await count(broker, "samco", LOGIN.samco)], [1, seen + 1]);
});

async function child(mode, flags = []) {
  const { code, signal, out, err } = await runChild("callbacks.mjs", [mode], { env: childEnvironment(broker), flags });
  assert.deepEqual([code, signal, err], [0, null, ""], mode);
  return out.trim();
}

test("credentials with callbacks keep no process alive; a call that waits for one does", async () => {
  assert.equal(await child("unused"), "");
  assert.equal(await child("used"), "1");
  assert.equal(await child("slow"), "asked, 1");
});

test("process.exit() while a callback runs is clean", async () => {
  assert.equal(await child("exit"), "asked");
});

test("an unhandled failure of a login shows nothing of the callback's error", async () => {
  const { code, out, err } = await runChild("callbacks.mjs", ["unhandled"], { env: childEnvironment(broker) });
  assert.notEqual(code, 0);
  assert.match(err, /InvalidInputError: the callback for apiSecret threw Error/);
  assert.ok(!`${out}${err}`.includes("CANARY"), err);
});

test("a promise that can never settle any more is told, not waited for", async () => {
  assert.equal(await child("forgotten", ["--expose-gc"]), "the callback for apiSecret cannot answer any more: nothing was sent");
});

test("sessions and credentials with callbacks are collected", async () => {
  assert.equal(await child("collected", ["--expose-gc"]), "true");
});

function worker(callback) {
  const { apiKey, apiSecret } = account("samco");
  return new Worker(at("tests/node/children/worker.mjs"), { workerData: { baseUrl: broker.samcoUrl, apiKey, apiSecret, callback } });
}

test("a callback of a worker thread is called there", async () => {
  const answers = Array.from({ length: 4 }, async () => {
    const thread = worker("answers");
    const ended = once(thread, "exit");
    assert.deepEqual(await once(thread, "message"), [1]);
    assert.deepEqual(await ended, [0]);
  });
  await Promise.all(answers);
});

test("a worker thread that ends while its callback runs does no harm", async () => {
  for (const how of ["hangs", "exits", "hangs"]) {
    const thread = worker(how);
    const ended = once(thread, "exit");
    assert.deepEqual(await once(thread, "message"), ["asked"]);
    if (how === "hangs") await thread.terminate();
    await ended;
  }
  const [session] = asking(right);
  assert.equal((await session.token()).generation, 1);
});

test("a secret of the embedded broker's from a callback stays off live hosts", async () => {
  const { apiKey } = account("samco");
  assert.throws(() => new Session(samco({ apiKey, apiSecret: right })), { name: "InvalidInputError", field: "baseUrl" });
});
