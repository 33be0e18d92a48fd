// API keys: what the owner of a Samco account does with its apps.

import assert from "node:assert/strict";
import test from "node:test";

import { CALLBACK, confirm, createApp, done, manage, newestCode, newestMessage, proposeApp, rowOf, shownSecret, signIn } from "./portal.mjs";
import { open, until, useBrowser } from "./support.mjs";

useBrowser();

const FIRST = "Sandbox app of SBX001";

test("signing in, wrongly and rightly, and out", async (t) => {
  const { sandbox, page } = await open(t);
  const account = sandbox.account();
  for (const path of ["/app/api-keys", "/app/api-keys/new", "/app/api-keys/1", "/app/static-ips", "/app/confirm/1"]) {
    await page.goto(path);
    assert.equal(new URL(page.url()).pathname, "/app/login", "nobody is signed in");
  }
  for (const [user, password] of [
    [account.account, "wrong"],
    ["NOBODY1", account.password],
  ]) {
    await page.goto("/app/login");
    await page.getByLabel("User ID", { exact: true }).fill(user);
    await page.getByLabel("Password", { exact: true }).fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("is wrong").first().waitFor();
    assert.equal(await page.getByLabel("Password", { exact: true }).inputValue(), "", "a password is not sent back");
  }
  await signIn(page, account);
  const [before] = await page.context().cookies();
  await page.getByRole("button", { name: "Sign out" }).click();
  await done(page, "You are signed out.");
  await page.goto("/app/api-keys");
  assert.equal(new URL(page.url()).pathname, "/app/login");
  // The cookie of before is worth nothing, wherever it was kept.
  await page.context().addCookies([before]);
  await page.goto("/app/api-keys");
  assert.equal(new URL(page.url()).pathname, "/app/login");
});

test("an app is created with the code from the Inbox, and its secret is copied once", async (t) => {
  const { sandbox, context, page } = await open(t);
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: sandbox.url });
  await signIn(page, sandbox.account());
  await proposeApp(page, { name: "Opening range" });
  const code = await newestCode(page);
  const promise = await confirm(page, code === "000000" ? "111111" : "000000");
  assert.ok(promise.includes("Opening range") && promise.includes(CALLBACK), promise);
  await page.getByText("That is not the code. 2 tries are left.").waitFor();
  await confirm(page, code);

  const secret = await shownSecret(page);
  await page.getByRole("button", { name: "Copy API secret" }).click();
  await page.getByRole("status").getByText("Copied to the clipboard.").waitFor({ state: "attached" });
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
  const shown = page.url();
  for (const again of [() => page.reload(), () => page.goto(shown), () => page.goBack(), () => page.goto("/app/api-keys"), () => page.goBack(), () => page.goForward()]) {
    // Chromium does not send a form again for going back to it: it shows a page of its own.
    await again().catch((error) => assert.match(error.message, /ERR_CACHE_MISS/));
    const content = await until(() => page.content().catch(() => undefined), () => "the content of a page");
    assert.ok(!content.includes(secret), `${page.url()} shows the secret again`);
  }
  await page.goto("/app/api-keys");
  await rowOf(page, "Opening range").getByText("Active", { exact: true }).waitFor();

  const message = await newestMessage(page);
  assert.deepEqual([message.By, message.About, message.To], ["Email", "API key: Opening range", sandbox.account().account]);
  assert.ok(!(await page.content()).includes(message.value), "the key comes by email alone");
  const { status, body } = await sandbox.login({ api_key: message.value, api_secret: secret });
  assert.deepEqual([status, body.status, body.accountID], [200, "Success", sandbox.account().account]);
});

test("a code is for one change, for a few minutes and a few tries", async (t) => {
  const { sandbox, page } = await open(t);
  await signIn(page, sandbox.account());
  await proposeApp(page, { name: "First" });
  const first = [page.url(), await newestCode(page)];
  await proposeApp(page, { name: "Second" });
  const second = await newestCode(page);
  if (first[1] !== second) {
    await confirm(page, first[1]);
    await page.getByText("That is not the code.").waitFor();
  }
  await confirm(page, second);
  await shownSecret(page);
  await sandbox.control("POST", "/clock/advance", { seconds: 301 });
  await page.goto(first[0]);
  await page.getByText("Its code is over. Nothing was changed.").waitFor();
  assert.equal(await page.getByLabel("One-time code").count(), 0, "there is nothing to type any more");
  await page.getByRole("link", { name: "Start again" }).click();
  assert.equal(await rowOf(page, "First").count(), 0);

  await proposeApp(page, { name: "Third" });
  const third = await newestCode(page);
  for (const said of ["2 tries are left.", "One try is left.", "Too many wrong ones"]) {
    await confirm(page, third === "000000" ? "111111" : "000000");
    await page.getByText(said).waitFor();
  }
  assert.equal(await page.getByLabel("One-time code").count(), 0, "no further try");
  await page.getByRole("link", { name: "Start again" }).click();
  await page.getByRole("heading", { name: "API Keys" }).waitFor();
  assert.equal(await rowOf(page, "Third").count(), 0);
});

test("names are unique, also those of deactivated apps; names and redirect URLs have rules", async (t) => {
  const { sandbox, page } = await open(t);
  await signIn(page, sandbox.account());
  await createApp(page, { name: "Gap fill" });
  await manage(page, "Gap fill");
  await page.getByRole("button", { name: "Deactivate app" }).click();
  await confirm(page);
  await done(page, "is deactivated");
  for (const [name, redirect, field] of [
    ["  gap FILL ", CALLBACK, "App name"],
    [FIRST.toLowerCase(), CALLBACK, "App name"],
    ["ab", CALLBACK, "App name"],
    ["x".repeat(101), CALLBACK, "App name"],
    ["A good name", "http://strategy.example/", "Redirect URL"],
    ["A good name", "http://localhost:8765/callback", "Redirect URL"],
    ["A good name", "javascript:alert(1)", "Redirect URL"],
  ]) {
    await proposeApp(page, { name, redirect });
    const input = page.getByLabel(field);
    await page.locator("[aria-invalid=true]").waitFor();
    assert.equal(await input.getAttribute("aria-invalid"), "true", `${name} ${redirect}`);
    const said = await page.locator(`#${(await input.getAttribute("aria-describedby")).split(" ")[0]}`).innerText();
    assert.ok(said.length > 10, said);
    assert.deepEqual([await page.getByLabel("App name").inputValue(), await page.getByLabel("Redirect URL").inputValue()], [name.trim(), redirect], "what was typed is kept");
  }
});

test("a sixth app is refused, deactivated ones count", async (t) => {
  const { sandbox, page } = await open(t);
  await signIn(page, sandbox.account());
  for (const name of ["Two", "Three is more", "Four", "Five"].map((name) => `App ${name}`)) await createApp(page, { name });
  await manage(page, "App Five");
  await page.getByRole("button", { name: "Deactivate app" }).click();
  await confirm(page);
  await page.goto("/app/api-keys");
  assert.equal(await page.getByRole("link", { name: "Create new app" }).count(), 0);
  await page.getByText("All five places are taken").waitFor();
  await page.goto("/app/api-keys/new");
  await page.getByRole("alert").getByText("All five places are taken").waitFor();
  // A form that was open before is refused, too.
  const token = await page.locator("input[name=token]").first().inputValue();
  const reply = await page.context().request.post("/app/api-keys/new", { form: { token, name: "App Six", redirect_url: CALLBACK }, headers: { origin: sandbox.url } });
  assert.equal(reply.status(), 400);
  assert.match(await reply.text(), /at most 5 apps|five places/);
});

test("an app is renamed and sent elsewhere, and its session goes on", async (t) => {
  const { sandbox, page } = await open(t);
  const { sessionToken: token } = (await sandbox.login(sandbox.account())).body;
  await signIn(page, sandbox.account());
  await manage(page, FIRST);
  await page.getByLabel("App name").fill("Pairs");
  await page.getByLabel("Redirect URL").fill("https://strategy.example/back");
  await page.getByRole("button", { name: "Save changes" }).click();
  await confirm(page);
  await done(page, "has been saved");
  assert.match(await rowOf(page, "Pairs").innerText(), /strategy\.example\/back/);
  assert.equal((await sandbox.api("GET", "/ip/whoami", { token })).status, 200);
});

test("a new key and a new secret each end what was live", async (t) => {
  const { sandbox, page } = await open(t);
  const alive = async (token) => (await sandbox.api("GET", "/ip/whoami", { token })).status === 200;
  const login = async (pair) => {
    const { status, body } = await sandbox.login(pair);
    return status === 200 ? body.sessionToken : status;
  };
  await signIn(page, sandbox.account());
  const first = await createApp(page, { name: "Momentum" });
  const one = await login(first);
  assert.ok(await alive(one));

  await manage(page, "Momentum");
  await page.getByRole("button", { name: "Regenerate key" }).click();
  assert.match(await confirm(page), /sessions end/);
  await done(page, "has a new API key");
  assert.equal(await alive(one), false);
  assert.equal(await login(first), 401);
  const second = { ...first, api_key: (await newestMessage(page)).value };
  const two = await login(second);
  assert.ok(await alive(two));

  await manage(page, "Momentum");
  await page.getByRole("button", { name: "Regenerate secret" }).click();
  await confirm(page);
  const third = { ...second, api_secret: await shownSecret(page) };
  assert.equal(await alive(two), false);
  assert.equal(await login(second), 401);
  assert.ok(await alive(await login(third)));
});

test("a deactivated app is refused, and works again when it is activated", async (t) => {
  const { sandbox, page } = await open(t);
  const account = sandbox.account();
  const { sessionToken: token } = (await sandbox.login(account)).body;
  await signIn(page, account);
  await manage(page, FIRST);
  await page.getByRole("button", { name: "Deactivate app" }).click();
  await confirm(page);
  await done(page, "is deactivated");
  await rowOf(page, FIRST).getByText("Deactivated", { exact: true }).waitFor();
  assert.equal((await sandbox.api("GET", "/ip/whoami", { token })).status, 401);
  assert.equal((await sandbox.login(account)).status, 401);
  await manage(page, FIRST);
  assert.equal(await page.getByRole("button", { name: "Regenerate key" }).count(), 0);
  await page.getByRole("button", { name: "Activate app" }).click();
  await confirm(page);
  await done(page, "is active again");
  const again = await sandbox.login(account);
  assert.deepEqual([again.status, again.body.primaryIp, again.body.secondaryIp], [200, "", ""], "its addresses were released");
});

test("another account's apps and proposals are out of reach", async (t) => {
  const { sandbox, context, page } = await open(t);
  const [first, second] = sandbox.accounts.filter(({ broker }) => broker === "samco");
  await signIn(page, first);
  await proposeApp(page, { name: "Private" });
  const [proposal, code] = [page.url(), await newestCode(page)];
  const other = await context.browser().newContext({ baseURL: sandbox.url });
  t.after(() => other.close());
  const theirs = await other.newPage();
  await signIn(theirs, second);
  await theirs.goto(proposal);
  assert.equal(await theirs.getByLabel("One-time code").count(), 0);
  assert.ok(!(await theirs.content()).includes("Private"));
  assert.equal((await theirs.goto("/app/api-keys/2")).status(), 404);
  await confirm(page, code);
  await shownSecret(page);
});
