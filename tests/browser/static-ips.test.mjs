// Static IPs at the Samco dashboard: one change in seven days, over all apps of an account.

import assert from "node:assert/strict";
import test from "node:test";

import { addressesOf, confirm, createApp, done, manage, proposeAddress, setAddress, signIn } from "./portal.mjs";
import { MONDAY, open, useBrowser } from "./support.mjs";

useBrowser();

const WEEK = 7 * 86_400_000;
const FIRST = "Sandbox app of SBX001";

/** A time as pages show it. */
function shown(millis) {
  return `${new Date(millis + 330 * 60_000).toISOString().slice(0, 19).replace("T", " ")} IST`;
}

/** A signed-in owner of an app without addresses. */
async function start(t) {
  const opened = await open(t);
  await signIn(opened.page, opened.sandbox.account());
  const app = await createApp(opened.page, { name: "Breakout" });
  return { ...opened, app };
}

/** What the broker has for an app, as its session tells. */
async function registered(sandbox, app) {
  const { primaryIp, secondaryIp } = (await sandbox.login(app)).body;
  return [primaryIp, secondaryIp];
}

/** How an order of an app from an address ends. */
async function order(sandbox, app, ip) {
  const { sessionToken: token } = (await sandbox.login(app)).body;
  const body = { symbolName: "SBIN", exchange: "NSE", transactionType: "BUY", orderType: "L", quantity: "1", price: "500", productType: "CNC", orderValidity: "DAY" };
  return (await sandbox.api("POST", "/order/placeOrder", { token, body, headers: { "x-sandbox-source-ip": ip } })).status;
}

/** Fast-forwards on the Clock page. */
async function weekLater(page) {
  await page.goto("/clock");
  await page.getByRole("button", { name: "+7 days" }).click();
  await done(page, "The clock is moved.");
}

test("a primary and a secondary address, a refused change, the exact time, and seven days later", async (t) => {
  const { sandbox, page, app } = await start(t);
  await setAddress(page, "Breakout", "primary", "49.36.10.1");
  assert.equal(await order(sandbox, app, "49.36.10.1"), 200, "at once");
  assert.equal(await order(sandbox, app, "49.36.10.2"), 403);
  await sandbox.control("POST", "/clock/advance", { seconds: 3723 });
  await setAddress(page, "Breakout", "secondary", "49.36.10.2");
  assert.deepEqual(await registered(sandbox, app), ["49.36.10.1", "49.36.10.2"]);
  assert.equal(await order(sandbox, app, "49.36.10.2"), 200);

  // The buttons are off, and say until when.
  const opens = shown(Date.parse(MONDAY) + 3_723_000 + WEEK);
  const region = addressesOf(page, "Breakout");
  for (const name of ["Edit primary IP of Breakout", "Delete secondary IP of Breakout"]) {
    const button = region.getByRole("button", { name });
    assert.equal(await button.getAttribute("aria-disabled"), "true");
    const tooltip = page.locator(`#${await button.getAttribute("aria-describedby")}`);
    await tooltip.waitFor({ state: "hidden" });
    await button.hover({ force: true });
    await tooltip.waitFor({ state: "visible" });
    assert.ok((await tooltip.innerText()).includes(opens), `${await tooltip.innerText()} has not ${opens}`);
    await page.mouse.move(0, 0);
    await button.focus();
    await tooltip.waitFor({ state: "visible" });
    const before = page.url();
    await page.keyboard.press("Enter");
    assert.equal(page.url(), before);
  }
  // Whoever finds the form is refused by the broker.
  await page.goto(`/app/static-ips/2/primary`);
  await page.getByText(`Closed until ${opens}: one change in 7 days.`).waitFor();
  await page.getByLabel("IP address").fill("49.36.10.3");
  await page.getByRole("button", { name: "Send one-time code" }).click();
  await page.getByText(`The next change is possible from ${opens} on.`).waitFor();
  assert.deepEqual(await registered(sandbox, app), ["49.36.10.1", "49.36.10.2"]);

  // A second early is too early, whatever the clock's page was used for.
  await page.goto("/clock");
  await page.getByRole("button", { name: "+7 days" }).click();
  await done(page, "The clock is moved.");
  await sandbox.control("PUT", "/clock", { now: new Date(Date.parse(MONDAY) + 3_723_000 + WEEK - 1000).toISOString() });
  await page.goto("/app/static-ips");
  assert.equal(await region.getByRole("link", { name: /^Edit/ }).count(), 0);
  await sandbox.control("POST", "/clock/advance", { seconds: 1 });
  await page.reload();
  await page.getByText("A change is possible now.").waitFor();
  await setAddress(page, "Breakout", "primary", "49.36.10.3");
  assert.deepEqual(await registered(sandbox, app), ["49.36.10.3", "49.36.10.2"]);
  assert.equal(await order(sandbox, app, "49.36.10.1"), 403, "the old address stops at once");
  assert.equal(await order(sandbox, app, "49.36.10.3"), 200);
});

test("deleting an address counts as a change", async (t) => {
  const { sandbox, page } = await open(t);
  await signIn(page, sandbox.account());
  await page.goto("/app/static-ips");
  await page.getByRole("button", { name: `Delete secondary IP of ${FIRST}` }).click();
  assert.match(await confirm(page), /counts\s+as a change/);
  await done(page, "is deleted");
  assert.deepEqual(await registered(sandbox, sandbox.account()), ["203.0.113.10", ""]);
  const region = addressesOf(page, FIRST);
  assert.equal(await region.getByRole("button", { name: `Edit primary IP of ${FIRST}` }).getAttribute("aria-disabled"), "true");
  await page.getByText(`The next change is possible from ${shown(Date.parse(MONDAY) + WEEK)} on.`).waitFor();
  await weekLater(page);
  await setAddress(page, FIRST, "primary", "49.36.10.9");
});

test("an address of one app is free for another, also in a week in which one was changed", async (t) => {
  const { sandbox, page, app } = await start(t);
  await setAddress(page, "Breakout", "primary", "203.0.113.10");
  await page.getByText("A change is possible now.").waitFor();
  await setAddress(page, "Breakout", "secondary", "49.36.10.2");
  const opens = shown(Date.parse(MONDAY) + WEEK);
  await page.getByText(opens).first().waitFor();
  const other = await createApp(page, { name: "Reversal" });
  await sandbox.control("POST", "/clock/advance", { seconds: 60 });
  await setAddress(page, "Reversal", "primary", "49.36.10.2");
  await page.getByText(`The next change is possible from ${opens} on.`).waitFor();
  assert.deepEqual(await registered(sandbox, other), ["49.36.10.2", ""]);
  assert.deepEqual(await registered(sandbox, app), ["203.0.113.10", "49.36.10.2"]);
});

test("an address has rules, and belongs to one client", async (t) => {
  const { sandbox, page } = await start(t);
  for (const [slot, ip, why] of [
    ["secondary", "49.36.10.1", /primary address first/],
    ["primary", "10.0.0.7", /private/],
    ["primary", "127.0.0.1", /loopback/],
    ["primary", "100.64.0.1", /CGNAT|shared|carrier/i],
    ["primary", "224.0.0.1", /multicast/],
    ["primary", "2001:db8::1", /IPv4/],
    ["primary", "a.b.c.d", /IPv4/],
    ["primary", "203.0.113.20", /another client/],
  ]) {
    await proposeAddress(page, "Breakout", slot, ip);
    await page.locator("[aria-invalid=true]").waitFor();
    const input = page.getByLabel("IP address");
    assert.equal(await input.inputValue(), ip);
    assert.match(await page.locator(`#${(await input.getAttribute("aria-describedby")).split(" ")[0]}`).innerText(), why, ip);
  }
  await setAddress(page, "Breakout", "primary", "49.36.10.1");
  await proposeAddress(page, "Breakout", "secondary", "49.36.10.1");
  await page.getByText("must be different").waitFor();
  assert.equal((await sandbox.control("GET", "/inbox")).messages.filter(({ kind }) => kind === "otp").length, 4, "refusals send no code: two for the app, two for the address");
});

test("deactivating an app releases its addresses", async (t) => {
  const { sandbox, page } = await open(t);
  const [first, second] = sandbox.accounts.filter(({ broker }) => broker === "samco");
  await signIn(page, first);
  await manage(page, FIRST);
  await page.getByRole("button", { name: "Deactivate app" }).click();
  await confirm(page);
  await done(page, "is deactivated");
  await page.goto("/app/static-ips");
  await addressesOf(page, FIRST).getByText("It has no addresses while it is deactivated.").waitFor();
  // So another client may have them now.
  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn(page, second);
  await setAddress(page, "Sandbox app of SBX002", "secondary", "203.0.113.11");
  assert.deepEqual(await registered(sandbox, second), ["203.0.113.20", "203.0.113.11"]);
});

test("the address that is seen now is taken over with a link, and the chip shows it", async (t) => {
  const { sandbox, page } = await start(t);
  await sandbox.control("PUT", "/source-ip", { ip: "49.36.10.77" });
  await page.goto("/app/static-ips");
  await page.getByText("Your IP: 49.36.10.77").waitFor();
  await addressesOf(page, "Breakout").getByRole("link", { name: "Add primary IP of Breakout" }).click();
  await page.getByRole("link", { name: "Use my current IP" }).click();
  assert.equal(await page.getByLabel("IP address").inputValue(), "49.36.10.77");
  await page.getByRole("button", { name: "Send one-time code" }).click();
  await confirm(page);
  await done(page, "49.36.10.77 is the primary address of");
});
