// What a person does at the Samco dashboard, with the words on the pages.

import assert from "node:assert/strict";

/** Where apps of these tests send browsers; nobody listens there. */
export const CALLBACK = "http://127.0.0.1:8765/callback";

/** Signs in, and stands at the API keys. */
export async function signIn(page, account) {
  await page.goto("/app/login");
  await page.getByLabel("User ID", { exact: true }).fill(account.account);
  await page.getByLabel("Password", { exact: true }).fill(account.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "API Keys", level: 1 }).waitFor();
}

/** The tab of each browser in which the Inbox is open. */
const inboxes = new WeakMap();

/** The newest message of the Inbox page, in a tab of its own as a person has it: by the titles of its columns. */
export async function newestMessage(page) {
  const context = page.context();
  const tab = inboxes.get(context) ?? (await context.newPage());
  inboxes.set(context, tab);
  await tab.goto("/inbox");
  const titles = await tab.getByRole("columnheader").allInnerTexts();
  const cells = tab.getByRole("row").nth(1).getByRole("cell");
  const texts = await cells.allInnerTexts();
  const message = Object.fromEntries(titles.map((title, at) => [title, texts[at]]));
  message.value = await cells.last().locator("code").innerText();
  return message;
}

/** The one-time code that was sent last. */
export async function newestCode(page) {
  const message = await newestMessage(page);
  assert.match(message.About, /^One-time code/);
  return message.value;
}

/** Types the code that was sent for what the page is about to do, and gives what the page promised to do. */
export async function confirm(page, code) {
  await page.getByRole("heading", { name: "Enter the one-time code" }).waitFor();
  const promise = await page.getByRole("main").innerText();
  await page.getByLabel("One-time code").fill(code ?? (await newestCode(page)));
  await page.getByRole("button", { name: "Confirm" }).click();
  return promise;
}

/** What the page says that it did. */
export async function done(page, text) {
  await page.getByRole("status").getByText(text).first().waitFor();
}

/** Fills in the form for a new app and sends it. */
export async function proposeApp(page, { name, redirect = CALLBACK }) {
  await page.goto("/app/api-keys");
  await page.getByRole("link", { name: "Create new app" }).click();
  await page.getByLabel("App name").fill(name);
  await page.getByLabel("Redirect URL").fill(redirect);
  await page.getByRole("button", { name: "Send one-time code" }).click();
}

/** The secret that the page shows now, and never again. */
export async function shownSecret(page) {
  await page.getByRole("heading", { name: "API secret" }).waitFor();
  return page.getByRole("main").locator("code").innerText();
}

/** Creates an app; its secret, which the page shows once, and its key, which comes by email. */
export async function createApp(page, app) {
  await proposeApp(page, app);
  await confirm(page);
  const api_secret = await shownSecret(page);
  const message = await newestMessage(page);
  assert.equal(message.By, "Email");
  assert.match(message.About, /^API key: ./);
  return { api_key: message.value, api_secret };
}

/** The row of an app in the table of API keys. */
export function rowOf(page, name) {
  return page.getByRole("row").filter({ has: page.getByRole("rowheader", { name, exact: true }) });
}

/** Opens the page of an app. */
export async function manage(page, name) {
  await page.goto("/app/api-keys");
  await page.getByRole("link", { name: `Manage ${name}`, exact: true }).click();
  await page.getByRole("heading", { name, level: 1 }).waitFor();
}

/** The part of the Static IPs page that is about an app. */
export function addressesOf(page, name) {
  return page.getByRole("region", { name, exact: true });
}

/** Fills in a new address of an app, and sends it. */
export async function proposeAddress(page, name, slot, ip) {
  await page.goto("/app/static-ips");
  await addressesOf(page, name)
    .getByRole("link", { name: new RegExp(`^(Add|Edit) ${slot} IP`) })
    .click();
  await page.getByLabel("IP address").fill(ip);
  await page.getByRole("button", { name: "Send one-time code" }).click();
}

/** Registers an address for an app. */
export async function setAddress(page, name, slot, ip) {
  await proposeAddress(page, name, slot, ip);
  await confirm(page);
  await done(page, `${ip} is the ${slot} address of`);
}
