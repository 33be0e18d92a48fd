// Without a mouse: what a person does with Tab, Enter and the arrow keys alone.

import assert from "node:assert/strict";
import test from "node:test";

import { newestCode, rowOf, shownSecret } from "./portal.mjs";
import { open, useBrowser } from "./support.mjs";

useBrowser();

/** Presses Tab until the element has the focus, which must be seen. */
async function tabTo(page, target) {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    if (await target.evaluate((element) => element === document.activeElement)) {
      const [style, width] = await target.evaluate((element) => {
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        return [outlineStyle, Number.parseFloat(outlineWidth)];
      });
      assert.ok(style !== "none" && width >= 2, `the focus is not seen: ${style} ${width}`);
      return;
    }
  }
  assert.fail(`${target} is not reached by Tab`);
}

/** Tabs to a field and types. */
async function type(page, label, text) {
  await tabTo(page, page.getByLabel(label, { exact: true }));
  await page.keyboard.type(text);
}

test("an app is created with the keyboard alone", async (t) => {
  const { sandbox, context, page } = await open(t);
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: sandbox.url });
  const { account, password } = sandbox.account();
  await page.goto("/");
  await tabTo(page, page.getByRole("link", { name: "Skip to content" }));
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), "MAIN");
  await page.reload();
  await tabTo(page, page.getByRole("navigation").getByRole("link", { name: "Sign in" }));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Sign in to Samco" }).waitFor();
  // The field has the focus already.
  await page.keyboard.type(account);
  await type(page, "Password", password);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "API Keys" }).waitFor();
  await tabTo(page, page.getByRole("link", { name: "Create new app" }));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Create new app" }).waitFor();
  await type(page, "App name", "No mouse");
  await type(page, "Redirect URL", "https://strategy.example/callback");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Enter the one-time code" }).waitFor();
  // The field has the focus already.
  await page.keyboard.type(await newestCode(page));
  await page.keyboard.press("Enter");
  const secret = await shownSecret(page);
  await tabTo(page, page.getByRole("button", { name: "Copy API secret" }));
  await page.keyboard.press("Space");
  await page.getByRole("status").getByText("Copied to the clipboard.").waitFor({ state: "attached" });
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
  await tabTo(page, page.getByRole("link", { name: "I have saved it" }));
  await page.keyboard.press("Enter");
  await rowOf(page, "No mouse").waitFor();
  await tabTo(page, page.getByRole("button", { name: "Sign out" }));
  await page.keyboard.press("Enter");
  await page.getByText("You are signed out.").waitFor();
});

test("on a phone the menu opens with the keyboard and leads to every page", async (t) => {
  const { page } = await open(t, { viewport: { width: 360, height: 740 } });
  await page.goto("/");
  for (const name of ["Inbox", "Clock", "Faults", "Requests", "Switches", "Overview"]) {
    const link = page.getByRole("navigation").getByRole("link", { name });
    await link.waitFor({ state: "hidden" });
    await tabTo(page, page.getByText("Menu", { exact: true }));
    await page.keyboard.press("Enter");
    await tabTo(page, link);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name, level: 1 }).waitFor();
  }
});
