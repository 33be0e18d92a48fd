// The example of a store in PostgreSQL, against a real server.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import test, { after, before, beforeEach } from "node:test";
import { fileURLToPath } from "node:url";

import pg from "pg";

import { generateKey } from "preopen";
import { checkStore } from "preopen/testing";

import { PostgresStore, main } from "../../examples/postgres-store.mjs";

import { startPostgres } from "./postgres.mjs";
import { LOGIN, at, childEnvironment, count, runChild, settled, startBroker, until, untilSeen } from "./support.mjs";

const KEY = generateKey();

let broker;
let server;
let store;
let admin;
let logins;
before(async () => {
  server = startPostgres();
  broker = await startBroker();
  await broker.clock.setRate(0);
  store = new PostgresStore(server.config);
  await store.createTables();
  admin = new pg.Client(server.config);
  await admin.connect();
});
beforeEach(async () => {
  await admin.query("TRUNCATE preopen_claims, preopen_values");
  const before = await count(broker, "samco", LOGIN.samco);
  logins = async () => (await count(broker, "samco", LOGIN.samco)) - before;
});
after(async () => {
  await admin?.end();
  await store?.close();
  await broker?.stop();
  server?.stop();
});

const share = () => broker.session("samco", { store, storeKey: KEY });
const environment = () => ({ ...childEnvironment(broker), PREOPEN_KEY: KEY, PREOPEN_TEST_POSTGRES: JSON.stringify(server.config) });

/** Ends the connections that hold a claim, as a server that is restarted or a network that breaks does, and waits until they are gone. */
async function endClaims() {
  const { rowCount } = await admin.query(
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'preopen' AND state = 'idle in transaction'",
  );
  return rowCount;
}

test("it conforms", () => checkStore(store));

test("many processes log in once", async () => {
  const ran = await Promise.all(Array.from({ length: 6 }, () => runChild("postgres.mjs", [], { env: environment() })));
  for (const { code, out, err } of ran) assert.deepEqual([code, out, err], [0, "1\n", ""]);
  assert.equal(await logins(), 1);
  await broker.clock.advanceTo("08:00 IST");
  assert.equal((await share().token()).generation, 2);
  assert.equal(await logins(), 2);
});

test("a program that is killed while it logs in leaves the claim free", async () => {
  const seen = await count(broker, "samco", LOGIN.samco);
  await broker.fault("samco", LOGIN.samco, { delayMs: 60_000, times: 1 });
  const child = spawn(process.execPath, [fileURLToPath(at("tests/node/children/postgres.mjs"))], { env: { ...process.env, ...environment() } });
  await untilSeen(broker, "samco", LOGIN.samco, seen + 1);
  child.kill("SIGKILL");
  await once(child, "close");
  // The guard was durable before the login was sent; there is no session yet.
  const { rows } = await admin.query("SELECT value FROM preopen_values");
  assert.match(rows[0].value, /^\|.{100,}$/);
  await share().token();
  assert.equal(await logins(), 2);
});

test("a claim whose connection is lost writes nothing any more", async () => {
  const claim = await store.claim("a");
  assert.equal(await claim.write("before"), true);
  assert.equal(await store.claim("a"), null);
  assert.equal(await endClaims(), 1);
  await until(async () => (await claim.write("after")) === false, () => "the loss");
  await claim.release();
  const second = await store.claim("a");
  assert.equal(second.value, "before");
  assert.equal(await second.write("new"), true);
  // An old fence changes nothing even if the loss went unnoticed.
  const { rowCount } = await admin.query("UPDATE preopen_values SET value = 'late' WHERE account = 'a' AND fence = 1");
  assert.equal(rowCount, 0);
  assert.equal(await store.read("a"), "new");
  await second.release();
});

test("a login whose claim is lost is not published", async () => {
  const seen = await count(broker, "samco", LOGIN.samco);
  await broker.fault("samco", LOGIN.samco, { delayMs: 1500, times: 1 });
  const session = share();
  const token = session.token();
  await untilSeen(broker, "samco", LOGIN.samco, seen + 1);
  assert.equal(await endClaims(), 1);
  const served = (await token).expose();
  assert.equal((await share().token()).expose(), served);
  assert.equal((await session.token()).expose(), served);
});

test("a server that goes away is a typed error", async () => {
  const other = startPostgres();
  const own = new PostgresStore({ ...other.config, connectionTimeoutMillis: 1000 });
  await own.createTables();
  const session = broker.session("samco", { store: own, storeKey: KEY });
  const token = (await session.token()).expose();
  other.stop();
  assert.equal((await session.token()).expose(), token);
  session.invalidate(1);
  const { error } = await settled(session.token());
  assert.equal(error.code, "store_unavailable");
  assert.match(error.message, /^the session store PostgreSQL postgres on \/tmp\/.* cannot be used: its \w+\(\) threw \w+$/);
  await own.close();
});

test("the example runs", async (context) => {
  const { host, user, database } = server.config;
  const account = broker.accounts.find((one) => one.broker === "samco");
  Object.assign(process.env, { SAMCO_API_KEY: account.apiKey, SAMCO_API_SECRET: account.apiSecret, PREOPEN_KEY: KEY });
  const said = context.mock.method(console, "log", () => undefined);
  // Of another day: the session of this morning's clock is over.
  await broker.clock.set(new Date());
  const url = `postgres://${user}@${encodeURIComponent(host)}/${database}`;
  await main(url, { baseUrl: broker.samcoUrl });
  assert.match(said.mock.calls[0].arguments[0], /^generation 1, until 20.*, shared through PostgreSQL postgres on \/tmp/);
});
