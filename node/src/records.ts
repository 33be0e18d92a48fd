// What a session tells, as plain objects, and how they are read from the addon's JSON.

import { toError } from "./convert.js";
import type { NativeErrorInfo } from "./convert.js";
import type { PreopenError } from "./errors.js";
import type { NativeReply } from "./native.js";

/**
 * A broker's answer to one call, unwrapped. It says that the broker took the call, not that it did what was asked: look at
 * `rejections`, and later at the order book.
 */
export interface Reply<T = unknown> {
  /**
   * The payload: SmartAPI's `data`; for Samco all keys but the envelope's own, or what is in `data` where that is the only
   * one (documented shapes). Numbers are JavaScript's: an integer beyond 2^53 or `1550.2500` is in `text` as it was sent.
   */
  readonly data: T;
  /** The broker's message for a person. */
  readonly message: string | undefined;
  /** The broker's time. Samco sends Indian time to the second. */
  readonly serverTime: Date | undefined;
  /** The broker's id of this reply. */
  readonly messageId: string | undefined;
  /** What the broker found wrong with the request although it took it. */
  readonly validationErrors: readonly string[];
  /** The broker's own word for success, `Success` or `true`; `undefined` where the reply has none. */
  readonly status: string | undefined;
  /** The parts of an accepted request that the broker refused. */
  readonly rejections: readonly Rejection[];
  /** HTTP status. */
  readonly httpStatus: number;
  /**
   * The body exactly as the broker sent it, to read numbers as they were written:
   * `JSON.parse(reply.text, (key, value, { source }) => (typeof value === "number" ? source : value))`. It may hold what the
   * data holds, so it is not enumerable: neither `console.log` nor `JSON.stringify` shows it.
   */
  readonly text: string;
}

/**
 * One part of a request that the broker refused in a reply that is a success: an order that it rejected at once, one of
 * several, a position that was not squared off (Samco, documented), or a symbol without a quote (SmartAPI, documented).
 */
export interface Rejection {
  /** Where it stands in `data`, as a JSON pointer: `/orders/0`, or an empty text for the whole of it. */
  readonly at: string;
  /** The order's number, if it was given one. */
  readonly orderId: string | undefined;
  /** The broker's reason on one line; empty if it gave none. */
  readonly reason: string;
}

/** Which address the broker sees, and whether orders from here will be accepted. */
export interface WhoAmI {
  /** The address that the broker saw. */
  readonly sourceIp: string | undefined;
  /** The registered primary address. */
  readonly primaryIp: string | undefined;
  /** The registered secondary address. */
  readonly secondaryIp: string | undefined;
  /** Which registered address matched. */
  readonly matchedAs: "primary" | "secondary" | undefined;
  /** `unsupported` for a broker that has no such call (SmartAPI). */
  readonly verdict: "match" | "mismatch" | "unregistered" | "unsupported";
  /** One line for a person. */
  readonly message: string;
}

/** Who the session belongs to, as far as the broker told. */
export interface Profile {
  /** The account's id at the broker. */
  readonly accountId: string | undefined;
  /** The holder's name. */
  readonly name: string | undefined;
  /** Exchanges that the account may trade on. */
  readonly exchanges: readonly string[];
  /** Product types. */
  readonly products: readonly string[];
  /** Order types. */
  readonly orderTypes: readonly string[];
}

/** One reason to believe that the session ends at a time; the earliest decides. */
export interface ExpiryEvidence {
  /** Where it comes from, for example `daily_boundary`. */
  readonly source: string;
  /** When the session ends by it. */
  readonly at: Date;
}

/** What a session is doing. */
export interface SessionState {
  /**
   * `blocked` means that the broker refused the login for good; nothing is sent until `reset()`. `closed` means that
   * `close()` was called; it stays so.
   */
  readonly name: "signed_out" | "opening" | "active" | "expired" | "blocked" | "closed";
  /** The number of the last login; 0 before the first. */
  readonly generation: number;
  /** When the login of the session was sent. */
  readonly issuedAt: Date | undefined;
  /** When the session ends. */
  readonly expiresAt: Date | undefined;
  /** The source of the evidence that decides. */
  readonly expirySource: string | undefined;
  /** All evidence. */
  readonly expiryEvidence: readonly ExpiryEvidence[];
  /**
   * Until when a refresh token opens the next session without a person, where that outlives the session (`samcoOAuth`: seven
   * days, documented).
   */
  readonly renewableUntil: Date | undefined;
  /**
   * Seconds that the broker's clock was ahead of this machine's at the login (negative: behind), where its reply told. Only
   * what is certain counts, so that clocks within about a second of each other differ by 0; at most 900 either way.
   */
  readonly clockSkew: number | undefined;
  /** Why the session is blocked. */
  readonly blockedBy: PreopenError | undefined;
  /** One line for a person. */
  readonly reason: string;
}

/**
 * What happened to a session:
 *
 * - `renewed`: a login, a refresh or an imported session gave a new token. Headers that you keep are old now.
 * - `expiring`: the session ends within 15 minutes.
 * - `expired`: the session is over: its time came, or the broker refused its token.
 * - `login_needed`: only a person can log in again (`error`).
 * - `blocked`: the broker refused the login for good (`error`); nothing is sent until `reset()`.
 * - `failing`: logins have failed three times in a row, and trying goes on (`error`).
 * - `ip_mismatch`: the broker saw an address that is not registered (`error`).
 * - `signed_out`: the user logged out.
 * - `lagged`: this listener fell behind and missed events (`missed`): read the state, then go on.
 */
export type EventName =
  | "renewed"
  | "expiring"
  | "expired"
  | "login_needed"
  | "blocked"
  | "failing"
  | "ip_mismatch"
  | "signed_out"
  | "lagged";

/** One event of a session. It holds no secret. */
export interface SessionEvent {
  /** What happened. */
  readonly name: EventName;
  /** When, by the session's clock. A `Date` has no time zone: print it with `timeZone: "Asia/Kolkata"` for Indian time. */
  readonly at: Date;
  /** The generation that it is about; 0 when there was none yet, and for `lagged`. */
  readonly generation: number;
  /** When that generation ends, while it is known. */
  readonly expiresAt: Date | null;
  /** Why, for `blocked`, `failing`, `login_needed` and `ip_mismatch`. */
  readonly error: PreopenError | null;
  /** How many events were missed, for `lagged`; 0 otherwise. */
  readonly missed: number;
  /** One line for a person. */
  readonly reason: string;
}

/** What came of a logout. */
export interface Logout {
  /**
   * Whether the broker said that it logged out. It is no proof that the token is dead: at SmartAPI calls with the old
   * token have been seen to work on (observed by users).
   */
  readonly acknowledged: boolean;
  /** One line for a person. */
  readonly message: string;
  /** Why the broker did not acknowledge, if it was asked; or, when it did, why other programs may not know. */
  readonly error: PreopenError | undefined;
}

type Nullable<T> = T | null;
type Raw = Record<string, unknown>;

export function toReply<T>({ fields, text }: NativeReply): Reply<T> {
  const raw = JSON.parse(fields) as Raw;
  const reply: Reply<T> = {
    data: dataOf(raw, text) as T,
    message: optional<string>(raw["message"]),
    serverTime: date(raw["server_time_ms"]),
    messageId: optional<string>(raw["message_id"]),
    validationErrors: raw["validation_errors"] as string[],
    status: optional<string>(raw["status"]),
    rejections: (raw["rejections"] as Raw[]).map(toRejection),
    httpStatus: raw["http_status"] as number,
    text,
  };
  return Object.defineProperty(reply, "text", { enumerable: false });
}

/** The data where Rust found it: read already, one member of the text, or the text without some members. */
function dataOf(raw: Raw, text: string): unknown {
  if ("data" in raw) return raw["data"];
  const body = JSON.parse(text) as Raw;
  if ("member" in raw) return body[raw["member"] as string] ?? null;
  for (const name of raw["without"] as string[]) delete body[name];
  return body;
}

function toRejection(raw: Raw): Rejection {
  return {
    at: raw["at"] as string,
    orderId: optional<string>(raw["order_id"]),
    reason: raw["reason"] as string,
  };
}

export function toWhoAmI(text: string): WhoAmI {
  const raw = JSON.parse(text) as Raw;
  return {
    sourceIp: optional<string>(raw["source_ip"]),
    primaryIp: optional<string>(raw["primary_ip"]),
    secondaryIp: optional<string>(raw["secondary_ip"]),
    matchedAs: optional<"primary" | "secondary">(raw["matched_as"]),
    verdict: raw["verdict"] as WhoAmI["verdict"],
    message: raw["message"] as string,
  };
}

export function toProfile(text: string): Profile {
  const raw = JSON.parse(text) as Raw;
  return {
    accountId: optional<string>(raw["account_id"]),
    name: optional<string>(raw["name"]),
    exchanges: raw["exchanges"] as string[],
    products: raw["products"] as string[],
    orderTypes: raw["order_types"] as string[],
  };
}

export function toState(text: string): SessionState {
  const raw = JSON.parse(text) as Raw;
  const evidence = raw["expiry_evidence"] as { source: string; at_ms: number }[];
  return {
    name: raw["name"] as SessionState["name"],
    generation: raw["generation"] as number,
    issuedAt: date(raw["issued_at_ms"]),
    expiresAt: date(raw["expires_at_ms"]),
    expirySource: optional<string>(raw["expiry_source"]),
    expiryEvidence: evidence.map(({ source, at_ms }) => ({ source, at: new Date(at_ms) })),
    renewableUntil: date(raw["renewable_until_ms"]),
    clockSkew: optional<number>(raw["clock_skew"]),
    blockedBy: error(raw["blocked_by"]),
    reason: raw["reason"] as string,
  };
}

export function toEvent(text: string): SessionEvent {
  const raw = JSON.parse(text) as Raw;
  return {
    name: raw["name"] as EventName,
    at: new Date(raw["at_ms"] as number),
    generation: raw["generation"] as number,
    expiresAt: date(raw["expires_at_ms"]) ?? null,
    error: error(raw["error"]) ?? null,
    missed: raw["missed"] as number,
    reason: raw["reason"] as string,
  };
}

export function toLogout(text: string): Logout {
  const raw = JSON.parse(text) as Raw;
  return {
    acknowledged: raw["acknowledged"] as boolean,
    message: raw["message"] as string,
    error: error(raw["error"]),
  };
}

function optional<T>(value: unknown): T | undefined {
  return (value as Nullable<T>) ?? undefined;
}

function date(millis: unknown): Date | undefined {
  return typeof millis === "number" ? new Date(millis) : undefined;
}

function error(info: unknown): PreopenError | undefined {
  return info === null ? undefined : toError(info as NativeErrorInfo);
}
