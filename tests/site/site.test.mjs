// The built documentation in the machine's Chromium: nothing is loaded from elsewhere, pages fit a phone, and axe-core finds
// nothing serious, in light and dark.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml" };
const PAGES = ["index.html", "how-sessions-end.html", "errors.html"];

let browser;
let site;
// As a web server would hand it out: from files, a page's search does not work.
const server = createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url, "http://site").pathname);
  try {
    const body = readFileSync(join(process.env.PREOPEN_SITE, path));
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream" }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});

before(async () => {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  site = `http://127.0.0.1:${server.address().port}/`;
  browser = await chromium.launch({ executablePath: process.env.PREOPEN_CHROMIUM ?? "/usr/bin/chromium" });
});
after(async () => {
  await browser?.close();
  server.close();
});

for (const [name, colorScheme, viewport] of [
  ["light desktop", "light", { width: 1280, height: 800 }],
  ["dark phone", "dark", { width: 360, height: 740 }],
]) {
  test(`nothing serious, nothing wider than the screen, nothing from elsewhere: ${name}`, async () => {
    const context = await browser.newContext({ colorScheme, viewport });
    const found = [];
    const page = await context.newPage();
    page.on("request", (request) => request.url().startsWith(site) || found.push(`asks for ${request.url()}`));
    page.on("pageerror", (error) => found.push(`throws ${error.message}`));
    for (const path of PAGES) {
      await page.goto(site + path);
      await page.evaluate(AXE);
      const { violations, passes } = await page.evaluate(() => window.axe.run(document));
      assert.ok(passes.length >= 10, `axe-core had little to say about ${path}`);
      const bad = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
      found.push(...bad.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${path}: ${id} at ${target}: ${failureSummary}`)));
      const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      if (content > screen) found.push(`${path}: ${content} px wide on a screen of ${screen}`);
    }
    // The search finds a page, with what the site has itself.
    await page.goto(`${site}index.html?q=whoami`);
    await page.locator(".md-search-result__link").first().waitFor({ state: "attached", timeout: 20_000 });
    await context.close();
    assert.deepEqual([...new Set(found)], []);
  });
}
