// A canary in every credential and token: no rendering of anything that a program holds shows it (X1).

import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { format, inspect } from "node:util";
import { serialize } from "node:v8";

import { Session, angelOne, samco } from "preopen";

import { LOGIN, settled, startBroker } from "./support.mjs";

const KEY = "CANARY-key-0123456789";
const SECRET = "CANARY-secret-0123456789012345678901234567890";
const TOKEN = "CANARY-token-0123456789";
const TOTP = "CANARYCANARYCANARYCANARYCANARYCA";
const QUOTE = "/quote/getQuote";
const ORDER = "/order/placeOrder";
const DATA = "/rest/secure/angelbroking/user/v1/getRMS";

let broker;
before(async () => {
  broker = await startBroker();
});
after(() => broker.stop());

/** Every way in which a program shows or copies a value. Copying may be refused. */
function renderings(value) {
  const shown = [
    inspect(value),
    inspect(value, { depth: null, showHidden: true, getters: true }),
    inspect(value, { depth: null, showHidden: true, customInspect: false, showProxy: true }),
    inspect({ nested: [value], map: new Map([[value, value]]) }, { depth: null }),
    format("%s %o %O %j", value, value, value, value),
    String(value),
    `${value}`,
    JSON.stringify({ value }),
    inspect(Object.entries(value)),
    inspect(Object.getOwnPropertyDescriptors(value), { depth: null }),
    inspect({ ...value }, { depth: null }),
    inspect(Reflect.ownKeys(value)),
  ];
  for (const copy of [() => inspect(structuredClone(value), { depth: null, showHidden: true }), () => serialize(value).toString("latin1")]) {
    try {
      shown.push(copy());
    } catch (error) {
      shown.push(inspect(error));
    }
  }
  if (value instanceof Error) {
    shown.push(value.stack, value.message);
    if (value.cause instanceof Error) shown.push(...renderings(value.cause));
  }
  return shown;
}

function assertHidden(value, what) {
  for (const text of renderings(value)) {
    assert.ok(!/CANARY/i.test(text), `${what} shows a secret: ${text}`);
  }
}

function reply(body) {
  return { status: 200, body: { serverTime: "23/11/26 10:00:00", status: "Success", ...body } };
}

/** A session whose credentials and token are canaries. */
async function samcoSession() {
  const credentials = samco({ apiKey: KEY, apiSecret: SECRET });
  assertHidden(credentials, "samco credentials");
  const session = broker.session("samco", { credentials, timeout: 0.5 });
  await broker.fault("samco", LOGIN.samco, { ...reply({ sessionToken: TOKEN, accountID: "SBX1" }), times: 20 });
  return session;
}

test("credentials, sessions, tokens and states show nothing", async () => {
  const session = await samcoSession();
  assertHidden(session, "a session that never logged in");
  const token = await session.token();
  assert.equal(token.expose(), TOKEN);
  await session.headers();
  await session.token();
  assertHidden(token, "a token");
  assertHidden(session, "a session");
  assertHidden(session.state(), "a state");
  assert.equal(JSON.stringify(token), JSON.stringify({ token: "**redacted**", expiresAt: token.expiresAt, generation: 1 }));
  const account = angelOne({ apiKey: KEY, clientCode: "A1", pin: "4711", totpSecret: TOTP });
  assertHidden(account, "angelone credentials");
  assertHidden(new Session(account), "an angelone session");
  await broker.clearFaults();
});

/** What a broker might say, with everything that it was sent echoed. */
const ECHO = `you sent ${KEY} ${SECRET} ${TOKEN}`;
const refusal = (status, text = ECHO) => ({ status, body: { status: "Failure", statusMessage: text }, times: 5 });

const SAMCO = {
  static_ip_mismatch: [QUOTE, refusal(403, `The IP is not the registered static IP ${ECHO}`)],
  account_action_required: [QUOTE, refusal(403, `User account is blocked ${ECHO}`)],
  rate_limited: [QUOTE, refusal(429)],
  broker_unavailable: [QUOTE, refusal(503)],
  broker_rejected: [QUOTE, refusal(400)],
  malformed_response: [QUOTE, { body: `{"cut": "${ECHO}`, status: 200, times: 5 }],
  session_expired: [ORDER, refusal(401)],
  timeout: [QUOTE, { stall: "before", times: 5 }],
  network: [QUOTE, { reset: "before", times: 5 }],
  outcome_unknown: [ORDER, { ...refusal(503), times: 5 }],
};

for (const [code, [path, spec]] of Object.entries(SAMCO)) {
  test(`${code} shows nothing of what the broker echoes`, async () => {
    try {
      const session = await samcoSession();
      await session.token();
      await broker.fault("samco", path, spec);
      const call = path === ORDER ? session.post(path, { json: { echo: SECRET } }) : session.get(path);
      const { error } = await settled(call);
      assert.equal(error?.code, code, inspect(error));
      assertHidden(error, code);
    } finally {
      await broker.clearFaults();
    }
  });
}

test("credentials_rejected and login_required show nothing", async () => {
  try {
    const session = await samcoSession();
    await broker.clearFaults();
    await broker.fault("samco", LOGIN.samco, { status: 401, body: { status: "Failure", errorCode: "EOAUTH008", statusMessage: `you sent ${KEY} ${SECRET}` } });
    const { error } = await settled(session.token());
    assert.equal(error?.code, "credentials_rejected", inspect(error));
    assertHidden(error, "credentials_rejected");
    assertHidden(session.state(), "a blocked state");

    const angel = broker.session("angelone");
    const { error: refused } = await settled(
      (async () => {
        const canary = (await angel.token()).expose();
        await broker.fault("angelone", DATA, { status: 200, body: { status: false, message: `Invalid Refresh Token ${canary}`, errorcode: "AB8050", data: null }, times: 5 });
        await angel.get(DATA).catch((error) => {
          for (const text of renderings(error)) assert.ok(!text.includes(canary), text);
          throw error;
        });
      })(),
    );
    assert.equal(refused?.code, "login_required", inspect(refused));
  } finally {
    await broker.clearFaults();
  }
});

test("invalid_input shows nothing", async () => {
  for (const make of [
    () => new Session(samco({ apiKey: KEY, apiSecret: "" })),
    () => samco({ apiKey: KEY, apiSecret: { SECRET } }),
    () => new Session(angelOne({ apiKey: KEY, clientCode: "A1", pin: "CANARY", totpSecret: TOTP })),
    () => new Session(angelOne({ apiKey: KEY, clientCode: "A1", pin: "4711", totpSecret: "CANARY-0189" })),
  ]) {
    const { error } = await settled((async () => make())());
    assert.equal(error?.code, "invalid_input", inspect(error));
    assertHidden(error, "invalid_input");
  }
});
