// Logins at a broker's page: `preopen login` on one side, a person in Chromium on the other.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { createApp, signIn } from "./portal.mjs";
import { open, until, useBrowser } from "./support.mjs";

useBrowser();

/** An address for a listener on this machine, where nobody listens now. */
async function freeAddress() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

/** A Samco account whose app sends browsers to the listener of `preopen login`. */
async function start(t) {
  const origin = await freeAddress();
  const { sandbox, page } = await open(t, { elsewhere: [origin] });
  const account = sandbox.account();
  const redirect = `${origin}/callback`;
  await sandbox.control("PATCH", `/accounts/${account.account}`, { redirect_url: redirect });
  const environment = { SAMCO_API_KEY: account.api_key, SAMCO_REDIRECT_URL: redirect };
  const run = (args, more = {}) => sandbox.command(args, { ...environment, ...more });
  return { sandbox, page, account, run, redirect };
}

test("a person approves, and every command has a live session", async (t) => {
  const { sandbox, page, account, run, redirect } = await start(t);
  const login = run(["login", "samco", "--oauth", "--no-browser", "--json"]);
  await page.goto(await login.page());
  const main = page.getByRole("main");
  for (const shown of [account.account, redirect]) assert.ok((await main.innerText()).includes(shown), shown);

  // What is pasted wrongly is refused beside the field, and the person tries again.
  await page.getByLabel(/API secret/).fill("not-the-secret");
  await page.getByRole("button", { name: "Approve" }).click();
  await page.getByRole("alert").getByText("EOAUTH008").waitFor();
  await page.getByLabel(/API secret/).fill(account.api_secret);
  await page.getByRole("button", { name: "Approve" }).click();
  await page.waitForURL((url) => url.href.startsWith(redirect));

  const done = await login.end();
  assert.equal(done.code, 0, done.err);
  assert.equal(JSON.parse(done.out).logged_in, true);
  const token = await run(["token", "samco"]).end();
  assert.equal(token.code, 0, token.err);
  const who = await sandbox.api("GET", "/ip/whoami", { token: token.out.trim() });
  assert.deepEqual([who.status, who.body.matches], [200, true]);
  const again = await run(["whoami", "samco", "--json"]).end();
  assert.deepEqual([again.code, JSON.parse(again.out).verdict], [0, "match"], again.err);
});

test("an app made at the dashboard logs in: the command opens the browser by itself", async (t) => {
  const { sandbox, page, redirect } = await start(t);
  await signIn(page, sandbox.account());
  const app = await createApp(page, { name: "Made by hand", redirect });
  // What opens a browser on Linux, as far as the command sees it: it gets the address.
  const opened = join(sandbox.folder, "opened");
  for (const name of ["xdg-open", "wslview", "gio", "open"]) {
    writeFileSync(join(sandbox.folder, name), `#!/bin/sh\nprintf '%s\\n' "$@" >> ${opened}\n`, { mode: 0o755 });
  }
  const environment = { SAMCO_API_KEY: app.api_key, SAMCO_REDIRECT_URL: redirect, PATH: `${sandbox.folder}:${process.env.PATH}` };
  const login = sandbox.command(["login", "samco", "--oauth"], environment);
  const address = await until(() => existsSync(opened) && readFileSync(opened, "utf8").match(/^http\S+(?=\n)/m)?.[0], () => `a browser after ${login.err}`);
  await page.goto(address);
  await page.getByText("Made by hand").first().waitFor();
  await page.getByLabel(/API secret/).fill(app.api_secret);
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.href.startsWith(redirect));
  const done = await login.end();
  assert.equal(done.code, 0, done.err);
  const who = await sandbox.command(["whoami", "samco", "--json"], environment).end();
  assert.deepEqual([who.code, JSON.parse(who.out).verdict], [4, "unregistered"], who.err);
});

test("a person cancels, and the command ends with that", async (t) => {
  const { sandbox, page, run, redirect } = await start(t);
  const login = run(["login", "samco", "--oauth", "--no-browser", "--json"]);
  await page.goto(await login.page());
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.waitForURL((url) => url.href.startsWith(redirect));
  const done = await login.end();
  assert.equal(done.code, 6, done.err);
  assert.match(done.err, /access_denied|cancelled/);
  assert.equal((await sandbox.control("GET", "/requests?broker=samco&path=/oauth/token")).count, 0);
  assert.equal((await run(["token", "samco"]).end()).code, 6);
});

test("a request that nobody may approve shows why and offers nothing", async (t) => {
  const { page, account } = await start(t);
  for (const [key, redirect, code] of [
    ["unknown-key", "http://127.0.0.1:8765/callback", "EOAUTH001"],
    [account.api_key, "https://elsewhere.example/", "EOAUTH002"],
  ]) {
    await page.goto(`/app/oauth/authorize?${new URLSearchParams({ api_key: key, redirect_url: redirect })}`);
    await page.getByRole("alert").getByText(code).waitFor();
    assert.equal(await page.getByRole("button").count(), 0);
  }
});

test("a publisher login, pasted where no listener can be", async (t) => {
  const there = "https://strategy.example";
  const { sandbox, context, page } = await open(t, { elsewhere: [there] });
  const account = sandbox.account("angelone");
  // The app's own site, as far as a browser sees it.
  await context.route(`${there}/**`, (route) => route.fulfill({ contentType: "text/html", body: "<!DOCTYPE html><title>app</title>Welcome back" }));
  const environment = { ANGELONE_API_KEY: account.api_key, ANGELONE_CLIENT_CODE: account.client_code, ANGELONE_REDIRECT_URL: account.redirect_url };
  const login = sandbox.command(["login", "angelone", "--publisher", "--json"], environment);
  await page.goto(await login.page());

  const overview = await context.newPage();
  await overview.goto("/");
  const code = await overview.getByRole("article").filter({ hasText: account.client_code }).locator("output").innerText();
  await overview.close();
  await page.getByLabel("Client code").fill(account.client_code);
  await page.getByLabel("PIN").fill("9999");
  await page.getByLabel("TOTP").fill(code);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByText("AB1007").waitFor();
  await page.getByLabel("Client code").fill(account.client_code);
  await page.getByLabel("PIN").fill(account.pin);
  await page.getByLabel("TOTP").fill(code);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${account.redirect_url}?**`);

  login.child.stdin.end(`${page.url()}\n`);
  const done = await login.end();
  assert.equal(done.code, 0, done.err);
  const token = await sandbox.command(["token", "angelone"], environment).end();
  assert.deepEqual([token.code, token.out.trim().split("\n").length], [0, 1], token.err);
});
