// The pictures of docs/dashboard and the page that shows them: `cargo xtask screenshots` runs this.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";

import { PAGES, PHONES, DARK, at, document, stage } from "./pages.mjs";
import { Sandbox, launch } from "./support.mjs";

/** The port of the examples: it is on the pictures. */
const PORT = 8800;

const folder = at("docs/dashboard/");
mkdirSync(folder, { recursive: true });
for (const name of readdirSync(folder)) if (name.endsWith(".png")) rmSync(new URL(name, folder));

const browser = await launch();
const looks = [
  { suffix: "", pages: PAGES, viewport: { width: 1280, height: 860 }, colorScheme: "light" },
  { suffix: "-dark", pages: PAGES.filter(({ name }) => DARK.includes(name)), viewport: { width: 1280, height: 860 }, colorScheme: "dark" },
  { suffix: "-phone", pages: PAGES.filter(({ name }) => PHONES.includes(name)), viewport: { width: 390, height: 844 }, colorScheme: "light" },
];
for (const { suffix, pages, viewport, colorScheme } of looks) {
  const sandbox = await Sandbox.start({ port: PORT });
  const context = await browser.newContext({ baseURL: sandbox.url, viewport, colorScheme, locale: "en-IN" });
  const page = await context.newPage();
  await stage(sandbox);
  for (const { name, visit } of pages) {
    await visit(page, sandbox);
    await page.mouse.move(0, 0);
    await steady(page);
    await page.screenshot({ path: new URL(`${name}${suffix}.png`, folder).pathname, animations: "disabled", caret: "hide" });
    console.log(`docs/dashboard/${name}${suffix}.png`);
  }
  await context.close();
  await sandbox.stop();
}
await browser.close();
writeFileSync(at("docs/dashboard.md"), document());

/** Puts fixed text in the place of what is random at every start, so that a picture changes only with its page. */
async function steady(page) {
  await page.evaluate(() => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const { currentNode } = texts;
      const hex = (digits) => "0123456789abcdef".repeat(4).slice(0, digits.length);
      currentNode.data = currentNode.data.replace(/\b[0-9a-f]{16,}\b/g, hex);
      // One-time codes, in the table of the Inbox.
      if (currentNode.parentElement.matches("td code")) currentNode.data = currentNode.data.replace(/^\d{4,8}$/, (digits) => "31415926".slice(0, digits.length));
    }
  });
}
