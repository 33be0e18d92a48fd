// Every page, in light and dark, on a desktop and a phone: what axe-core finds, and whether it fits.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import test from "node:test";

import { PAGES, stage } from "./pages.mjs";
import { open, useBrowser } from "./support.mjs";

useBrowser();

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PHONE = { width: 360, height: 740 };

/** What axe-core finds in the page that is worse than a hint, a line for each element. */
async function issues(page) {
  // A page that is not all there yet has buttons without a text.
  await page.waitForLoadState("load");
  const { violations, passes } = await page.evaluate(() => window.axe.run(document));
  assert.ok(passes.length >= 10, `axe-core had only ${passes.length} rules to say something about ${page.url()}`);
  const bad = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  return bad.flatMap(({ id, impact, nodes }) => nodes.map(({ target, failureSummary }) => `${impact} ${id} at ${target}: ${failureSummary}`));
}

for (const [name, options] of [
  ["light desktop", {}],
  ["dark desktop", { dark: true }],
  ["light phone", { viewport: PHONE }],
  ["dark phone", { viewport: PHONE, dark: true }],
]) {
  test(`no serious issue on any page, and nothing wider than the screen: ${name}`, async (t) => {
    const { sandbox, context, page } = await open(t, options);
    await context.addInitScript(AXE);
    await stage(sandbox);
    const found = [];
    for (const { name, visit } of PAGES) {
      await visit(page, sandbox);
      for (const issue of await issues(page)) found.push(`${name}: ${issue}`);
      const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      if (content > screen) found.push(`${name}: ${content} px wide on a screen of ${screen}`);
    }
    assert.deepEqual(found, []);
  });
}
