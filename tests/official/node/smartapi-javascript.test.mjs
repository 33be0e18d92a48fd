// Angel One's own Node client, `smartapi-javascript` 1.0.27, against the embedded broker.
//
// Its constructor asks public services for this machine's address and its import opens `./error.log`. The
// tests keep both away from the network and from the repository.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { startSandbox, totp } from "./sandbox.mjs";

const require = createRequire(import.meta.url);
const LOGIN_PATH = "/rest/auth/angelbroking/user/v1/loginByPassword";

let sandbox;
let account;
let client;
let login;
let lookups = 0;
const folder = mkdtempSync(join(tmpdir(), "smartapi-"));

before(async () => {
  for (const name of ["http_proxy", "https_proxy", "all_proxy"]) {
    delete process.env[name];
    delete process.env[name.toUpperCase()];
  }
  process.chdir(folder);
  const place = require.resolve("public-ip");
  require.cache[place] = {
    id: place,
    filename: place,
    loaded: true,
    exports: {
      v4: async () => {
        lookups += 1;
        return "192.0.2.1";
      },
    },
  };
  const { SmartAPI } = require("smartapi-javascript");
  sandbox = await startSandbox();
  account = sandbox.account("angelone");
  client = new SmartAPI({ api_key: account.api_key, root: sandbox.angelone_url });
  login = await client.generateSession(account.client_code, account.pin, totp(account.totp_secret));
});

after(async () => {
  await sandbox?.stop();
  process.chdir(tmpdir());
  rmSync(folder, { recursive: true, force: true });
});

test("the test's own one-time codes are right", () => {
  // RFC 6238, appendix B, cut to six digits; the secret is the ASCII text 12345678901234567890.
  assert.equal(totp("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 59), "287082");
  assert.equal(totp("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 1111111109), "081804");
});

test("its constructor looks up an address", () => {
  assert.equal(lookups, 1);
});

test("login with a PIN and a TOTP", () => {
  assert.equal(login.status, true);
  for (const name of ["jwtToken", "refreshToken", "feedToken"]) {
    assert.equal(typeof login.data[name], "string", name);
    assert.notEqual(login.data[name], "", name);
  }
});

test("it keeps the tokens of the login", () => {
  assert.equal(client.access_token, login.data.jwtToken);
  assert.equal(client.refresh_token, login.data.refreshToken);
});

test("the broker saw one login", async () => {
  assert.equal(await sandbox.requestsSeen("angelone", LOGIN_PATH), 1);
});

test("profile", async () => {
  const reply = await client.getProfile();
  assert.equal(reply.status, true);
  assert.equal(reply.data.clientcode, account.client_code);
});

test("market data: the last traded price", async () => {
  const reply = await client.marketData({ mode: "LTP", exchangeTokens: { NSE: ["3045"] } });
  assert.equal(reply.status, true);
  assert.equal(reply.data.fetched[0].symbolToken, "3045");
  assert.ok(Number(reply.data.fetched[0].ltp) > 0);
});

test("funds", async () => {
  assert.equal((await client.getRMS()).status, true);
});

test("refresh gives a token that works", async () => {
  const reply = await client.generateToken(client.refresh_token);
  assert.equal(reply.status, true);
  assert.equal(client.access_token, reply.data.jwtToken);
  assert.equal((await client.getProfile()).status, true);
});

test("a dead session comes back as a resolved failure", async () => {
  const good = client.access_token;
  client.setAccessToken("not-a-token");
  const reply = await client.getProfile();
  client.setAccessToken(good);
  assert.equal(reply.success, false);
  assert.equal(reply.errorCode, "AG8001");
});

test("logout", async () => {
  assert.equal((await client.logout(account.client_code)).status, true);
});
