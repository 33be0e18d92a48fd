// What no page elsewhere, no name and no address may do to a developer's sandbox.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import test from "node:test";

import { PAGES, stage } from "./pages.mjs";
import { createApp, proposeApp, signIn } from "./portal.mjs";
import { open, useBrowser } from "./support.mjs";

useBrowser();

/** What can be opened by an address. */
const ADDRESSES = PAGES.map(({ path }) => path).filter((path) => !/\/N|#/.test(path));

/** A site on another port of this machine; browsers count it as the same site, but not as the same origin. */
async function site(t, body) {
  const server = createServer((_, reply) => reply.setHeader("content-type", "text/html").end(`<!DOCTYPE html><title>elsewhere</title>${body()}`));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** All that could be changed: the sandbox as its control API tells it, and the account as its pages show it. */
async function snapshot({ sandbox, page }) {
  const calls = ["/clock", "/faults", "/switches", "/source-ip", "/inbox", "/accounts"];
  const told = await Promise.all(calls.map((path) => sandbox.control("GET", path)));
  const shown = [];
  for (const path of ["/app/api-keys", "/app/static-ips"]) {
    await page.goto(path);
    shown.push(await page.getByRole("main").innerText());
  }
  return JSON.stringify([told, shown]);
}

/** Every form of every page that changes something, filled in as it stands there. */
async function formsOf(page, paths) {
  const forms = [];
  for (const path of paths) {
    await page.goto(path);
    forms.push(
      ...(await page.locator('form[method="post"]').evaluateAll((all) =>
        all.flatMap((form) => {
          const buttons = [...form.querySelectorAll("button")];
          return buttons.map((button) => ({ action: form.action, fields: [...new FormData(form, button)] }));
        }),
      )),
    );
  }
  return forms;
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");

const asForm = ({ action, fields }) => {
  const inputs = fields.map(([name, value]) => `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`);
  return `<form method="post" action="${escaped(action)}">${inputs.join("")}</form><script>document.forms[0].submit()</script>`;
};

test("a page on another origin changes nothing, even with the browser's cookies and a stolen token", async (t) => {
  const { sandbox, context, page } = await open(t);
  await stage(sandbox);
  // When addresses can be changed.
  await sandbox.control("PUT", "/clock", { now: "2026-12-01T10:00:00+05:30" });
  await signIn(page, sandbox.account());
  // A proposal that waits, so that there is a form to confirm it.
  await proposeApp(page, { name: "Waiting" });
  const waiting = new URL(page.url()).pathname;
  const all = await formsOf(page, [...ADDRESSES, waiting]);
  // One of each kind: the switches have as many forms as there are switches.
  const forms = [...new Map(all.map((form) => [`${new URL(form.action).pathname} ${new Map(form.fields).get("do")}`, form])).values()];
  const targets = new Set(forms.map(({ action }) => new URL(action).pathname));
  for (const path of ["/", "/inbox", "/clock", "/faults", "/requests", "/switches", "/app/login", "/app/api-keys/new", "/app/api-keys/1", "/app/static-ips", "/app/static-ips/2/secondary", waiting, "/app/oauth/authorize", "/publisher-login"]) {
    assert.ok(targets.has(path), `no form of ${path} among ${[...targets].join(" ")}`);
  }
  const before = await snapshot({ sandbox, page });

  let body = "";
  const elsewhere = await site(t, () => body);
  // Nobody watches this page's console: it is meant to be refused, loudly.
  const other = await context.browser().newContext();
  t.after(() => other.close());
  await other.addCookies(await context.cookies());
  const attacker = await other.newPage();
  for (const form of forms) {
    body = asForm(form);
    const [reply] = await Promise.all([attacker.waitForResponse((reply) => reply.request().method() === "POST"), attacker.goto(elsewhere).catch(() => undefined)]);
    assert.equal(reply.status(), 403, `${form.action} ${JSON.stringify(form.fields)}`);
    assert.equal(new URL(reply.request().headers().origin).origin, elsewhere);
  }
  body = "";
  await attacker.goto(elsewhere);
  const read = await attacker.evaluate(async ([origin, forms]) => {
    const readable = [];
    const attempt = async (url, init) => {
      try {
        const reply = await fetch(url, { credentials: "include", ...init });
        if (reply.type !== "opaque") readable.push(`${url} ${reply.type}`);
      } catch {
        // Refused by the browser, since the sandbox allows no other origin to read.
      }
    };
    for (const { action, fields } of forms) {
      await attempt(action, { method: "POST", mode: "no-cors", body: new URLSearchParams(fields) });
      await attempt(action, { method: "POST", body: new URLSearchParams(fields) });
    }
    for (const path of ["/", "/inbox", "/app/api-keys", "/_sandbox/accounts", "/_sandbox/inbox"]) {
      await attempt(origin + path, {});
      await attempt(origin + path, { mode: "no-cors" });
    }
    await attempt(`${origin}/_sandbox/clock/advance`, { method: "POST", mode: "no-cors", body: '{"seconds": 86400}' });
    return readable;
  }, [sandbox.url, forms]);
  assert.deepEqual(read, [], "another origin can read the sandbox");
  assert.equal(await snapshot({ sandbox, page }), before);
});

test("a page elsewhere can neither frame the sandbox nor open its dashboard by a link", async (t) => {
  const { sandbox, context, page } = await open(t);
  await signIn(page, sandbox.account());
  const elsewhere = await site(t, () => `<iframe src="${sandbox.url}/inbox"></iframe><a href="${sandbox.url}/app/api-keys">win a phone</a>`);
  const other = await context.browser().newContext();
  t.after(() => other.close());
  await other.addCookies(await context.cookies());
  const attacker = await other.newPage();
  const refused = attacker.waitForEvent("console", (message) => message.type() === "error" && message.text().includes("frame-ancestors"));
  await attacker.goto(elsewhere);
  await refused;
  const [reply] = await Promise.all([attacker.waitForResponse(`${sandbox.url}/app/api-keys`), attacker.getByRole("link").click()]);
  assert.equal(reply.status(), 403);
  assert.equal(await attacker.getByText("Sandbox app of").count(), 0);
});

test("another name for this machine shows nothing", async (t) => {
  const { sandbox, page } = await open(t);
  const { host } = new URL(sandbox.url);
  const { request } = await import("node:http");
  for (const path of ["/", "/inbox", "/app/login", "/app/oauth/authorize", "/publisher-login", "/assets/sandbox.css"]) {
    const asked = request({ host: "127.0.0.1", port: host.split(":")[1], path, headers: { host: `rebound.example:${host.split(":")[1]}` } }).end();
    const [reply] = await once(asked, "response");
    reply.resume();
    assert.equal(reply.statusCode, 403, path);
  }
  assert.equal((await page.goto("/")).status(), 200);
});

test("a form without its token, or with that of another browser, is refused", async (t) => {
  const { sandbox, context, page } = await open(t);
  await signIn(page, sandbox.account());
  const [form] = await formsOf(page, ["/clock"]);
  const name = form.fields.find(([, value]) => value.length >= 20)?.[0];
  assert.ok(name, JSON.stringify(form.fields));
  const stranger = await context.browser().newContext({ baseURL: sandbox.url });
  t.after(() => stranger.close());
  const theirs = (await formsOf(await stranger.newPage(), ["/clock"]))[0].fields.find(([known]) => known === name)[1];
  const before = await sandbox.control("GET", "/clock");
  for (const value of [undefined, "", "x".repeat(43), theirs]) {
    const fields = form.fields.filter(([known]) => known !== name);
    if (value !== undefined) fields.push([name, value]);
    const reply = await context.request.post(form.action, { form: Object.fromEntries(fields), headers: { origin: sandbox.url } });
    assert.equal(reply.status(), 403, `${name}=${value}`);
  }
  assert.deepEqual(await sandbox.control("GET", "/clock"), before);
});

test("cookies are for this host's pages only, and out of the reach of scripts", async (t) => {
  const { sandbox, context, page } = await open(t);
  await signIn(page, sandbox.account());
  const cookies = await context.cookies();
  assert.ok(cookies.length > 0);
  for (const cookie of cookies) assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.domain], [true, "Strict", "127.0.0.1"], cookie.name);
  assert.equal(await page.evaluate(() => document.cookie), "");
});

test("every page has a strict policy and is kept nowhere", async (t) => {
  const { sandbox, page } = await open(t);
  await stage(sandbox);
  await signIn(page, sandbox.account());
  for (const path of ADDRESSES) {
    const headers = (await page.goto(path)).headers();
    const policy = Object.fromEntries(headers["content-security-policy"].split(";").map((part) => part.trim().split(/ (.*)/)));
    assert.equal(policy["default-src"], "'none'", path);
    assert.ok(!/unsafe|\*|http/.test(headers["content-security-policy"].replace(/form-action [^;]*/, "")), path);
    assert.deepEqual([policy["frame-ancestors"], policy["base-uri"]], ["'none'", "'none'"], path);
    assert.deepEqual([headers["x-content-type-options"], headers["cache-control"]], ["nosniff", "no-store"], path);
    assert.equal(await page.locator("script:not([src]), style, [style], [onclick], [onload], [onerror]").count(), 0, path);
  }
});

test("markup in names shows as text, and no script runs", async (t) => {
  const { sandbox, page } = await open(t);
  await signIn(page, sandbox.account());
  const names = [`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'-alert(1)-' {{7*7}} &lt;b&gt;`];
  for (const name of names) await createApp(page, { name, redirect: "https://strategy.example/callback?a=<b>&quot;" });
  for (const path of ["/app/api-keys", "/app/static-ips", "/inbox"]) {
    await page.goto(path);
    const shown = await page.getByRole("main").innerText();
    for (const name of names) assert.ok(path === "/inbox" || shown.includes(name), `${path}: ${name}`);
    assert.equal(await page.locator("main img, main script").count(), 0, path);
  }
  // What clients send is shown, too.
  await fetch(`${sandbox.url}/quote/getQuote?symbolName=${encodeURIComponent(names[0])}`, { headers: { "user-agent": names[1], "x-session-token": names[2] } });
  await page.goto("/requests");
  assert.equal(await page.locator("main img, main script").count(), 0);
});
