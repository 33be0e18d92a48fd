// The sandbox's clock, and its copy in the addon that the sandbox's sessions follow.

import { native } from "../native.js";
import type { NativeClock } from "../native.js";
import type { Control } from "./control.js";

interface Reading {
  readonly now: string;
  readonly rate: number;
}

/** The virtual clock of a sandbox. It starts at the machine's time and runs with it. */
export class SandboxClock {
  readonly #control: Control;
  #native: NativeClock | undefined;

  /** @internal */
  constructor(control: Control) {
    this.#control = control;
  }

  /** The time that the broker believes it is. */
  async now(): Promise<Date> {
    return this.#follow(await this.#control.call("GET", "/clock"));
  }

  /** Sets the time: a date, or RFC 3339 text such as `2026-11-23T10:00:00+05:30`. */
  async set(now: Date | string): Promise<Date> {
    const text = typeof now === "string" ? now : now.toISOString();
    return this.#follow(await this.#control.call("PUT", "/clock", { now: text }));
  }

  /** Runs `rate` times as fast as real time from here on; 0 stands still. */
  async setRate(rate: number): Promise<Date> {
    return this.#follow(await this.#control.call("PUT", "/clock", { rate }));
  }

  /** Moves to the next time of day in India strictly after now, for example `08:00 IST`. */
  async advanceTo(time: string): Promise<Date> {
    return this.#follow(await this.#control.call("POST", "/clock/advance", { to: time }));
  }

  /** Moves forward by seconds. */
  async advance(seconds: number): Promise<Date> {
    return this.#follow(await this.#control.call("POST", "/clock/advance", { seconds }));
  }

  /** The clock that sessions follow. @internal */
  native(): NativeClock | undefined {
    return this.#native;
  }

  #follow(reading: unknown): Date {
    const { now, rate } = reading as Reading;
    const millis = Date.parse(now);
    if (this.#native === undefined) this.#native = new (native().NativeClock)(millis, rate);
    else this.#native.set(millis, rate);
    return new Date(millis);
  }
}
