// API keys: what the owner of a Samco account does with its apps.

import assert from "node:assert/strict";
import test from "node:test";

import { CALLBACK, confirm, createApp, newestCode, newestMessage, proposeApp, rowOf, signIn } from "./portal.mjs";
import { open, useBrowser } from "./support.mjs";

useBrowser();

test("signing in, wrongly and rightly, and out", async (t) => {
  const { sandbox, page } = await open(t);
  const account = sandbox.account();
  for (const path of ["/app/api-keys", "/app/static-ips"]) {
    await page.goto(path);
    assert.equal(new URL(page.url()).pathname, "/app/login", "nobody is signed in");
  }
  for (const [user, password] of [
    [account.account, "wrong"],
    ["NOBODY1", account.password],
  ]) {
    await page.goto("/app/login");
    await page.getByLabel("User ID").fill(user);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    assert.equal(await page.getByLabel("Password").inputValue(), "", "a password is not sent back");
  }
  await signIn(page, account);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await page.goto("/app/api-keys");
  assert.equal(new URL(page.url()).pathname, "/app/login");
});

test("an app is created with the code from the Inbox, and its secret is shown once", async (t) => {
  const { sandbox, context, page } = await open(t);
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: sandbox.url });
  await signIn(page, sandbox.account());
  await proposeApp(page, { name: "Opening range" });
  const code = await newestCode(page);
  await confirm(page, code === "0000" ? "1111" : "0".repeat(code.length));
  await page.getByRole("alert").waitFor();
  await confirm(page, code);

  await page.getByRole("button", { name: /^Copy/ }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(copied, /^\S{32,}$/);
  assert.ok((await page.getByRole("main").innerText()).includes(copied), "the secret is on the page");
  const created = page.url();
  for (const again of [() => page.reload(), () => page.goto(created), () => page.goBack(), () => page.goto("/app/api-keys")]) {
    await again().catch(() => undefined);
    assert.ok(!(await page.content()).includes(copied), `${page.url()} shows the secret again`);
  }
  await page.goto("/app/api-keys");
  await rowOf(page, "Opening range").getByText("Active", { exact: true }).waitFor();

  const message = await newestMessage(page);
  assert.match(message, /email/i);
  const key = message.match(/The API key of your app is (\S+?)\.?$/m)?.[1];
  const { status, body } = await sandbox.login({ api_key: key, api_secret: copied });
  assert.deepEqual([status, body.status, body.accountID], [200, "Success", sandbox.account().account]);
});
