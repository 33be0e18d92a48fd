// What the browser tests share: one Chromium for a file, a fresh sandbox for a test, and what no page may ever do.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before } from "node:test";

import { chromium } from "playwright-core";

/** Monday, before the market opens. */
export const MONDAY = "2026-11-23T10:00:00+05:30";

const DESKTOP = { width: 1280, height: 800 };
/** Long enough for a busy machine; what is there answers at once. */
const PATIENCE = 20_000;

let browser;

/** Starts the browser before the tests of a file and ends it after them. */
export function useBrowser() {
  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());
}

/** The Chromium of the machine. It cannot reach any host but this one. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.PREOPEN_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--force-color-profile=srgb", "--font-render-hinting=none", "--disable-partial-raster", "--disable-skia-runtime-opts"],
  });
}

/** The built command. */
function program() {
  const path = process.env.PREOPEN_BIN;
  assert.ok(path, "PREOPEN_BIN must name the built `preopen` command; `cargo xtask test --only browser` sets it");
  return path;
}

/** The embedded broker as users start it, with its clock standing at ten on a Monday. */
export class Sandbox {
  static async start({ port = 0, now = MONDAY } = {}) {
    const child = spawn(program(), ["sandbox", "--json", "--exit-with-stdin", "--port", String(port)], { stdio: ["pipe", "pipe", "inherit"] });
    for await (const line of createInterface({ input: child.stdout })) {
      const sandbox = new Sandbox(child, JSON.parse(line));
      await sandbox.control("PUT", "/clock", { now, rate: 0 });
      return sandbox;
    }
    throw new Error("the sandbox ended before it was ready");
  }

  constructor(child, ready) {
    this.child = child;
    this.url = new URL(ready.dashboard_url).origin;
    this.ready = ready;
    this.accounts = ready.accounts;
    this.folder = mkdtempSync(join(tmpdir(), "preopen-browser-"));
  }

  /** The first account at a broker. */
  account(broker = "samco") {
    return this.accounts.find((account) => account.broker === broker);
  }

  /** A call of the control API. */
  async control(method, path, body) {
    const reply = await fetch(`${this.ready.control_url}${path}`, {
      method,
      headers: { "x-sandbox-token": this.ready.control_token },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await reply.text();
    assert.ok(reply.ok, `${method} ${path}: ${text}`);
    return JSON.parse(text);
  }

  /** The virtual clock, in milliseconds. */
  async now() {
    return Date.parse((await this.control("GET", "/clock")).now);
  }

  /** A call of the brokers' own API, as a client makes it. */
  async api(method, path, { token, body, headers = {} } = {}) {
    const reply = await fetch(`${this.url}${path}`, {
      method,
      headers: { "content-type": "application/json", ...(token && { "x-session-token": token }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: reply.status, body: await reply.json() };
  }

  /** A session of an app, or how it was refused. */
  async login({ api_key, api_secret }) {
    return this.api("POST", "/session/token", { body: { apiKey: api_key, apiSecret: api_secret } });
  }

  /** A `preopen` command with this environment and nothing else; it talks to this sandbox. */
  command(args, environment = {}) {
    const child = spawn(program(), [...args, "--base-url", this.url], {
      env: {
        PATH: process.env.PATH,
        PREOPEN_STORE: `file:${this.folder}/store`,
        PREOPEN_NO_INPUT: "1",
        PREOPEN_SANDBOX_TOKEN: this.ready.control_token,
        ...environment,
      },
      stdio: ["pipe", "pipe", "pipe"],
    });
    return new Command(child);
  }

  async stop() {
    if (this.child.exitCode === null) {
      const ended = once(this.child, "exit");
      this.child.stdin.end();
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A running command: what it writes, and the page that it wants to be opened. */
class Command {
  constructor(child) {
    this.child = child;
    [this.out, this.err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text) => (this.out += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (this.err += text));
    child.stdin.on("error", () => undefined);
    this.closed = once(child, "close");
  }

  /** The address that it shows to a person. */
  async page() {
    return until(() => this.err.match(/^https?:\S+$/m)?.[0], () => `an address in ${JSON.stringify(this.err)}`);
  }

  /** How it ended. */
  async end() {
    const timer = setTimeout(() => this.child.kill(), PATIENCE);
    const [code] = await this.closed;
    clearTimeout(timer);
    return { code, out: this.out, err: this.err };
  }
}

/** Waits until `holds` gives something; `what` tells what did not come. */
export async function until(holds, what) {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (performance.now() >= deadline) assert.fail(`${what()} did not come`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/**
 * A fresh sandbox and a page of a fresh profile for one test, which fails when any of its pages writes an error to
 * the console, breaks its content security policy, opens a dialog, throws, or talks to another host than
 * the sandbox and those that `elsewhere` names by origin.
 */
export async function open(t, { elsewhere = [], javaScript = true, viewport = DESKTOP, dark = false, ...start } = {}) {
  const sandbox = await Sandbox.start(start);
  const context = await browser.newContext({
    baseURL: sandbox.url,
    javaScriptEnabled: javaScript,
    viewport,
    colorScheme: dark ? "dark" : "light",
    locale: "en-IN",
    timezoneId: "Europe/Lisbon",
  });
  context.setDefaultTimeout(PATIENCE);
  const wrong = await guard(context, [sandbox.url, ...elsewhere]);
  // In this order: a page that still loads its icon must not find the sandbox gone.
  t.after(async () => {
    await context.close();
    await sandbox.stop();
    assert.deepEqual(wrong, [], "pages did what they must not");
  });
  return { sandbox, context, page: await context.newPage(), wrong };
}

/** Collects what pages must not do. */
export async function guard(context, origins) {
  const wrong = [];
  await context.exposeBinding("reportViolation", (_, text) => wrong.push(`policy: ${text}`));
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => window.reportViolation(`${violatedDirective} ${blockedURI}`));
  });
  context.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== "data:" && !origins.includes(origin)) wrong.push(`request: ${request.url()}`);
  });
  context.on("weberror", (error) => wrong.push(`exception: ${error.error()}`));
  context.on("dialog", (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  context.on("console", (message) => {
    const { url } = message.location();
    // A page that refuses a form says so by its status, too, which Chromium notes here.
    const refused = message.text().startsWith("Failed to load resource: the server responded with") && url === message.page()?.url();
    if (["error", "warning"].includes(message.type()) && !refused) wrong.push(`console: ${message.text()} (${url})`);
  });
  return wrong;
}
