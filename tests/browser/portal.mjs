// What a person does at the Samco dashboard, with the words on the pages.

import assert from "node:assert/strict";

/** Where apps of these tests send browsers; nobody listens there. */
export const CALLBACK = "http://127.0.0.1:8765/callback";

/** Signs in, and stands at the API keys. */
export async function signIn(page, account) {
  await page.goto("/app/login");
  await page.getByLabel("User ID").fill(account.account);
  await page.getByLabel("Password").fill(account.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "API Keys", level: 1 }).waitFor();
}

/** The newest message of the Inbox page, opened in a tab of its own as a person would: by the titles of its columns. */
export async function newestMessage(page) {
  const tab = await page.context().newPage();
  await tab.goto("/inbox");
  const titles = await tab.getByRole("columnheader").allInnerTexts();
  const cells = tab.getByRole("row").nth(1).getByRole("cell");
  const texts = await cells.allInnerTexts();
  const message = Object.fromEntries(titles.map((title, at) => [title, texts[at]]));
  message.value = await cells.last().locator("code").innerText();
  await tab.close();
  return message;
}

/** The one-time code that was sent last. */
export async function newestCode(page) {
  const message = await newestMessage(page);
  assert.equal(message.About, "One-time code");
  return message.value;
}

/** Types the code that was sent for what the page is about to do. */
export async function confirm(page, code) {
  await page.getByLabel("One-time code").fill(code ?? (await newestCode(page)));
  await page.getByRole("button", { name: "Confirm" }).click();
}

/** Fills in the form for a new app and sends it. */
export async function proposeApp(page, { name, redirect = CALLBACK }) {
  await page.goto("/app/api-keys");
  await page.getByLabel("App name").fill(name);
  await page.getByLabel("Redirect URL").fill(redirect);
  await page.getByRole("button", { name: "Create app" }).click();
}

/** Creates an app; its secret, which the page shows once, and its key, which comes by email. */
export async function createApp(page, app) {
  await proposeApp(page, app);
  await confirm(page);
  const secret = await page.getByRole("main").locator("code").first().innerText();
  const key = (await newestMessage(page)).match(/sandbox-\S+?(?=[.\s]|$)/)?.[0];
  return { api_key: key, api_secret: secret };
}

/** The row of an app in a table. */
export function rowOf(page, name) {
  return page.getByRole("row").filter({ has: page.getByRole("rowheader", { name, exact: true }).or(page.getByRole("cell", { name, exact: true })) });
}
