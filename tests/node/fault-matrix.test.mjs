// The rows of tests/faults/matrix.json: what goes wrong on the way to a broker.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { inspect } from "node:util";

import * as preopen from "preopen";
import { Sandbox } from "preopen/sandbox";

import { LOGIN, TEN_O_CLOCK, assertHas, at, camel, count, errorFields, settled, until } from "./support.mjs";
import { CA, TOKEN, nobody, serve } from "./wire.mjs";

const ROWS = JSON.parse(readFileSync(at("tests/faults/matrix.json"), "utf8"));
const PATHS = {
  login: LOGIN,
  read: { samco: "/quote/getQuote", angelone: "/rest/secure/angelbroking/user/v1/getRMS" },
  write: { samco: "/order/placeOrder", angelone: "/rest/secure/angelbroking/order/v1/placeOrder" },
};
const PARAMS = { samco: { symbolName: "INFY", exchange: "NSE" } };
/** The largest reply that is read. */
const CAP = 8 * 1024 * 1024;

/** Everything that a program might print of a thing. */
function renderings(thing) {
  const all = [String(thing), JSON.stringify(thing), inspect(thing, { depth: null, showHidden: true })];
  if (thing instanceof Error) all.push(thing.message, thing.stack);
  return thing?.cause instanceof Error ? [...all, ...renderings(thing.cause)] : all;
}

function showsNoSecret(thing, secrets) {
  for (const text of renderings(thing)) {
    for (const secret of secrets) assert.ok(!text?.includes(secret), `shows ${secret}: ${text}`);
  }
}

/** What an action gives, and the bytes that memory rises to above where it was, where the system tells. */
async function measured(act) {
  globalThis.gc?.();
  if (!existsSync("/proc/self/clear_refs")) return [await act(), 0];
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(readFileSync("/proc/self/status", "utf8"))[1]) * 1024;
  const before = field("VmRSS");
  // The peak from now on.
  writeFileSync("/proc/self/clear_refs", "5");
  const done = await act();
  return [done, field("VmHWM") - before];
}

/** The calls of one row. */
class Case {
  constructor(sandbox, row, on) {
    const name = row.broker ?? "samco";
    Object.assign(this, { sandbox, row, on, name, path: PATHS[on][name] });
    const own = sandbox.accounts.find(({ broker }) => broker === name);
    const wrong = camel(row.wrong ?? {});
    this.credentials = name === "samco" ? sandbox.samcoCredentials(0, wrong) : sandbox.angeloneCredentials(0, wrong);
    const known = { ...own, ...wrong };
    const values = [known.apiKey, known.apiSecret, known.pin, known.totpSecret];
    this.secrets = [TOKEN, "CANARY-in-a-query", ...values.filter((value) => value?.length > 8)];
  }

  session(url) {
    const { timeout, server } = this.row;
    if (url === undefined) return this.sandbox.session(this.name, { credentials: this.credentials, timeout });
    const caFile = server.tls && server.trusted !== false ? CA : undefined;
    return new preopen.Session(this.credentials, { baseUrl: url, timeout, caFile });
  }

  call(session) {
    if (this.on === "login") return session.token();
    if (this.on === "read") return session.get(this.path, { params: PARAMS[this.name] });
    return session.post(this.path, { json: { symbolName: "INFY", quantity: "1" } });
  }

  async play(url, elsewhere) {
    const { row, sandbox, name } = this;
    const session = this.session(url);
    // A refused code is tried again in the next step.
    if (row.wrong && name === "angelone") await sandbox.clock.setRate(200);
    if (this.on !== "login" && (url === undefined || row.expect.ok)) await session.token();
    // Leaves a kept connection behind.
    if (row.warm) await session.get(PATHS.read[name], { params: PARAMS[name] });
    for (const { redirect, ...fault } of row.faults ?? []) {
      const to = redirect ? { redirectTo: `${elsewhere.url}/login?x=CANARY-in-a-query` } : {};
      await sandbox.fault(name, this.path, { ...camel(fault), ...to });
    }
    const began = performance.now();
    for (let n = 0; n < (row.repeat ?? 1); n += 1) await this.once(session);
    if (row.within) assert.ok(performance.now() - began < row.within * 1000);
    if (row.seen !== undefined) assert.equal(await count(sandbox, name, this.path), row.seen);
    if (row.logins !== undefined) assert.equal(await count(sandbox, name, LOGIN[name]), row.logins);
    if (row.renewed) await until(() => session.state().generation === 2 && session.state().name === "active", () => "a renewal");
    assert.deepEqual(elsewhere?.seen ?? [], []);
    showsNoSecret(session.state(), this.secrets);
  }

  async once(session) {
    const expected = this.row.expect.error;
    if (expected === undefined) return this.call(session);
    let failed;
    if (this.row.memory) {
      let rise;
      [failed, rise] = await measured(() => settled(this.call(session)));
      assert.ok(rise <= 2 * CAP, `${rise >> 20} MiB`);
    } else {
      failed = await settled(this.call(session));
    }
    const { error } = failed;
    assert.ok(error instanceof preopen.PreopenError, `got ${inspect(failed)}`);
    assertHas(errorFields(error), expected, "error");
    assert.ok(error.message.includes(this.row.message ?? "") || String(error).includes(this.row.message), String(error));
    assert.ok((error.body?.length ?? 0) <= 512);
    showsNoSecret(error, this.secrets);
  }
}

async function play(row, on) {
  const sandbox = await Sandbox.start();
  const played = [];
  const start = async (options) => {
    played.push(await serve(options));
    return played.at(-1);
  };
  try {
    await sandbox.clock.set(TEN_O_CLOCK);
    const { server } = row;
    const one = new Case(sandbox, row, on);
    if (server === undefined) await one.play(undefined, await start());
    else if (server.refused) await one.play(await nobody());
    else {
      const login = on === "login" ? server.body : undefined;
      await one.play((await start({ body: server.body, login, close: server.close, certificate: server.tls })).url);
    }
  } finally {
    for (const server of played) await server.stop();
    await sandbox.stop();
  }
}

test("the rows are there", () => {
  assert.ok(new Set(ROWS.map(({ name }) => name)).size === ROWS.length && ROWS.length >= 35);
});

for (const row of ROWS) {
  for (const on of row.on) test(`${row.name}, on a ${on}`, () => play(row, on));
}

/** A command's beginning that gives it a network of its own with nothing in it, where the kernel allows that. */
function isolated() {
  const command = ["unshare", "--map-root-user", "--net"];
  return spawnSync(command[0], [...command.slice(1), "true"]).status === 0 ? command : [];
}

test("import and construction with the network black-holed", () => {
  const alone = isolated();
  // A live broker is only ever asked where it cannot be reached.
  const asks = `
    const error = await new Session(samco({ apiKey: "k", apiSecret: "s" }), { timeout: 2 }).token().catch((error) => error);
    console.log(error.code);`;
  const source = `
    import { readdirSync } from "node:fs";
    const began = performance.now();
    const { Session, samco, angelOne } = await import(${JSON.stringify(at("node_modules/preopen/dist/index.mjs").href)});
    new Session(samco({ apiKey: "k", apiSecret: "s" }));
    new Session(angelOne({ apiKey: "k", clientCode: "A1", pin: "0000", totpSecret: "JBSWY3DPEHPK3PXPJBSWY3DPEH" }));
    console.log(performance.now() - began < 5000, readdirSync(".").length);
    ${alone.length > 0 ? asks : ""}`;
  const [program, ...args] = [...alone, process.execPath, "--input-type=module", "--eval", source];
  const folder = mkdtempSync(join(tmpdir(), "preopen-"));
  const { stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: "utf8", timeout: 60_000 });
  assert.deepEqual([stdout, stderr], [`true 0\n${alone.length > 0 ? "network\n" : ""}`, ""]);
  assert.deepEqual(readdirSync(folder), []);
});
