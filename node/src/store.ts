// Stores of a program's own: what they must do, and how the addon calls their methods. Public are the types alone.

import { kind } from "./ask.js";
import { invalidInput, unicode } from "./convert.js";
import type { NativeStore, NativeStoreCall } from "./native.js";

/** A value, or a promise of it. */
export type Awaitable<T> = T | PromiseLike<T>;

/**
 * A place that several programs share: it keeps one text for each account, and lets one program at a time change it. Hand
 * an object with these methods to a session as its `store`.
 *
 * The texts are sealed, so that a store never sees a token. They are one line of ASCII, a few thousand characters;
 * `account` is a short name of lower-case letters, digits and hyphens without a secret in it. The key comes from
 * `PREOPEN_KEY` or the option `storeKey`.
 *
 * Each call has 30 seconds, and several may be under way at the same time. What a method throws is
 * `StoreUnavailableError` for the callers, with the name of its class and nothing else. `checkStore` of `preopen/testing`
 * checks an implementation.
 */
export interface Store {
  /** What is stored for the account, if anything is. It does not wait for a claim that somebody holds. */
  read(account: string): Awaitable<string | null | undefined>;
  /**
   * Tries to become the only program that may write for the account; nothing, at once, when another one is. Waiting is the
   * session's business.
   */
  claim(account: string): Awaitable<Claim | null | undefined>;
  /** What the store is in one line without a password, for messages. It is called once, when the session is made. */
  describe?(): string;
}

/**
 * The right to write an account's value, for one program at a time. It must become free without anybody's help when its
 * program dies: at once, or when its lease is over.
 */
export interface Claim {
  /** What was stored when the claim began. Nobody else can have changed it since. */
  readonly value: string | null | undefined;
  /**
   * Stores the value durably, while the claim goes on; `false`, and nothing is stored, when the claim does not hold any
   * more. Exactly this text must be read afterwards, by everybody.
   */
  write(value: string): Awaitable<boolean>;
  /** Gives the claim back. One that was lost to another program meanwhile is left to it. */
  release(): Awaitable<void>;
  /**
   * The seconds for which the claim is certain to hold, for one with a lease. It renews the lease by itself, and notices by
   * itself that it could not. Without this method it holds as long as the process lives.
   */
  goodFor?(): Awaitable<number>;
}

/** Calls the methods of one store. It is kept with its session and not by the addon, so that a store may refer to its session. */
export class StoreCalls {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** What the addon needs of a store of the program's own. Throws `InvalidInputError`. */
  static of(store: unknown): [StoreCalls, NativeStore] {
    if (!isStore(store)) throw invalidInput("store", `must be an address, or an object with read and claim, not ${kind(store)}`);
    const calls = new StoreCalls(store);
    const weak = new WeakRef(calls);
    // Only a claim that is held is kept from here, until it is released.
    const claims = new Claims();
    return [calls, { name: described(store), call: (call) => void answer(call, weak, claims) }];
  }

  /** @internal */
  get store(): Store {
    return this.#store;
  }
}

/** The claims that are held, by the numbers that the addon knows them by. */
class Claims {
  readonly #held = new Map<number, Claim>();
  #last = 0;

  add(claim: Claim): number {
    this.#last = (this.#last + 1) >>> 0;
    this.#held.set(this.#last, claim);
    return this.#last;
  }

  get(number: number): Claim | undefined {
    return this.#held.get(number);
  }

  take(number: number): Claim | undefined {
    const claim = this.#held.get(number);
    this.#held.delete(number);
    return claim;
  }
}

function isStore(store: unknown): store is Store {
  if (typeof store !== "object" || store === null) return false;
  const { read, claim } = store as Partial<Store>;
  return typeof read === "function" && typeof claim === "function";
}

function described(store: Store): string {
  if (store.describe === undefined) return kind(store);
  let said: unknown;
  try {
    said = store.describe();
  } catch (error) {
    throw invalidInput("store", `has a describe() that threw ${kind(error)}`);
  }
  if (typeof said !== "string") throw invalidInput("store", `has a describe() that gave ${kind(said)}, not text`);
  if (unicode(said) !== undefined) throw invalidInput("store", "has a describe() that gave text that is not valid Unicode");
  return said;
}

/** Something that a method gave and may not give; the message completes a sentence. */
class Wrong extends Error {
  readonly claim: number | undefined;

  constructor(how: string, claim?: number) {
    super(how);
    this.claim = claim;
  }
}

async function answer(call: NativeStoreCall, calls: WeakRef<StoreCalls>, claims: Claims): Promise<void> {
  try {
    await METHODS[call.method as keyof typeof METHODS](call, calls, claims);
  } catch (error) {
    if (error instanceof Wrong) call.fail(error.message, error.claim);
    else call.fail(`threw ${kind(error)}`);
  }
}

const METHODS = {
  async read(call: NativeStoreCall, calls: WeakRef<StoreCalls>): Promise<void> {
    const gave: unknown = await storeOf(calls).read(call.argument ?? "");
    call.text(value(gave, (what) => `gave ${what}`));
  },

  async claim(call: NativeStoreCall, calls: WeakRef<StoreCalls>, claims: Claims): Promise<void> {
    const gave: unknown = await storeOf(calls).claim(call.argument ?? "");
    if (gave === null || gave === undefined) return call.notClaimed();
    const claim = gave as Claim;
    const number = claims.add(claim);
    try {
      if (typeof gave !== "object") throw new Wrong(`gave ${kind(gave)}, which is no claim`);
      for (const name of ["write", "release"] as const) {
        if (typeof claim[name] !== "function") throw new Wrong(`gave ${kind(gave)} without a method ${name}`);
      }
      const found = value(valueOf(claim), (what) => `gave ${kind(gave)} whose value is ${what}`);
      call.claimed(number, found, typeof claim.goodFor === "function");
    } catch (error) {
      // What is no claim to us may still be one to the store.
      throw new Wrong(error instanceof Wrong ? error.message : `gave a claim that threw ${kind(error)}`, number);
    }
  },

  async write(call: NativeStoreCall, _: WeakRef<StoreCalls>, claims: Claims): Promise<void> {
    const written: unknown = await held(call, claims).write(call.argument ?? "");
    if (typeof written !== "boolean") throw new Wrong(`gave ${kind(written)}, not true or false`);
    call.written(written);
  },

  async good_for(call: NativeStoreCall, _: WeakRef<StoreCalls>, claims: Claims): Promise<void> {
    const seconds: unknown = await held(call, claims).goodFor?.();
    if (typeof seconds !== "number") throw new Wrong(`gave ${kind(seconds)}, not a number`);
    call.seconds(seconds);
  },

  async release(call: NativeStoreCall, _: WeakRef<StoreCalls>, claims: Claims): Promise<void> {
    await claims.take(call.claim ?? 0)?.release();
    call.done();
  },
} as const;

function storeOf(calls: WeakRef<StoreCalls>): Store {
  const store = calls.deref()?.store;
  if (store === undefined) throw new Wrong("belongs to a session that is gone");
  return store;
}

function held(call: NativeStoreCall, claims: Claims): Claim {
  const claim = claims.get(call.claim ?? 0);
  if (claim === undefined) throw new Wrong("belongs to a claim that is released");
  return claim;
}

function valueOf(claim: Claim): unknown {
  try {
    return claim.value;
  } catch (error) {
    throw new Wrong(`gave ${kind(claim)} whose value threw ${kind(error)}`);
  }
}

function value(found: unknown, how: (what: string) => string): string | null {
  if (found === null || found === undefined) return null;
  if (typeof found !== "string") throw new Wrong(how(`${kind(found)}, not text or null`));
  if (unicode(found) !== undefined) throw new Wrong(how("text that is not valid Unicode"));
  return found;
}
