// Sessions that are shared through a store: the options, and stores of a program's own.

import assert from "node:assert/strict";
import test, { after, before, beforeEach, describe } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { Worker } from "node:worker_threads";

import { InvalidInputError, LoginRequiredError, Session, StoreUnavailableError, generateKey, samco } from "preopen";
import { StoreViolationError, checkStore } from "preopen/testing";

import { MemoryClaim, MemoryStore, WRONG, asynchronous, withClaim } from "./stores.mjs";
import { LOGIN, at, childEnvironment, count, runChild, settled, startBroker, until } from "./support.mjs";

const CANARY = "CANARY-4711-of-a-store";
const KEY = generateKey();
const READ = ["/quote/getQuote", { params: { symbolName: "INFY", exchange: "NSE" } }];

let broker;
let logins;
before(async () => {
  broker = await startBroker();
  await broker.clock.setRate(0);
});
beforeEach(async () => {
  delete process.env.PREOPEN_KEY;
  const before = await count(broker, "samco", LOGIN.samco);
  logins = async () => (await count(broker, "samco", LOGIN.samco)) - before;
});
after(() => broker.stop());

const credentials = samco({ apiKey: "a-key", apiSecret: "a-secret" });
const share = (store, options) => broker.session("samco", { store, storeKey: KEY, ...options });
const throws = (error) => () => {
  throw error;
};

/** The error of a session that must be refused. */
function refused(field, options) {
  let found;
  assert.throws(() => new Session(credentials, options), (error) => {
    found = error;
    return error instanceof InvalidInputError && error.field === field;
  }, inspect(options));
  return found.message;
}

describe("options", () => {
  test("what is no store", () => {
    for (const store of [5, null, true, {}, [], MemoryStore, { read: 1, claim: 1 }, Symbol("x")]) {
      assert.match(refused("store", { store, storeKey: KEY }), /an object with read and claim, not/);
    }
    for (const store of ["", "memcached", "http://127.0.0.1", "memory:x"]) assert.match(refused("store", { store }), /memory/);
    refused("store", { store: `${CANARY}\ud800` });
  });

  test("what is no key", () => {
    for (const store of ["memory", new MemoryStore()]) {
      for (const storeKey of [CANARY, "", 5, KEY + KEY]) assert.ok(!refused("storeKey", { store, storeKey }).includes(CANARY));
    }
    assert.match(refused("storeKey", { store: new MemoryStore(), storeKey: "keyring" }), /PREOPEN_KEY/);
  });

  test("a key there must be", () => {
    const store = new MemoryStore();
    assert.match(refused("storeKey", { store }), /PREOPEN_KEY/);
    process.env.PREOPEN_KEY = CANARY;
    assert.ok(!refused("storeKey", { store }).includes(CANARY));
    process.env.PREOPEN_KEY = KEY;
    assert.equal(new Session(credentials, { store }).store, "a store of the tests");
    assert.deepEqual(store.calls, []);
  });

  test("what to do on loss", () => {
    for (const onStoreLoss of ["", "log in", 5, null]) refused("onStoreLoss", { onStoreLoss });
    assert.equal(new Session(credentials, { onStoreLoss: "login" }).store, null);
  });

  test("the default is no store", () => {
    for (const options of [undefined, {}, { store: undefined }, { store: "memory" }]) assert.equal(new Session(credentials, options).store, null);
  });

  test("a store may describe itself in one line", () => {
    class Plain extends MemoryStore {
      describe = undefined;
    }
    assert.equal(new Session(credentials, { store: new Plain(), storeKey: KEY }).store, "Plain");
    const said = (describe) => ({ store: Object.assign(new MemoryStore(), { describe }), storeKey: KEY });
    assert.equal(new Session(credentials, said(() => "rows of ops@db1")).store, "rows of ops@db1");
    for (const wrong of ["", "two\nlines", "x".repeat(201)]) assert.match(refused("store", said(() => wrong)), /one line/);
    assert.match(refused("store", said(() => 5)), /gave a number, not text/);
    assert.match(refused("store", said(async () => "x")), /gave Promise, not text/);
    const message = refused("store", said(throws(new RangeError(CANARY))));
    assert.match(message, /threw RangeError/);
    assert.ok(!message.includes(CANARY));
  });

  test("nothing is done before the first call", () => {
    const store = new MemoryStore();
    const session = share(store);
    inspect(session);
    session.state();
    session.reset();
    assert.deepEqual(store.calls, []);
    assert.equal(session.store, "a store of the tests");
    assert.throws(() => Object.assign(session, { store: "another" }), TypeError);
  });
});

for (const [how, made] of [["plain", (store) => store], ["asynchronous", asynchronous]]) {
  test(`a session is found by the next program (${how})`, async () => {
    const store = new MemoryStore();
    const [first, second] = [share(made(store)), share(made(store))];
    const token = await first.token();
    assert.equal((await second.token()).expose(), token.expose());
    await first.get(...READ);
    await second.get(...READ);
    assert.equal(await logins(), 1);
    // Whoever is told of the end first renews it for both.
    await broker.clock.advanceTo("08:00 IST");
    const again = await Promise.all([first.token(), second.token()]);
    assert.equal(again[0].expose(), again[1].expose());
    assert.equal(await logins(), 2);
    await until(() => store.claimed.size === 0, () => "the release");
    for (const text of store.kept.values()) assert.ok(!text.includes(again[0].expose()));
    const other = await settled(share(made(store), { storeKey: generateKey() }).token());
    assert.ok(other.error instanceof LoginRequiredError, inspect(other));
    assert.equal(await logins(), 2);
  });

  test(`many sessions of their own log in once (${how})`, async () => {
    const store = new MemoryStore();
    const sessions = Array.from({ length: 16 }, () => share(made(store)));
    const tokens = await Promise.all(sessions.map((session) => session.token()));
    assert.equal(new Set(tokens.map((token) => token.expose())).size, 1);
    assert.equal(await logins(), 1);
    await until(() => store.claimed.size === 0, () => "the release");
  });
}

test("many processes log in once", async () => {
  // The store is here; the others ask for it over their standard input and output.
  const store = new MemoryStore();
  const { fork } = await import("node:child_process");
  const children = Array.from({ length: 6 }, () =>
    fork(new URL("children/stores.mjs", import.meta.url), { env: { ...process.env, ...childEnvironment(broker), PREOPEN_KEY: KEY } }),
  );
  const claims = new Map();
  const tokens = children.map((child, of) => {
    child.on("message", async ({ ask, method, argument, claim }) => {
      let gave;
      if (method === "claim") {
        const given = store.claim(argument);
        if (given !== null) claims.set(`${of} ${ask}`, given);
        gave = given === null ? null : { claim: ask, value: given.value ?? null };
      } else if (claim !== undefined) gave = claims.get(`${of} ${claim}`)[method](argument);
      else if (method === "read") gave = store.read(argument) ?? null;
      if (method !== undefined) child.send({ ask, gave });
    });
    return new Promise((resolve, reject) => {
      child.on("message", ({ token }) => token !== undefined && resolve(token));
      child.on("exit", (code) => reject(new Error(`a child ended with ${code}`)));
    });
  });
  const found = await Promise.all(tokens);
  assert.equal(new Set(found).size, 1);
  assert.equal(await logins(), 1);
});

/** A store with one method that does something else. */
function failing(method, instead) {
  if (method === "read" || method === "claim") return Object.assign(new MemoryStore(), { [method]: instead });
  return new (withClaim({ [method]: (_, ...given) => instead(...given) }))();
}

for (const method of ["read", "claim", "write", "goodFor"]) {
  test(`a ${method} that throws or rejects is a typed error`, async () => {
    class Odd extends Error {}
    for (const [thrown, told] of [[new Odd(CANARY), "Odd"], [CANARY, "a string"], [undefined, "undefined"]]) {
      for (const instead of [throws(thrown), () => Promise.reject(thrown), () => sleep(2).then(throws(thrown))]) {
        const store = failing(method, instead);
        const { error } = await settled(share(store).token());
        assert.ok(error instanceof StoreUnavailableError, inspect(error));
        assert.ok(error.message.includes(`a store of the tests cannot be used: its ${method}() threw ${told}`), error.message);
        assert.ok(!inspect(error, { depth: null, showHidden: true }).includes(CANARY));
        assert.equal(error.broker, "samco");
        await until(() => store.claimed.size === 0, () => "the release");
      }
    }
    assert.equal(await logins(), 0, "nothing was sent before others could know of it");
  });
}

test("a method that gives something else is a typed error", async () => {
  const cases = [
    ["read", 5, "its read() gave a number, not text or null"],
    ["read", Buffer.from("x"), "its read() gave Buffer, not text or null"],
    ["read", "half \ud800", "its read() gave text that is not valid Unicode"],
    ["claim", true, "its claim() gave a boolean, which is no claim"],
    ["claim", {}, "its claim() gave Object without a method write"],
    ["write", undefined, "its write() gave undefined, not true or false"],
    ["write", 1, "its write() gave a number, not true or false"],
    ["goodFor", null, "its goodFor() gave null, not a number"],
    ["goodFor", "30", "its goodFor() gave a string, not a number"],
    ["goodFor", -1, "its goodFor() gave what is no number of seconds"],
    ["goodFor", NaN, "its goodFor() gave what is no number of seconds"],
  ];
  for (const [method, value, told] of cases) {
    for (const instead of [() => value, async () => value]) {
      const store = failing(method, instead);
      const { error } = await settled(share(store).token());
      assert.ok(error instanceof StoreUnavailableError, inspect(error));
      assert.ok(error.message.includes(told), error.message);
      await until(() => store.claimed.size === 0, () => "the release");
    }
  }
  assert.equal(await logins(), 0);
});

test("a claim whose value is something else is released", async () => {
  const odd = (make) => Object.assign(new MemoryStore(), { makeClaim: make });
  const throwing = (store, account) => Object.defineProperty(new MemoryClaim(store, account), "value", { get: throws(new Error(CANARY)) });
  for (const make of [
    function (account) {
      return new MemoryClaim(this, account, 5);
    },
    function (account) {
      return throwing(this, account);
    },
  ]) {
    const store = odd(make);
    const { error } = await settled(share(store).token());
    assert.match(error.message, /its claim\(\) gave MemoryClaim whose value/);
    assert.ok(!error.message.includes(CANARY));
    await until(() => store.claimed.size === 0, () => "the release");
  }
});

test("a claim that is lost, or whose lease is too short for a login, is not used", async () => {
  for (const methods of [{ write: () => false }, { goodFor: () => 1 }]) {
    const { error } = await settled(share(new (withClaim(methods))()).token());
    assert.ok(error instanceof StoreUnavailableError && /lost/.test(error.message), inspect(error));
  }
  assert.equal(await logins(), 0);
  for (const seconds of [60, Infinity, 1e300]) await share(new (withClaim({ goodFor: () => seconds }))()).token();
});

test("a live session is served while its store is away", async () => {
  const store = new MemoryStore();
  const session = share(store);
  const token = (await session.token()).expose();
  store.read = store.claim = throws(new Error(CANARY));
  assert.equal((await session.token()).expose(), token);
  await session.get(...READ);
  assert.ok((await settled(share(store).token())).error instanceof StoreUnavailableError);
  await share(store, { onStoreLoss: "login" }).token();
  assert.equal(await logins(), 2);
});

test("a method that hangs holds up nobody else", async () => {
  const store = Object.assign(new MemoryStore(), { read: () => new Promise(() => undefined) });
  const session = share(store);
  const waiting = settled(session.token());
  await share(new MemoryStore()).token();
  session.close();
  assert.equal((await waiting).error.field, "session");
});

test("a session that is closed in a login gives its claim back", async () => {
  const store = new MemoryStore();
  await broker.fault("samco", LOGIN.samco, { delayMs: 1000, times: 1 });
  const session = share(store);
  const waiting = settled(session.token());
  await until(() => store.claimed.size === 1, () => "the claim");
  session.close();
  assert.ok((await waiting).error instanceof InvalidInputError);
  await until(() => store.claimed.size === 0, () => "the release");
});

const child = async (mode, flags = []) => {
  const { code, out, err } = await runChild("stores.mjs", [mode], { env: { ...childEnvironment(broker), PREOPEN_KEY: KEY }, flags });
  assert.deepEqual([code, err], [0, ""], mode);
  return out.trim();
};

test("a process ends while a method runs, and is not kept alive by a store", async () => {
  assert.equal(await child("hangs"), "end");
  assert.equal(await child("unused"), "end");
});

test("a store that refers to its session is collected with it", async () => {
  assert.equal(await child("collected", ["--expose-gc"]), "true");
});

test("a session that nobody refers to any more is still served while it logs in", async () => {
  assert.equal(await child("dropped", ["--expose-gc"]), "1");
});

test("a worker thread has a store of its own, and may end while it is asked", async () => {
  const account = broker.accounts.find((one) => one.broker === "samco");
  for (const [mode, told, key, env] of [["answers", "token", KEY], ["answers", "token", undefined, { PREOPEN_KEY: KEY }], ["hangs", "asked", KEY]]) {
    const worker = new Worker(at("tests/node/children/store-worker.mjs"), {
      env: { ...process.env, ...env },
      workerData: { mode, key, baseUrl: broker.samcoUrl, apiKey: account.apiKey, apiSecret: account.apiSecret },
    });
    const said = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
    assert.equal(said, told);
    await worker.terminate();
  }
  await share(new MemoryStore()).token();
});

test("secrets of a store show nowhere", async () => {
  class Secretive extends MemoryStore {
    password = CANARY;
  }
  const store = new Secretive();
  const session = share(store);
  const token = await session.token();
  const account = broker.accounts.find((one) => one.broker === "samco");
  for (const thing of [session, session.state(), session.store, await settled(share(failing("read", throws(new Error(CANARY)))).token())]) {
    const shown = inspect(thing, { depth: null, showHidden: true, getters: true }) + JSON.stringify(thing);
    for (const secret of [CANARY, KEY, token.expose(), account.apiSecret]) assert.ok(!shown.includes(secret), shown);
  }
  for (const text of store.kept.values()) {
    for (const secret of [KEY, token.expose(), account.apiKey, account.apiSecret]) assert.ok(!text.includes(secret));
  }
  for (const options of [
    { store: `memcached://user:${CANARY}@127.0.0.1` },
    { store: `redis://user:${CANARY}@127.0.0.1:1/0/no/such/path`, timeout: -1 },
    { store: CANARY },
    { store: [CANARY] },
    { storeKey: CANARY },
    { onStoreLoss: CANARY },
  ]) {
    const error = (() => {
      try {
        return new Session(credentials, options);
      } catch (caught) {
        return caught;
      }
    })();
    assert.ok(error instanceof InvalidInputError);
    assert.ok(!inspect(error, { depth: null, showHidden: true }).includes(CANARY));
  }
});

describe("conformance", { concurrency: true }, () => {
  test("a right store passes", async () => {
    await checkStore(new MemoryStore());
    await checkStore(asynchronous(new MemoryStore()));
    await checkStore(new (withClaim({ goodFor: async () => 30 }))());
  });

  for (const [bug, [Wrong, checks]] of Object.entries(WRONG)) {
    test(`a wrong store does not pass: ${bug}`, async () => {
      const { error } = await settled(checkStore(new Wrong()));
      assert.ok(error instanceof StoreViolationError && error instanceof assert.AssertionError, inspect(error));
      const found = error.violations.map((violation) => violation.split(": ")[0]);
      for (const check of checks) assert.ok(found.includes(check), error.message);
      for (const violation of error.violations) assert.ok(error.message.includes(`- ${violation}`));
    });
  }

  test("a store that throws is told of each check", async () => {
    const { error } = await settled(checkStore(failing("claim", throws(new TypeError(CANARY)))));
    assert.ok(error.violations.length >= 13);
    assert.match(error.message, /its claim\(\) threw TypeError/);
    assert.ok(!error.message.includes(CANARY));
  });

  test("what is no store is refused", async () => {
    for (const store of ["memory", null, {}, MemoryStore]) {
      await assert.rejects(checkStore(store), { code: "invalid_input", field: "store" });
    }
  });
});
