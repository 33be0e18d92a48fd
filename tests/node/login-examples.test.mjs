// The examples of logins at the broker's page and of the deprecated login, against the embedded broker.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";

import { generateKey, samcoLegacy, samcoOAuth } from "preopen";

import { createApp } from "../../examples/oauth-express.mjs";
import { ensure, withBrowser, withPaste } from "../../examples/oauth-loopback.mjs";
import { changeIps, logIn, mailKey } from "../../examples/samco-legacy.mjs";

import { assertFree, startApp } from "./app.mjs";
import { count, startBroker } from "./support.mjs";

let broker;
before(async () => {
  broker = await startBroker();
});
after(() => broker.stop());

/** Two web servers on one store. */
async function pods() {
  const folder = await mkdtemp(join(tmpdir(), "preopen-"));
  const { apiKey, redirectUrl } = broker.accounts.find((one) => one.broker === "samco");
  const options = { credentials: samcoOAuth({ apiKey, redirectUrl }), store: `file:${folder}`, storeKey: generateKey() };
  const sessions = [broker.session("samco", options), broker.session("samco", options)];
  const servers = sessions.map((session) => createApp(session).listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const get = servers.map((server) => (path) => fetch(`http://127.0.0.1:${server.address().port}${path}`, { redirect: "manual" }));
  return {
    get,
    stop: async () => {
      for (const session of sessions) session.close();
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
      await rm(folder, { recursive: true });
    },
  };
}

/** The address that the browser is sent to, as a request to whichever pod is behind it. */
function callback(address) {
  const { pathname, search } = new URL(address);
  return pathname + search;
}

test("oauth-express: any pod receives the callback", async () => {
  const { get: [one, other], stop } = await pods();
  try {
    for (const pod of [one, other]) assert.deepEqual(await (await pod("/")).json(), { session: "nobody is logged in" });
    const login = await one("/login");
    assert.equal(login.status, 303);
    const back = callback(await broker.consent(login.headers.get("location")));
    const done = await other(back);
    assert.deepEqual([done.status, done.headers.get("location")], [303, "/"]);
    for (const { headers } of [login, done]) {
      assert.deepEqual([headers.get("cache-control"), headers.get("referrer-policy"), headers.get("x-powered-by")], ["no-store", "no-referrer", null]);
    }
    // Whichever pod is asked: the one that began the login has not heard of its end.
    for (const pod of [one, other]) assert.equal((await (await pod("/")).json()).session, "active");
    const again = await one(back);
    const text = await again.text();
    assert.equal(again.status, 400);
    assert.match(text, /state/);
    assert.ok(!text.includes(new URLSearchParams(back.split("?")[1]).get("code")));
    assert.equal(await count(broker, "samco", "/oauth/token"), 1);

    assert.equal((await one("/callback?code=made-up&state=made-up")).status, 400);
    const cancelled = await other(callback(await broker.consent((await one("/login")).headers.get("location"), { approve: false })));
    assert.equal(cancelled.status, 400);
    assert.match(await cancelled.text(), /cancelled/);
    await broker.fault("samco", "/oauth/token", { status: 503, body: "down" });
    const down = await other(callback(await broker.consent((await one("/login")).headers.get("location"))));
    assert.equal(down.status, 503);
  } finally {
    await stop();
  }
});

test("oauth-loopback: with a browser here, and with the address of one elsewhere", async () => {
  const app = await startApp();
  try {
    const here = app.session();
    const say = async (words, url) => assert.equal((await app.visit({ url })).status, 200, words);
    assert.equal((await ensure(here, () => withBrowser(here, { openBrowser: false, say }))).generation, 1);
    await assertFree(app.port);
    assert.equal((await ensure(here, () => assert.fail("nobody is asked"))).generation, 1);

    const elsewhere = app.session();
    const page = Promise.withResolvers();
    const ask = async () => app.consent(await page.promise);
    assert.equal((await ensure(elsewhere, () => withPaste(elsewhere, { ask, say: (words, url) => page.resolve({ url }) }))).generation, 1);
  } finally {
    await app.stop();
  }
});

test("samco-legacy: the login, the key and the addresses", async () => {
  const { account, password, secretApiKey } = broker.accounts.find((one) => one.broker === "samco");
  const session = broker.session("samco", { credentials: samcoLegacy({ userId: account, password, secretApiKey }) });
  const said = [];
  const say = (text) => said.push(text);
  assert.equal((await logIn(session)).generation, 1);
  await mailKey(session, { say, ask: async () => (await broker.inbox()).at(-1).value });
  assert.deepEqual((await broker.inbox()).map(({ kind }) => kind), ["otp", "otp", "secret_api_key"]);
  await changeIps(session, "8.8.8.8", "8.8.4.4", { say });
  assert.equal(said.length, 3);
  assert.equal(await count(broker, "samco", "/ip/ipUpdate"), 1);
});
