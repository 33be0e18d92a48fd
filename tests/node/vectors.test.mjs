// Every vector of tests/vectors: the embedded broker answers with it, and the session must make of it what it says.

import assert from "node:assert/strict";
import test, { after, before } from "node:test";

import { Sandbox } from "preopen/sandbox";

import { LOGIN, TEN_O_CLOCK, assertHas, camel, cases, errorFields, settled } from "./support.mjs";

const PATHS = {
  samco: { login: LOGIN.samco, whoami: "/ip/whoami" },
  angelone: { login: LOGIN.angelone, profile: "/rest/secure/angelbroking/user/v1/getProfile" },
};

let broker;
before(async () => {
  broker = await Sandbox.start();
  await broker.clock.set(TEN_O_CLOCK);
  // Fast, so that waiting for the next one-time code takes no time.
  await broker.clock.setRate(200);
});
after(() => broker.stop());

function fault({ status, content_type, retry_after, body, text }) {
  const headers = {};
  if (content_type) headers["content-type"] = content_type;
  if (retry_after) headers["retry-after"] = String(retry_after);
  return { status, headers, body: text ?? JSON.stringify(body), times: 10 };
}

/** Makes the call of a vector. */
async function answer(session, call) {
  if (call === "login") {
    const token = await session.token();
    const { accountId } = session.broker === "samco" ? await session.profile() : {};
    return { token: token.expose(), accountId };
  }
  if (call === "whoami" || call === "profile") return session[call]();
  const [method, path] = call.split(" ");
  return session[method.toLowerCase()](path, { json: method === "POST" ? {} : undefined });
}

async function run(name, vector) {
  const session = broker.session(name);
  if (vector.call !== "login") await session.token();
  const path = vector.call.includes(" ") ? vector.call.split(" ")[1] : PATHS[name][vector.call];
  await broker.fault(name, path, fault(vector.reply));
  try {
    const { ok, error } = await settled(answer(session, vector.call));
    if (vector.expect.error) {
      assert.ok(error, "must fail");
      assertHas(errorFields(error), vector.expect.error, "error");
    } else {
      if (error) throw error;
      const { source_ip, primary_ip, secondary_ip, ...login } = vector.expect.ok;
      assertHas(ok, camel(vector.call === "login" ? login : vector.expect.ok), "ok");
    }
  } finally {
    await broker.clearFaults();
    // After a rate limit the account's calls pause.
    session.reset();
  }
}

for (const name of ["samco", "angelone"]) {
  const vectors = cases(`tests/vectors/${name}`);
  assert.ok(vectors.length >= 40);
  for (const [title, vector] of vectors) test(`${name}/${title}`, () => run(name, vector));
}
