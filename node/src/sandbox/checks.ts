// What a caller without types may get wrong in the arguments of a sandbox. Nothing here is public.

import { invalidInput } from "../convert.js";
import type { BrokerName } from "../credentials.js";
import type { ConsentOptions, RequestFilter, SandboxOptions } from "./types.js";

export const BROKERS: readonly BrokerName[] = ["samco", "angelone"];

// By name, so that the compiler notices one that is missing.
const START: Readonly<Record<keyof SandboxOptions, true>> = { port: true, tls: true, data: true, startAt: true, rate: true, script: true };
const REQUESTS: Readonly<Record<keyof RequestFilter, true>> = { broker: true, path: true };
const CONSENT: Readonly<Record<keyof ConsentOptions, true>> = { approve: true, account: true };

/** Throws `InvalidInputError` for options that `Sandbox.start` does not have: a test must not think that it has a bad day. */
export function checkStart(options: unknown): void {
  check("options", options, START);
}

/** The same for `requests`. */
export function checkRequests(filter: unknown): void {
  check("filter", filter, REQUESTS);
}

/** The same for `consent`. */
export function checkConsent(options: unknown): void {
  check("options", options, CONSENT);
}

/** Throws `InvalidInputError` unless they are the three arguments of `fault`. */
export function checkFault(broker: unknown, path: unknown, spec: unknown): void {
  const how = 'as in fault("samco", "/quote/*", { status: 503 })';
  if (!BROKERS.includes(broker as BrokerName)) throw invalidInput("broker", `must be ${BROKERS.join(" or ")}, ${how}`);
  if (typeof path !== "string") throw invalidInput("path", `must be a string, ${how}`);
  if (!isObject(spec)) throw invalidInput("spec", `must be an object, ${how}`);
}

/** Throws `InvalidInputError` unless it is the context of a test of node:test. */
export function checkContext(t: unknown): void {
  const { after, diagnostic } = (t ?? {}) as { after?: unknown; diagnostic?: unknown };
  if (typeof after === "function" && typeof diagnostic === "function") return;
  throw invalidInput("t", 'must be the context of the test: test("...", async (t) => { const broker = await useSandbox(t); })');
}

function check(argument: string, given: unknown, known: Readonly<Record<string, true>>): void {
  const names = Object.keys(known);
  if (!isObject(given)) throw invalidInput(argument, `must be an object with any of ${names.join(", ")}`);
  const wrong = Object.keys(given).find((name) => !Object.hasOwn(known, name));
  if (wrong !== undefined) throw invalidInput(wrong, `is not an option: there are ${names.join(", ")}`);
}

function isObject(value: unknown): value is object {
  return Object.prototype.toString.call(value) === "[object Object]";
}
