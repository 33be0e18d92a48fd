// No page without a look at it: whatever a link leads to is in the list that is checked and photographed.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import test from "node:test";

import { DARK, PAGES, PHONES, at, document, kindOf, stage } from "./pages.mjs";
import { signIn } from "./portal.mjs";
import { open, useBrowser } from "./support.mjs";

useBrowser();

test("every page that a link leads to is in the list, and has a title of its own", async (t) => {
  const { sandbox, page } = await open(t);
  await stage(sandbox);
  // When addresses can be changed, so that the links to it are there.
  await sandbox.control("PUT", "/clock", { now: "2026-12-01T10:00:00+05:30" });
  const [seen, titles, wanted] = [new Set(), new Map(), ["/", "/app/login"]];
  for (const signedIn of [false, true]) {
    if (signedIn) await signIn(page, sandbox.account());
    const todo = signedIn ? ["/", "/app/api-keys"] : wanted;
    const visited = new Set();
    for (const path of todo) {
      const reply = await page.goto(path);
      assert.equal(reply.status(), 200, path);
      const kind = kindOf(new URL(page.url()).pathname);
      seen.add(kind);
      titles.set(kind, await page.title());
      const links = await page.locator("a[href]").evaluateAll((all) => all.map(({ href }) => href));
      for (const link of links.map((href) => new URL(href))) {
        assert.equal(link.origin, sandbox.url, "a link to somewhere else");
        const key = kindOf(link.pathname);
        if (!visited.has(key)) {
          visited.add(key);
          todo.push(link.pathname);
        }
      }
    }
  }
  const known = new Set(PAGES.map(({ path }) => kindOf(path)));
  assert.deepEqual([...seen].filter((kind) => !known.has(kind)), []);
  assert.ok(seen.size >= 12, [...seen].join(" "));
  assert.equal(new Set(titles.values()).size, titles.size, [...titles].join("\n"));
});

test("every page has its picture in docs/dashboard.md, and no picture is without its page", () => {
  const wanted = [...PAGES.map(({ name }) => name), ...DARK.map((name) => `${name}-dark`), ...PHONES.map((name) => `${name}-phone`)].map((name) => `${name}.png`);
  const folder = at("docs/dashboard/");
  const there = existsSync(folder) ? readdirSync(folder) : [];
  assert.deepEqual(there.sort(), wanted.sort(), "run `cargo xtask screenshots`");
  for (const name of wanted) {
    const file = new URL(name, folder);
    assert.equal(readFileSync(file).subarray(1, 4).toString(), "PNG", name);
    assert.ok(statSync(file).size < 150_000, `${name} has ${statSync(file).size} bytes`);
  }
  assert.equal(readFileSync(at("docs/dashboard.md"), "utf8"), document(), "run `cargo xtask screenshots`");
});
