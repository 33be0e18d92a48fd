// Logins at the broker's page, login codes, and Samco's deprecated calls: what a session gives for them.

import { invalidInput, unicode, unwrap } from "./convert.js";
import type { NativeCancel, NativeLegacy, NativeLogin, NativeLoginCode, NativeLoginStart, Outcome } from "./native.js";
import { callControl } from "./options.js";
import type { CallControl } from "./options.js";
import { toReply } from "./records.js";
import type { Reply } from "./records.js";

/** Waits for a call of the addon. */
export type Settle = <T>(signal: AbortSignal | undefined, start: (cancel?: NativeCancel) => Promise<Outcome<T>>) => Promise<T>;

/** A login that was begun at the broker's page. Printing and serialising it shows no URL: it holds the API key and a state. */
export class LoginStart {
  readonly #url: string;
  readonly #expiresAtMs: number;

  private constructor(start: NativeLoginStart) {
    this.#url = start.url;
    this.#expiresAtMs = start.expiresAtMs;
  }

  /** @internal */
  static of(start: NativeLoginStart): LoginStart {
    return new LoginStart(start);
  }

  /** The page. Give it to the person who logs in, and to nobody else: whoever has it can complete the login. */
  get url(): string {
    return this.#url;
  }

  /** Until when `session.completeLogin` accepts its answer: 15 minutes, by the session's clock. */
  get expiresAt(): Date {
    return new Date(this.#expiresAtMs);
  }

  /** Everything but the page. */
  toJSON(): { url: "**redacted**"; expiresAt: string } {
    return { url: "**redacted**", expiresAt: this.expiresAt.toISOString() };
  }

  /** Everything but the page, on one line. */
  toString(): string {
    return `LoginStart(until ${this.expiresAt.toISOString()})`;
  }

  /** @internal */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** A code for another login of the same account. Printing and serialising it shows no secret. */
export class LoginCode {
  readonly #value: string;
  readonly #expiresAtMs: number;

  private constructor(code: NativeLoginCode) {
    this.#value = code.value;
    this.#expiresAtMs = code.expiresAtMs;
  }

  /** @internal */
  static of(code: NativeLoginCode): LoginCode {
    return new LoginCode(code);
  }

  /** The code itself: eight characters (documented). */
  expose(): string {
    return this.#value;
  }

  /** Until when it may be used, by the session's clock. Samco gives it two minutes (documented). */
  get expiresAt(): Date {
    return new Date(this.#expiresAtMs);
  }

  /** Everything but the code. */
  toJSON(): { code: "**redacted**"; expiresAt: string } {
    return { code: "**redacted**", expiresAt: this.expiresAt.toISOString() };
  }

  /** Everything but the code, on one line. */
  toString(): string {
    return `LoginCode(until ${this.expiresAt.toISOString()})`;
  }

  /** @internal */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** Waits for a login under way, and gives it up when it is not wanted any more: its port is free then. */
export async function settleLogin(
  login: NativeLogin,
  signal: AbortSignal | undefined,
  show: ((start: LoginStart) => unknown) | undefined,
): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  // Given up at once, and not when the promise is looked at.
  const abort = (): void => {
    login.close();
    reject(signal?.reason);
  };
  signal?.addEventListener("abort", abort, { once: true });
  const shown = async (): Promise<void> => {
    if (show === undefined) return;
    const start = unwrap(await login.started());
    if (start !== null) await show(LoginStart.of(start));
  };
  const over = async (): Promise<void> => unwrap(await login.outcome());
  // Nothing ends before it is over, but by what `show` throws: the outcome is not kept waiting by it.
  const failed = new Promise<never>((_, fail) => void shown().catch(fail));
  try {
    await Promise.race([failed, over(), aborted]);
  } finally {
    signal?.removeEventListener("abort", abort);
    login.close();
  }
}

let make: (native: NativeLegacy, settle: Settle) => SamcoLegacyCalls;

/**
 * Samco's deprecated calls that are sent with a user id, a password or a code, and no session; made by
 * `session.samcoLegacy()`. Each is sent once and never repeated.
 *
 * @deprecated Samco will remove these calls: each names what replaces it.
 */
export class SamcoLegacyCalls {
  readonly #native: NativeLegacy;
  readonly #settle: Settle;

  private constructor(native: NativeLegacy, settle: Settle) {
    this.#native = native;
    this.#settle = settle;
  }

  static {
    make = (native, settle) => new SamcoLegacyCalls(native, settle);
  }

  /**
   * Has a one-time code sent to the holder's mobile and email (`POST /otp/generateOtp`, documented).
   *
   * Rejects with `BrokerRejectedError`, `OutcomeUnknownError` (it may have been sent), `RateLimitedError`, `TimeoutError`,
   * `NetworkError`, `BrokerUnavailableError` or `MalformedResponseError`.
   *
   * @deprecated Samco will remove this call: create an app on the dashboard's API Keys page.
   */
  async generateOtp(control?: CallControl): Promise<Reply> {
    return toReply(await this.#settle(callControl(control), (cancel) => this.#native.generateOtp(cancel)));
  }

  /**
   * Has Samco mail the secret API key, with a code of `generateOtp` (`POST /otp/secretKeyGenerator`, documented). Rejects
   * with `InvalidInputError` (field `otp`), and as `generateOtp`.
   *
   * @deprecated Samco will remove this call: create an app on the dashboard's API Keys page.
   */
  async generateSecretKey(otp: string, control?: CallControl): Promise<Reply> {
    const code = text("otp", otp);
    return toReply(await this.#settle(callControl(control), (cancel) => this.#native.generateSecretKey(code, cancel)));
  }

  /**
   * Registers the account's addresses for the first time (`POST /ip/ipRegistration`, documented): public IPv4, two different
   * ones. Rejects with `InvalidInputError` (fields `primary`, `secondary`, `password`), `CredentialsRejectedError`, and as
   * `generateOtp`.
   *
   * @deprecated Samco will remove this call: register on the dashboard's Static IPs page.
   */
  async registerIps(primary: string, secondary?: string, control?: CallControl): Promise<Reply> {
    const [first, second] = addresses(primary, secondary);
    return toReply(await this.#settle(callControl(control), (cancel) => this.#native.registerIps(first, second, cancel)));
  }

  /**
   * Changes them (`POST /ip/ipUpdate`), once in seven days (documented). Rejects as `registerIps`.
   *
   * @deprecated Samco will remove this call: change them on the dashboard's Static IPs page.
   */
  async updateIps(primary: string, secondary?: string, control?: CallControl): Promise<Reply> {
    const [first, second] = addresses(primary, secondary);
    return toReply(await this.#settle(callControl(control), (cancel) => this.#native.updateIps(first, second, cancel)));
  }
}

/** Samco's deprecated calls of one session. Not public. */
export function legacyCalls(native: NativeLegacy, settle: Settle): SamcoLegacyCalls {
  return make(native, settle);
}

function addresses(primary: string, secondary: string | undefined): [string, string | undefined] {
  return [text("primary", primary), secondary === undefined ? undefined : text("secondary", secondary)];
}

/** Text that may be a secret: an error does not show it. */
export function text(field: string, value: unknown): string {
  const problem = typeof value === "string" ? unicode(value) : "must be a string";
  if (problem !== undefined) throw invalidInput(field, problem);
  return value as string;
}
