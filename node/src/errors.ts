// The public errors: one base, one class a kind, and the conversion of what the addon reports.

/** The stable code of an error kind, the same in every language. */
export type ErrorCode =
  | "invalid_input"
  | "credentials_rejected"
  | "account_action_required"
  | "login_required"
  | "session_expired"
  | "static_ip_mismatch"
  | "rate_limited"
  | "timeout"
  | "network"
  | "broker_unavailable"
  | "outcome_unknown"
  | "broker_rejected"
  | "malformed_response"
  | "store_unavailable"
  | "cancelled"
  | "internal";

/** Whether and when the same call is worth another try: `after` comes with `adviceSeconds`. */
export type Advice = "never" | "now" | "after" | "after_login";

/** What is known about an error beside its kind and message. All of it is safe to log. */
export interface ErrorFacts {
  /** Seconds to wait, for the advice `after`. */
  readonly adviceSeconds?: number;
  /** The broker, for example `samco`. */
  readonly broker?: string;
  /** Method and path of the call, without a query. */
  readonly endpoint?: string;
  /** HTTP status of the reply. */
  readonly httpStatus?: number;
  /** The broker's own error code, for example `AB1050`. */
  readonly brokerCode?: string;
  /** The broker's id of its reply, to name when you write to its support. */
  readonly messageId?: string;
  /** The broker's time, as told by its reply. */
  readonly serverTime?: Date;
  /**
   * For `CredentialsRejectedError`: `api_key`, `api_secret`, `pin`, `totp`, `password` (Samco's
   * deprecated calls) or `unknown`. For
   * `AccountActionRequiredError`: `app_login`, `not_subscribed` or `blocked`.
   */
  readonly which?: string;
  /**
   * For `LoginRequiredError`: `signed_out`, `refresh_expired`, `refresh_rejected`, `not_answered` (the callback for a
   * secret gave nothing), `store_unreadable`, `code_invalid`, `code_expired`, `code_replayed` (the broker has revoked the
   * tokens that the code gave), `consent_needed` (the user must log in at the broker's page) or `consent_denied`
   * (the user cancelled there, or the page refused).
   */
  readonly reason?: string;
  /** For `TimeoutError` and `NetworkError`: `lock`, `connect` (nothing was sent), `login` or `read`. */
  readonly phase?: string;
  /**
   * Seconds that the broker's clock is ahead of this machine's (negative: behind), when that is a likely cause: of a
   * refused one-time code, for `CredentialsRejectedError`.
   */
  readonly clockSkew?: number;
  /** Seconds that the broker asked to wait, or until a limit has a slot again, for `RateLimitedError`. */
  readonly retryAfter?: number;
  /** The address that the broker saw, for `StaticIpMismatchError`. */
  readonly sourceIp?: string;
  /** The registered primary address, for `StaticIpMismatchError`. */
  readonly primaryIp?: string;
  /** The registered secondary address, for `StaticIpMismatchError`. */
  readonly secondaryIp?: string;
  /** The refused field, for `InvalidInputError`, as it is written in JavaScript. */
  readonly field?: string;
  /** What the broker found wrong with the request, for `BrokerRejectedError`. */
  readonly validationErrors?: readonly string[];
  /**
   * The start of a body that could not be read, or of what the broker sent beside its refusal (Samco tells the whole order
   * that it refuses, documented): one line of at most 512 characters, redacted. Never that of a login.
   */
  readonly body?: string;
}

/** What an error is made of. */
export interface ErrorDetails extends ErrorFacts {
  /** Whether and when to try again; `never` by default. */
  readonly advice?: Advice;
  /** The lower-level cause; its own `cause` goes further down. */
  readonly cause?: unknown;
}

/** The facts are properties of the error; those that are not known are not there. */
export interface PreopenError extends ErrorFacts {}

/**
 * The base of every error that Preopen throws. The class, `kind` and `code` say what to do about it; the message
 * and all properties are safe to log: no secret is in them.
 */
export abstract class PreopenError extends Error {
  /** The code of this class. */
  static readonly code: ErrorCode;

  /** The stable code of the kind, the same in every language, for example `credentials_rejected`. */
  readonly code: ErrorCode;
  /** Whether and when the same call is worth another try. */
  readonly advice: Advice;

  /** Makes an error of this class, as tests of your own code may want to. */
  constructor(message: string, details: ErrorDetails = {}) {
    const { cause, advice = "never", ...rest } = details;
    super(message, cause === undefined ? undefined : { cause });
    this.code = new.target.code;
    this.advice = advice;
    for (const [name, value] of Object.entries(rest)) {
      if (value !== undefined) Object.defineProperty(this, name, { value, enumerable: true, configurable: true });
    }
  }

  /** The class name without `Error`, for example `CredentialsRejected`. */
  get kind(): string {
    return this.name.slice(0, -"Error".length);
  }

  /** Whether trying again can help without a change on your side: `advice` is not `never`. */
  get retryable(): boolean {
    return this.advice !== "never";
  }

  /** One line: class, broker, message, endpoint, HTTP status and the broker's code. */
  override toString(): string {
    const status = this.httpStatus === undefined ? undefined : `HTTP ${this.httpStatus}`;
    const facts = [this.endpoint, status, this.brokerCode].filter((fact) => fact !== undefined);
    const broker = this.broker === undefined ? "" : `${this.broker}: `;
    return `${this.name}: ${broker}${this.message}${facts.length === 0 ? "" : ` [${facts.join(", ")}]`}`;
  }
}

/** Gives the class its name, where minifiers cannot change it. */
function named(type: typeof PreopenError, name: string): void {
  Object.defineProperty(type.prototype, "name", { value: name, configurable: true, writable: true });
}

/** Refused before any I/O: fix the named `field`. */
export class InvalidInputError extends PreopenError {
  static override readonly code = "invalid_input";
  static { named(this, "InvalidInputError"); }
}

/** The broker refused a credential (`which`): fix it. Not tried again until it changes or `reset()` is called. */
export class CredentialsRejectedError extends PreopenError {
  static override readonly code = "credentials_rejected";
  static { named(this, "CredentialsRejectedError"); }
}

/** A person must act at the broker (`which`): log in to its app, subscribe, or get unblocked; then `reset()`. */
export class AccountActionRequiredError extends PreopenError {
  static override readonly code = "account_action_required";
  static { named(this, "AccountActionRequiredError"); }
}

/** A new interactive login is needed (`reason`). */
export class LoginRequiredError extends PreopenError {
  static override readonly code = "login_required";
  static { named(this, "LoginRequiredError"); }
}

/**
 * The broker refused the token and this call is not repeated: it is a write, which was not done (the next call logs in
 * again), or a read that was refused with a new token too (`advice` is `after`, and the session stays).
 */
export class SessionExpiredError extends PreopenError {
  static override readonly code = "session_expired";
  static { named(this, "SessionExpiredError"); }
}

/** This host's address is not registered with the broker (`sourceIp`, `primaryIp`, `secondaryIp`). */
export class StaticIpMismatchError extends PreopenError {
  static override readonly code = "static_ip_mismatch";
  static { named(this, "StaticIpMismatchError"); }
}

/**
 * Too many calls: wait (`retryAfter`, `adviceSeconds`). Without an `httpStatus` a limit of this account refused it, and
 * nothing was sent.
 */
export class RateLimitedError extends PreopenError {
  static override readonly code = "rate_limited";
  static { named(this, "RateLimitedError"); }
}

/** The deadline passed (`phase`). */
export class TimeoutError extends PreopenError {
  static override readonly code = "timeout";
  static { named(this, "TimeoutError"); }
}

/** DNS, connect, TLS, or a connection that broke (`phase`). */
export class NetworkError extends PreopenError {
  static override readonly code = "network";
  static { named(this, "NetworkError"); }
}

/** The broker answered with a 5xx, a web page, gateway text, or nothing. */
export class BrokerUnavailableError extends PreopenError {
  static override readonly code = "broker_unavailable";
  static { named(this, "BrokerUnavailableError"); }
}

/** A write may have happened: look at the order book before repeating it. */
export class OutcomeUnknownError extends PreopenError {
  static override readonly code = "outcome_unknown";
  static { named(this, "OutcomeUnknownError"); }
}

/** The broker said no to this request (`brokerCode`, `validationErrors`). */
export class BrokerRejectedError extends PreopenError {
  static override readonly code = "broker_rejected";
  static { named(this, "BrokerRejectedError"); }
}

/** JSON that fits no known shape (`body`). */
export class MalformedResponseError extends PreopenError {
  static override readonly code = "malformed_response";
  static { named(this, "MalformedResponseError"); }
}

/** The session store cannot be used. */
export class StoreUnavailableError extends PreopenError {
  static override readonly code = "store_unavailable";
  static { named(this, "StoreUnavailableError"); }
}

/** The caller gave up. An aborted call rejects with its signal's reason instead. */
export class CancelledError extends PreopenError {
  static override readonly code = "cancelled";
  static { named(this, "CancelledError"); }
}

/** A bug in Preopen: report it. */
export class InternalError extends PreopenError {
  static override readonly code = "internal";
  static { named(this, "InternalError"); }
}

/** The class of every code. */
export const errorClasses: Readonly<Record<ErrorCode, new (message: string, details?: ErrorDetails) => PreopenError>> =
  Object.freeze({
    invalid_input: InvalidInputError,
    credentials_rejected: CredentialsRejectedError,
    account_action_required: AccountActionRequiredError,
    login_required: LoginRequiredError,
    session_expired: SessionExpiredError,
    static_ip_mismatch: StaticIpMismatchError,
    rate_limited: RateLimitedError,
    timeout: TimeoutError,
    network: NetworkError,
    broker_unavailable: BrokerUnavailableError,
    outcome_unknown: OutcomeUnknownError,
    broker_rejected: BrokerRejectedError,
    malformed_response: MalformedResponseError,
    store_unavailable: StoreUnavailableError,
    cancelled: CancelledError,
    internal: InternalError,
  });
