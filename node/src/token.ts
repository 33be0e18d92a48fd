// The token that a session hands out.

import type { NativeToken } from "./native.js";

/**
 * A live access token. Printing, serialising and cloning it shows no secret; {@link Token.expose} gives the text.
 */
export class Token {
  readonly #value: string;
  readonly #expiresAtMs: number;
  readonly #generation: number;

  private constructor(token: NativeToken) {
    this.#value = token.value;
    this.#expiresAtMs = token.expiresAtMs;
    this.#generation = token.generation;
  }

  /** @internal */
  static of(token: NativeToken): Token {
    return new Token(token);
  }

  /** The token itself, for a header that you build on your own. */
  expose(): string {
    return this.#value;
  }

  /** When the token ends, at the latest: the broker's next daily logout (08:00 IST at Samco, 00:00 IST at SmartAPI). */
  get expiresAt(): Date {
    return new Date(this.#expiresAtMs);
  }

  /** The number of the login that the token came from, from 1; give it to `session.invalidate`. */
  get generation(): number {
    return this.#generation;
  }

  /** Everything but the token. */
  toJSON(): { token: "**redacted**"; expiresAt: string; generation: number } {
    return { token: "**redacted**", expiresAt: this.expiresAt.toISOString(), generation: this.#generation };
  }

  /** Everything but the token, on one line. */
  toString(): string {
    return `Token(**redacted**, generation ${this.#generation}, until ${this.expiresAt.toISOString()})`;
  }

  /** @internal */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}
