// The public API of `preopen/sandbox/test`: an embedded broker for each test, for node:test and vitest. Neither is imported.

import "../floor.js";

import { Sandbox } from "../sandbox.js";
import { checkContext, checkStart } from "./checks.js";
import type { SandboxOptions } from "./types.js";

export { Sandbox, SandboxError } from "../sandbox.js";
export type * from "./types.js";

/** Where the clock stands unless a test says otherwise: a Monday at 09:15 in India. */
export const MARKET_OPEN = "2026-11-23T09:15:00+05:30";

/** How many requests a report shows. */
const SHOWN = 20;

/** What is used of the context of node:test, the `t` of a test. */
export interface NodeTestContext {
  /** Registers what is done when the test is over. */
  after(fn: () => Promise<void>): void;
  /** Writes into the report of the test. */
  diagnostic(message: string): void;
  /** Why the test failed. */
  readonly error?: unknown;
}

/** What is used of the context of vitest. */
export interface VitestContext {
  /** The test. */
  readonly task: { readonly result?: { readonly state: string } | undefined };
}

/**
 * Starts a broker for a test of node:test, whose clock stands still at {@link MARKET_OPEN} unless `options` have it
 * otherwise; a script says itself where its clock starts. It is stopped when the test is over. The report of a test that
 * failed shows what the broker saw last, without secrets.
 *
 * ```ts
 * import test from "node:test";
 * import { useSandbox } from "preopen/sandbox/test";
 *
 * test("the logout of the morning", async (t) => {
 *   const broker = await useSandbox(t);
 *   const session = broker.session("samco");
 *   await session.token();
 *   await broker.clock.advanceTo("08:00 IST");
 *   await session.token();
 * });
 * ```
 */
export async function useSandbox(t: NodeTestContext, options: SandboxOptions = {}): Promise<Sandbox> {
  checkContext(t);
  const broker = await Sandbox.start(frozen(options));
  t.after(async () => {
    try {
      // Without an error so far, as far as the test itself goes.
      if (t.error) for (const line of await told(broker)) t.diagnostic(line);
    } finally {
      await broker.stop();
    }
  });
  return broker;
}

/**
 * The same as a fixture of vitest:
 *
 * ```ts
 * import { test as base } from "vitest";
 * import { sandboxFixture } from "preopen/sandbox/test";
 *
 * const test = base.extend({ broker: sandboxFixture({ script: "bad-day" }) });
 *
 * test("a bad day", async ({ broker }) => {
 *   await broker.clock.advanceTo("11:00 IST");
 * });
 * ```
 */
export function sandboxFixture(
  options: SandboxOptions = {},
): (context: VitestContext, use: (broker: Sandbox) => Promise<void>) => Promise<void> {
  // vitest reads from the text of a fixture what it needs.
  return async ({ task }, use) => {
    const broker = await Sandbox.start(frozen(options));
    try {
      await use(broker);
      if (task.result?.state === "fail") console.error((await told(broker)).join("\n"));
    } finally {
      await broker.stop();
    }
  };
}

function frozen(options: SandboxOptions): SandboxOptions {
  checkStart(options);
  return { rate: 0, ...(options.script === undefined ? { startAt: MARKET_OPEN } : {}), ...options };
}

/** A time in India, which has no summer time, as the sandbox writes it. */
function ist(at: Date): string {
  const shifted = new Date(at.getTime() + 330 * 60_000).toISOString();
  return `${shifted.slice(0, 10)} ${shifted.slice(11, 19)} IST`;
}

/** What a broker saw last, without secrets. */
async function told(broker: Sandbox): Promise<string[]> {
  try {
    const [now, script, { count, requests }] = [await broker.clock.now(), await broker.script(), await broker.requests()];
    const lines = [`embedded broker at ${broker.samcoUrl}, its clock: ${ist(now)}`];
    const last = script?.done.at(-1);
    if (last !== undefined) lines.push(`its script ${script?.script}, last: ${last.ist} ${last.name ?? last.what}`);
    const shown = requests.slice(-SHOWN);
    lines.push(`${count} request${count === 1 ? "" : "s"}${shown.length < count ? ", the last ones:" : ""}`);
    for (const one of shown) {
      const query = one.query === "" ? "" : `?${one.query}`;
      const who = one.account === null ? "" : `  ${one.account}`;
      const fault = one.fault === null ? "" : `  (fault ${one.fault})`;
      const call = `${one.ist}  ${one.broker}  ${one.method} ${one.path}${query}  ${one.status ?? "no reply"}`;
      lines.push(`${call}${who}  from ${one.sourceIp}${fault}`);
    }
    return lines;
  } catch (error) {
    return [`embedded broker at ${broker.samcoUrl}: ${error instanceof Error ? error.message : String(error)}`];
  }
}
