// A session's events as an asynchronous iterator. What is told, and when, is decided in Rust.

import type { NativeEvents } from "./native.js";
import { toEvent } from "./records.js";
import type { SessionEvent } from "./records.js";

type Step = IteratorResult<SessionEvent, undefined>;

const END: Step = Object.freeze({ done: true, value: undefined });

/**
 * The events of a session, for `for await`. Made by `session.events()`.
 *
 * Events are kept for a listener that is busy, up to 64; then the oldest are dropped and it gets one `lagged` event that
 * tells how many. It ends when the session is closed or collected, and does not keep the session alive. Waiting for an
 * event keeps no process alive either: as with an idle session, something else must.
 */
export class SessionEvents implements AsyncIterableIterator<SessionEvent, undefined>, AsyncDisposable, Disposable {
  /** The listeners of the session that wait now. Not the session: it may be collected while somebody listens. */
  readonly #waiters: Set<SessionEvents>;
  #native: NativeEvents | undefined;
  #asked: PromiseWithResolvers<Step>[] = [];
  /** What happened before the signal was aborted. */
  #left: SessionEvent[] = [];
  #aborted: { readonly reason: unknown } | undefined;
  #unlisten: (() => void) | undefined;

  /** @internal */
  constructor(native: NativeEvents, waiters: Set<SessionEvents>, signal: AbortSignal | undefined) {
    this.#native = native;
    this.#waiters = waiters;
    if (signal?.aborted === true) this.#abort(signal.reason);
    else if (signal !== undefined) this.#listenTo(signal);
  }

  #listenTo(signal: AbortSignal): void {
    // A signal often lives as long as the process; it must not keep a forgotten listener.
    const weak = new WeakRef(this);
    const abort = (): void => {
      const listener = weak.deref();
      if (listener !== undefined) listener.#abort(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    this.#unlisten = () => signal.removeEventListener("abort", abort);
  }

  /**
   * The next event; calls that wait together get theirs in turn. `done` when the session is closed or gone, and after
   * `return()`. Rejects, once, with the signal's reason when that was aborted.
   */
  next(): Promise<Step> {
    const asked = Promise.withResolvers<Step>();
    this.#asked.push(asked);
    this.#serve();
    return asked.promise;
  }

  /** Ends the listening; what `for await` calls when its body leaves the loop. Calls that wait are done. */
  return(): Promise<Step> {
    this.#left = [];
    this.#aborted = undefined;
    this.#free();
    this.#serve();
    return Promise.resolve(END);
  }

  /** Ends the listening. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** Ends the listening. */
  [Symbol.dispose](): void {
    void this.return();
  }

  /** This iterator. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Looks whether the wait is over: the session was closed. @internal */
  look(): void {
    this.#serve();
  }

  /** Serves everybody who asked, or waits. */
  #serve(): void {
    for (let asked = this.#asked[0]; asked !== undefined; asked = this.#asked[0]) {
      const event = this.#left.shift() ?? this.#look();
      if (event === false) return this.#wait();
      this.#asked.shift();
      if (event !== undefined) asked.resolve({ done: false, value: event });
      else if (this.#aborted === undefined) asked.resolve(END);
      else {
        asked.reject(this.#aborted.reason);
        this.#aborted = undefined;
      }
    }
    this.#rest();
  }

  /** An event; `false` when there is none yet, `undefined` at the end. */
  #look(): SessionEvent | false | undefined {
    const found = this.#native?.look() ?? null;
    if (found === null) this.#free();
    return typeof found === "string" ? toEvent(found) : found ?? undefined;
  }

  #wait(): void {
    if (this.#waiters.has(this)) return;
    this.#waiters.add(this);
    // The addon holds this function while it waits, and so a listener that nothing else holds.
    this.#native?.wait(() => {
      this.#waiters.delete(this);
      this.#serve();
    });
  }

  #rest(): void {
    if (this.#waiters.delete(this)) this.#native?.rest();
  }

  #abort(reason: unknown): void {
    for (let event = this.#look(); event !== undefined && event !== false; event = this.#look()) this.#left.push(event);
    this.#aborted = { reason };
    this.#free();
    this.#serve();
  }

  /** Gives the stream in the addon back. */
  #free(): void {
    this.#unlisten?.();
    this.#waiters.delete(this);
    this.#native?.close();
    this.#native = undefined;
  }
}
