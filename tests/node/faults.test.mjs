// What goes wrong between a session and a broker beyond the rows of tests/faults/matrix.json. No error shows a secret.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import test, { after, before } from "node:test";
import { inspect } from "node:util";

import * as preopen from "preopen";

import { LOGIN, count, settled, startBroker } from "./support.mjs";

const QUOTE = "/quote/getQuote";
const ORDER = "/order/placeOrder";
let broker;

before(async () => {
  broker = await startBroker();
});
after(() => broker.stop());

/** Everything that a program might print of an error. */
function renderings(error) {
  const all = [String(error), error.message, error.stack, JSON.stringify(error), inspect(error, { depth: null, showHidden: true })];
  return error.cause instanceof Error ? [...all, ...renderings(error.cause)] : all;
}

/** The error of a promise that must reject, without a secret of any account in it. */
async function failure(promise, secrets = []) {
  const { error } = await settled(promise);
  assert.ok(error instanceof preopen.PreopenError, `got ${inspect(error)}`);
  const known = broker.accounts.flatMap(({ apiKey, apiSecret, pin, totpSecret }) => [apiKey, apiSecret, pin, totpSecret]);
  for (const secret of [...known, ...secrets].filter((one) => one?.length > 4)) {
    for (const text of renderings(error)) assert.ok(!text.includes(secret), `shows ${secret}: ${text}`);
  }
  return error;
}

async function logins(name) {
  return count(broker, name, LOGIN[name]);
}

const WRONG = {
  "a wrong Samco secret": ["samco", "api_secret", () => broker.samcoCredentials(0, { apiSecret: "W".repeat(40) }), 1],
  "a wrong Samco key": ["samco", "api_key", () => broker.samcoCredentials(0, { apiKey: "no-such-key" }), 1],
  "a wrong PIN": ["angelone", "pin", () => broker.angeloneCredentials(0, { pin: "9876" }), 1],
  // One more try in the next step, since a late code is refused in the same words.
  "a wrong TOTP secret": ["angelone", "totp", () => broker.angeloneCredentials(0, { totpSecret: "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK" }), 2],
};

for (const [title, [name, which, credentials, calls]] of Object.entries(WRONG)) {
  test(`${title} is told apart and costs ${calls} login call(s), however often it is tried`, async () => {
    const before = await logins(name);
    const session = broker.session(name, { credentials: credentials() });
    const first = await failure(session.token());
    assert.ok(first instanceof preopen.CredentialsRejectedError, String(first));
    assert.deepEqual([first.which, first.retryable, first.broker], [which, false, name]);
    for (const again of [() => session.token(), () => session.headers(), () => session.get("/x"), () => session.whoami()]) {
      if (name === "angelone" && String(again).includes("whoami")) continue;
      assert.equal((await failure(again())).code, "credentials_rejected");
    }
    assert.equal(session.state().name, "blocked");
    assert.ok(session.state().blockedBy instanceof preopen.CredentialsRejectedError);
    assert.equal((await logins(name)) - before, calls);
  });
}

test("a dead server is a network error in the phase connect", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  const session = new preopen.Session(broker.samcoCredentials(), { baseUrl: `http://127.0.0.1:${port}` });
  const error = await failure(session.token());
  assert.ok(error instanceof preopen.NetworkError, String(error));
  assert.deepEqual([error.phase, error.advice, error.retryable], ["connect", "now", true]);
  assert.ok(error.cause instanceof Error, "the lower-level cause is told");
});

test("an unregistered address is refused with the addresses", async () => {
  const session = broker.session("samco");
  await session.token();
  await broker.setSourceIp("198.51.100.77");
  try {
    const who = await session.whoami();
    assert.deepEqual([who.verdict, who.matchedAs, who.sourceIp], ["mismatch", undefined, "198.51.100.77"]);
    const error = await failure(session.post(ORDER, { json: { symbolName: "INFY" } }));
    assert.ok(error instanceof preopen.StaticIpMismatchError, String(error));
    assert.equal(error.primaryIp, broker.accounts[0].primaryIp);
  } finally {
    await broker.setSourceIp("home");
  }
});

test("a deadline of one call is its own", async () => {
  const session = broker.session("samco");
  await session.token();
  await broker.fault("samco", QUOTE, { stall: "before", times: 5 });
  const started = performance.now();
  const error = await failure(session.get(QUOTE, { timeout: 0.2 }));
  await broker.clearFaults();
  assert.ok(error instanceof preopen.TimeoutError, String(error));
  assert.ok(performance.now() - started < 5000);
});
