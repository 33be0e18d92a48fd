// Checks for a session store of your own: `preopen/testing`.

import "./floor.js";

import { AssertionError } from "node:assert";

import { unwrap } from "./convert.js";
import { native } from "./native.js";
import { StoreCalls } from "./store.js";
import type { Store } from "./store.js";

export type { Awaitable, Claim, Store } from "./store.js";

/** A store does not do what every store must do. */
export class StoreViolationError extends AssertionError {
  /** The checks that the store did not pass, each with what happened instead. */
  readonly violations: readonly string[];

  /** Makes an error of these violations. */
  constructor(violations: readonly string[]) {
    super({ message: `the store does not do what every store must do:\n${violations.map((one) => `- ${one}`).join("\n")}` });
    this.name = "StoreViolationError";
    this.violations = Object.freeze([...violations]);
  }
}

/**
 * Runs every check against a store, in a few seconds: that one program at a time holds a claim, that no update is lost, that
 * values are kept as they are, and so on. It leaves values of accounts whose names begin with `conformance-` behind. No
 * broker and no key is needed. What several processes or hosts do to each other is not seen from one: try that too.
 *
 * Rejects with `StoreViolationError`, an `AssertionError`, with all violations; with `InvalidInputError` (field `store`) when
 * it is no store.
 */
export async function checkStore(store: Store): Promise<void> {
  const [calls, own] = StoreCalls.of(store);
  const violations = JSON.parse(unwrap(await native().checkOwnStore(own))) as string[];
  // Kept until here: the addon does not keep it.
  if (calls.store === store && violations.length > 0) throw new StoreViolationError(violations);
}
