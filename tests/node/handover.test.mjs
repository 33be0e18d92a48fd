// Handing a session to another program: sealed or openly, and every way in which that is refused.

import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { inspect } from "node:util";
import { Worker } from "node:worker_threads";

import { InvalidInputError, Session, angelOne, generateKey, samco } from "preopen";
import { Sandbox } from "preopen/sandbox";

import { LOGIN, childEnvironment, count, runChild, settled, startBroker } from "./support.mjs";

let broker;
let keyBefore;
before(async () => {
  keyBefore = process.env.PREOPEN_KEY;
  delete process.env.PREOPEN_KEY;
  broker = await startBroker();
  await broker.clock.setRate(0);
});
after(async () => {
  if (keyBefore === undefined) delete process.env.PREOPEN_KEY;
  else process.env.PREOPEN_KEY = keyBefore;
  await broker.stop();
});

/** A live session, sealed with a key of its own. */
async function sealed(name = "samco") {
  const session = broker.session(name);
  const token = await session.token();
  const key = generateKey();
  return { session, token, key, record: await session.export({ key }) };
}

function refused(field, message, attempt) {
  assert.throws(attempt, (error) => {
    assert.ok(error instanceof InvalidInputError, inspect(error));
    assert.equal(error.field, field, error.message);
    assert.match(error.message, message);
    return true;
  });
}

test("a key is 43 characters of base64url, each time another", () => {
  const keys = Array.from({ length: 100 }, generateKey);
  for (const key of keys) assert.match(key, /^[A-Za-z0-9_-]{43}$/);
  assert.equal(new Set(keys).size, 100);
});

for (const name of ["samco", "angelone"]) {
  test(`a ${name} session is handed over, sealed and openly, without another login`, async () => {
    const { session, token, key, record } = await sealed(name);
    const logins = await count(broker, name, LOGIN[name]);
    const exposed = await session.exportExposed();
    assert.ok(record.startsWith("preopen1.") && !/\s/.test(record) && !record.includes(token.expose()));
    assert.ok(exposed.includes(token.expose()) && JSON.parse(exposed).preopen_session === 1);
    const heirs = [broker.session(name), broker.session(name), broker.session(name)];
    heirs[0].prime(record, { key });
    heirs[1].prime(` ${record}\n`, { key });
    heirs[2].prime(exposed);
    for (const heir of heirs) {
      const taken = await heir.token();
      assert.equal(taken.expose(), token.expose());
      assert.deepEqual(taken.expiresAt, token.expiresAt);
      assert.deepEqual(await heir.headers(), await session.headers());
      assert.equal(heir.state().name, "active");
      assert.equal((await heir.profile()).accountId, (await session.profile()).accountId);
    }
    assert.equal(await count(broker, name, LOGIN[name]), logins);
  });
}

test("an export logs in when there is no session, and takes a signal", async () => {
  const session = broker.session("samco");
  const signal = AbortSignal.abort(new Error("enough"));
  for (const call of [session.export({ key: generateKey(), signal }), session.exportExposed({ signal })]) {
    assert.equal((await settled(call)).error?.message, "enough");
  }
  assert.equal(session.state().generation, 0);
  await session.exportExposed();
  assert.equal(session.state().generation, 1);
});

test("a primed session replaces what was handed out before, and tells", async () => {
  const { session, record, key } = await sealed();
  const events = session.events();
  const before = await session.headers();
  session.invalidate(1);
  await broker.clock.advance(1);
  const other = broker.session("samco");
  const { ok: fresh } = await settled(other.exportExposed());
  session.prime(fresh);
  const token = await session.token();
  assert.equal(token.expose(), (await other.token()).expose());
  assert.notDeepEqual(await session.headers(), before);
  const names = [(await events.next()).value.name, (await events.next()).value.name];
  assert.deepEqual(names, ["expired", "renewed"]);
  refused("record", /^record /, () => session.prime(record, { key }));
  await events.return();
});

test("the key may be in the environment of the process", async () => {
  // On the machine's own clock, which is that of the other process.
  const real = await Sandbox.start();
  process.env.PREOPEN_KEY = generateKey();
  try {
    const session = real.session("samco");
    const token = await session.token();
    const record = await session.export();
    const environment = { ...childEnvironment(real), PREOPEN_TEST_RECORD: record, PREOPEN_TEST_TOKEN: token.expose() };
    const { code, out, err } = await runChild("handover.mjs", [], { env: environment });
    assert.deepEqual([code, out.trim(), err], [0, "true 200", ""]);
    assert.equal(await count(real, "samco", LOGIN.samco), 1, "the other process made no login");
  } finally {
    await real.stop();
    delete process.env.PREOPEN_KEY;
  }
});

test("a worker thread has the environment that it was given, not the process's", async () => {
  process.env.PREOPEN_KEY = generateKey();
  try {
    const source = `
      const { parentPort } = require("node:worker_threads");
      const { Session, samco } = require("preopen");
      new Session(samco({ apiKey: "key", apiSecret: "secret" })).export().catch((error) => parentPort.postMessage(error.message));
    `;
    const worker = new Worker(source, { eval: true, env: {} });
    const [message] = await new Promise((resolve, reject) => worker.on("message", (...told) => resolve(told)).on("error", reject));
    assert.match(message, /^key is not given/);
  } finally {
    delete process.env.PREOPEN_KEY;
  }
});

test("a sealed record opens only with its key, unchanged", async () => {
  const { record, key } = await sealed();
  const heir = broker.session("samco");
  refused("key", /^key is not given, but the record is sealed/, () => heir.prime(record));
  refused("record", /another key, or is damaged/, () => heir.prime(record, { key: generateKey() }));
  for (const bad of ["", "short", "password", `${key}A`]) refused("key", /^key is not a key/, () => heir.prime(record, { key: bad }));
  const parts = record.split(".");
  for (const part of [1, 2]) {
    for (const place of [0, 1, Math.floor(parts[part].length / 2), parts[part].length - 2]) {
      const flipped = [...parts];
      const letter = parts[part][place] === "A" ? "B" : "A";
      flipped[part] = parts[part].slice(0, place) + letter + parts[part].slice(place + 1);
      refused("record", /^record /, () => heir.prime(flipped.join("."), { key }));
    }
  }
  for (const bad of ["", "nonsense", record.slice(0, -1), record.slice(0, 40), `x${record}`, "{}", "{", "null", '{"preopen_session":2}']) {
    refused("record", /^record /, () => heir.prime(bad, { key }));
  }
  assert.equal(heir.state().name, "signed_out");
  heir.prime(record, { key });
  assert.equal(heir.state().name, "active");
});

test("a record is bound to its account, its broker and its sandbox", async () => {
  const { session, record, key } = await sealed();
  const exposed = await session.exportExposed();
  const strangers = [
    [broker.session("angelone"), /is of another broker than angelone/],
    [broker.session("samco", { credentials: samco({ apiKey: "another-key", apiSecret: "secret" }) }), /another account or API key/],
    [new Session(broker.samcoCredentials(), { baseUrl: "http://127.0.0.1:9" }), /another base_?url/i],
  ];
  for (const [stranger, message] of strangers) {
    refused("record", message, () => stranger.prime(record, { key }));
    refused("record", message, () => stranger.prime(exposed));
    assert.equal(stranger.state().name, "signed_out");
  }
});

test("X4: a sandbox record is refused by a live session before any I/O, and the reverse", async () => {
  const { session, record, key } = await sealed();
  const live = new Session(samco({ apiKey: "live-key", apiSecret: "live-secret" }), { sourceIp: "127.0.0.1", timeout: 0.2 });
  assert.equal(live.environment, "live");
  refused("record", /is of a sandbox session: it cannot be used on a live one/, () => live.prime(record, { key }));
  const exposed = await session.exportExposed();
  refused("record", /is of a sandbox session: it cannot be used on a live one/, () => live.prime(exposed));
  const forged = { ...JSON.parse(exposed), environment: "live", base_url: null };
  refused("record", /is of a live session: it cannot be used on a sandbox one/, () => broker.session("samco").prime(JSON.stringify(forged)));
  assert.deepEqual([live.state().name, live.state().generation], ["signed_out", 0]);
});

test("X4: the embedded broker's credentials are refused where its URL is not given", () => {
  for (const credentials of [broker.samcoCredentials(), broker.angeloneCredentials()]) refused("baseUrl", /is not that of the embedded broker/, () => new Session(credentials));
  assert.equal(new Session(angelOne({ apiKey: "key", clientCode: "A1", pin: "0000", totpSecret: "JBSWY3DPEHPK3PXPJBSWY3DPEH" })).environment, "live");
});

test("a record that is over is refused", async () => {
  const { record, key } = await sealed();
  await broker.clock.advanceTo("08:00 IST");
  refused("record", /^record /, () => broker.session("samco").prime(record, { key }));
});

test("wrong values are refused by name", async () => {
  const { session, record, key } = await sealed();
  refused("record", /must be the text/, () => session.prime(7));
  refused("record", /must be the text/, () => session.prime());
  refused("record", /valid Unicode/, () => session.prime("\ud800"));
  refused("key", /must be a string/, () => session.prime(record, { key: 7 }));
  refused("keys", /is not an option/, () => session.prime(record, { keys: key }));
  for (const [options, field] of [[{}, "key"], [{ key: 7 }, "key"], [{ key: "short" }, "key"], [{ seal: key }, "seal"], [null, "options"]]) {
    await assert.rejects(session.export(options), { name: "InvalidInputError", field });
  }
  await assert.rejects(session.exportExposed({ key }), { name: "InvalidInputError", field: "key" });
  session.close();
  for (const call of [session.export({ key }), session.exportExposed()]) await assert.rejects(call, { name: "InvalidInputError", field: "session" });
  assert.throws(() => session.prime(record, { key }), { name: "InvalidInputError", field: "session" });
});
