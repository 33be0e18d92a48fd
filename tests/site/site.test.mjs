// The built documentation in the machine's Chromium: nothing is loaded from elsewhere, pages fit a phone, and axe-core finds
// nothing serious, in light and dark.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

import { chromium } from "playwright-core";

const SITE = pathToFileURL(`${process.env.PREOPEN_SITE}/`);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PAGES = ["index.html", "start.html", "how-sessions-end.html", "errors.html"];

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: process.env.PREOPEN_CHROMIUM ?? "/usr/bin/chromium" });
});
after(() => browser?.close());

for (const [name, colorScheme, viewport] of [
  ["light desktop", "light", { width: 1280, height: 800 }],
  ["dark phone", "dark", { width: 360, height: 740 }],
]) {
  test(`nothing serious, nothing wider than the screen, nothing from elsewhere: ${name}`, async () => {
    const context = await browser.newContext({ colorScheme, viewport });
    const found = [];
    const page = await context.newPage();
    page.on("request", (request) => request.url().startsWith("file:") || found.push(`asks for ${request.url()}`));
    page.on("pageerror", (error) => found.push(`throws ${error.message}`));
    for (const path of PAGES) {
      await page.goto(new URL(path, SITE).href);
      await page.evaluate(AXE);
      const { violations, passes } = await page.evaluate(() => window.axe.run(document));
      assert.ok(passes.length >= 10, `axe-core had little to say about ${path}`);
      const bad = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
      found.push(...bad.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${path}: ${id} at ${target}: ${failureSummary}`)));
      const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      if (content > screen) found.push(`${path}: ${content} px wide on a screen of ${screen}`);
    }
    await context.close();
    assert.deepEqual([...new Set(found)], []);
  });
}
