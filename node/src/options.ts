// The options of sessions and calls: their types, and the checks of what TypeScript cannot check at run time.

import type { LoginStart } from "./consent.js";
import { invalidInput, unicode } from "./convert.js";
import { json } from "./json.js";
import type { NativeCall, NativeClock, NativeOptions } from "./native.js";
import type { PreflightOptions } from "./preflight.js";
import type { Store } from "./store.js";

/** Settings of a session. */
export interface SessionOptions {
  /**
   * Another address of the API. A loopback address makes a sandbox session, where plain http is allowed; any other
   * host must be https and the broker's own, or named in `allowedHosts`.
   */
  readonly baseUrl?: string | undefined;
  /** Seconds (not milliseconds) that one request may take; a login counts on its own. 10 by default, at most 600. */
  readonly timeout?: number | undefined;
  /** The address family to leave by: 4 (the default, which is what brokers register), 6, or 0 for either. */
  readonly ipVersion?: 4 | 6 | 0 | undefined;
  /** The local address to send from, on a host with several: the registered one. */
  readonly sourceIp?: string | undefined;
  /**
   * A proxy for all requests, for example `http://10.0.0.1:3128`. Without it the system's settings hold. The broker sees a
   * proxy's address in place of this host's: `preflight` warns of it.
   */
  readonly proxy?: string | undefined;
  /** A PEM file with further certificate authorities to trust, beside the platform's and Mozilla's. */
  readonly caFile?: string | undefined;
  /** Hosts beside the broker's own that credentials may be sent to. */
  readonly allowedHosts?: readonly string[] | undefined;
  /**
   * Renews the session after each daily end without being asked, so that the first order of the day waits for no login:
   * between 5 and 125 seconds after the end, each account at its own time, never before it. It begins with the first call
   * that needs a token, and rests while a login needs a person. It keeps neither the process nor a session that you dropped
   * alive. `false` by default.
   */
  readonly keepWarm?: boolean | undefined;
  /**
   * Where the session is shared, so that exactly one of all programs logs in: `memory` (this object alone, the default),
   * `file` or `file:/a/folder` (this machine), `redis://...` (many hosts), or an object of your own.
   */
  readonly store?: string | Store | undefined;
  /**
   * What stored sessions are sealed with: a key of {@link generateKey}, or `keyring` for the system's keyring. Without it the
   * store's own choice, which for an object of your own is the environment variable `PREOPEN_KEY`.
   */
  readonly storeKey?: string | undefined;
  /**
   * What a new login does while the store cannot be used: it is refused with `StoreUnavailableError` (`refuse`, the
   * default), or sent all the same, unknown to other programs (`login`). A session that is live is served.
   */
  readonly onStoreLoss?: "refuse" | "login" | undefined;
  /**
   * Limits of your own in place of the broker's, for example `{ orders: { perSecond: 5, perHour: null } }`: a limit that is
   * not named stays the broker's, `null` is no limit. SmartAPI's groups have the documented limits; Samco documents none,
   * and its groups `orders` and `other` have none. The sessions of an account in this process count together. A call waits
   * for its slot for half of its `timeout` at most; `RateLimitedError` says when there is one again, and nothing was sent.
   */
  readonly rateLimits?: Readonly<Record<string, RateLimit>> | undefined;
  /**
   * A file that gets one line of JSON for each login, refusal and logout: when, at which broker, of which account (a label
   * that nothing can be read from), on which host, why, and how it ended. Programs may share it. One that cannot be written
   * keeps nobody from logging in.
   */
  readonly audit?: string | undefined;
}

/** The most calls of a group; `null` is no limit. */
export interface RateLimit {
  /** In any second. */
  readonly perSecond?: number | null | undefined;
  /** In any minute. */
  readonly perMinute?: number | null | undefined;
  /** In any hour. */
  readonly perHour?: number | null | undefined;
}

/** Which of a broker's WebSockets, by the broker's names. */
export interface StreamOptions extends CallControl {
  /** Samco's `stream`; SmartAPI's `smart-stream` (the default there) or `smart-order-update`. */
  readonly stream?: "stream" | "smart-stream" | "smart-order-update" | undefined;
}

/** How a caller may give up. */
export interface CallControl {
  /**
   * Gives up when it is aborted: the call rejects with the signal's reason at once. A login that the call waited for
   * goes on and serves whoever comes next.
   */
  readonly signal?: AbortSignal | undefined;
}

/** How to log in at the broker's page. */
export interface LoginOptions {
  /**
   * Whether a browser of this machine is opened; `true` by default. The page's URL is then an argument of its process, which
   * other users of this machine may see while it starts.
   */
  readonly openBrowser?: boolean | undefined;
  /** Seconds (not milliseconds) of real time to wait for the person; 300 by default. */
  readonly timeout?: number | undefined;
  /**
   * Called with the page once the listener is ready. What it throws or rejects with ends the login; a promise of its own is
   * not waited for once the login is over, done or not.
   */
  readonly show?: ((start: LoginStart) => unknown) | undefined;
  /** Gives the login up when it is aborted: it rejects with the signal's reason, and the port is free. */
  readonly signal?: AbortSignal | undefined;
}

/** How to listen to a session. */
export interface EventsOptions {
  /** Ends the listening when it is aborted: what happened before is still given, then the signal's reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** What a session is sealed or opened with. */
export interface KeyOptions {
  /**
   * The key: 32 random bytes as base64 or hex, for example from {@link generateKey}. Without it that of the environment
   * variable `PREOPEN_KEY`.
   */
  readonly key?: string | undefined;
}

/** How to export a session. */
export interface ExportOptions extends CallControl, KeyOptions {}

/** A value of a query parameter; a list repeats the parameter. */
export type ParamValue = string | number | bigint | boolean;

/** Settings of one call to the broker. */
export interface CallOptions extends CallControl {
  /** Query parameters; they are encoded for you, and `undefined` ones are left out. */
  readonly params?: Readonly<Record<string, ParamValue | readonly ParamValue[] | undefined>> | URLSearchParams | undefined;
  /**
   * The JSON body. What JSON does not have is refused, wherever it is: `NaN`, infinities, `undefined` in a list,
   * functions, symbols, bigints, maps, sets, text that is not valid Unicode. `undefined` members are left out.
   */
  readonly json?: unknown;
  /** Headers beside those of the session. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * Whether the call may be repeated, whatever its method: `true` for a POST that only reads, `false` for a GET that
   * does not.
   */
  readonly replaySafe?: boolean | undefined;
  /** Seconds (not milliseconds) that this request may take, in place of the session's `timeout`; at most 600. */
  readonly timeout?: number | undefined;
}

/** The clocks that sandboxes give to their sessions, by the options object that they pass. Not public. */
export const clocks = new WeakMap<SessionOptions, NativeClock>();

/** The longest timeout. */
const LONGEST_SECONDS = 600;

type Check = (value: unknown) => string | undefined;

const text: Check = (value) => (typeof value === "string" ? unicode(value) : "must be a string");
const seconds: Check = (value) => {
  if (typeof value !== "number") return "must be a number of seconds";
  return value > LONGEST_SECONDS ? `must be at most ${LONGEST_SECONDS}: it is in seconds, not milliseconds` : undefined;
};
const flag: Check = (value) => (typeof value === "boolean" ? undefined : "must be true or false");
const dictionary: Check = (value) => (isDictionary(value) ? undefined : "must be a plain object");
const query: Check = (value) =>
  isDictionary(value) || value instanceof URLSearchParams ? undefined : "must be a plain object or URLSearchParams";
const anything: Check = () => undefined;
const signal: Check = (value) => (value instanceof AbortSignal ? undefined : "must be an AbortSignal");

const SESSION: Readonly<Record<keyof SessionOptions, Check>> = {
  baseUrl: text,
  timeout: seconds,
  ipVersion: (value) => (value === 4 || value === 6 || value === 0 ? undefined : "must be 4, 6, or 0 for either"),
  sourceIp: text,
  proxy: text,
  caFile: text,
  allowedHosts: (value) =>
    Array.isArray(value) && value.every((host) => text(host) === undefined) ? undefined : "must be a list of strings",
  keepWarm: flag,
  // An object is looked at where its methods are called.
  store: (value) => (typeof value === "string" ? unicode(value) : undefined),
  storeKey: text,
  onStoreLoss: (value) => (value === "refuse" || value === "login" ? undefined : "must be refuse or login"),
  rateLimits: (value) => (isDictionary(value) && Object.values(value).every(isDictionary) ? undefined : RATE_LIMITS),
  audit: text,
};

const RATE_LIMITS = "must name groups of calls, each with perSecond, perMinute or perHour";
const SPANS: Readonly<Record<string, string>> = { perSecond: "per_second", perMinute: "per_minute", perHour: "per_hour" };

const CONTROL: Readonly<Record<keyof CallControl, Check>> = { signal };
const PREFLIGHT: Readonly<Record<keyof PreflightOptions, Check>> = { strict: flag, signal };
const LOGIN: Readonly<Record<keyof LoginOptions, Check>> = {
  openBrowser: flag,
  // A person may take longer than a request may.
  timeout: (value) => (typeof value === "number" ? undefined : "must be a number of seconds"),
  show: (value) => (typeof value === "function" ? undefined : "must be a function"),
  signal,
};
const KEY: Readonly<Record<keyof KeyOptions, Check>> = { key: text };
const STREAM: Readonly<Record<keyof StreamOptions, Check>> = { stream: text, signal };
const EXPORT: Readonly<Record<keyof ExportOptions, Check>> = { ...KEY, signal };

const CALL: Readonly<Record<keyof CallOptions, Check>> = {
  params: query,
  json: anything,
  headers: dictionary,
  replaySafe: flag,
  timeout: seconds,
  signal,
};

/** Settings of a session as the addon wants them, and its store. Throws `InvalidInputError`. */
export function sessionOptions(options: SessionOptions): [NativeOptions, string | Store | undefined] {
  const { store, rateLimits, ...native } = given(options, SESSION) as SessionOptions;
  // Rust reads the environment of the process; a worker thread has one of its own.
  const key = typeof store === "object" && !isMainThread() ? keyOfEnvironment() : undefined;
  const settings = { ...(key === undefined ? {} : { storeKey: key }), ...native } as NativeOptions;
  if (rateLimits !== undefined) settings.rateLimits = limitsText(rateLimits);
  return [settings, store];
}

/** Limits as JSON text with Rust's names. Throws `InvalidInputError`. */
function limitsText(limits: Readonly<Record<string, RateLimit>>): string {
  const groups = Object.entries(limits).map(([group, rates]) => {
    const known = Object.entries(rates).map(([name, calls]) => {
      const span = Object.hasOwn(SPANS, name) ? SPANS[name] : undefined;
      // JSON would make null of what is no number, and null is no limit.
      const number = calls === null || calls === undefined || Number.isSafeInteger(calls);
      if (span === undefined || !number) throw invalidInput("rateLimits", RATE_LIMITS + ", as whole numbers or null");
      return [span, calls];
    });
    return [group, Object.fromEntries(known)];
  });
  return json(Object.fromEntries(groups));
}

/** The stream and the signal of a call for its headers. Throws `InvalidInputError`. */
export function streamOptions(options: StreamOptions): [string | undefined, AbortSignal | undefined] {
  const { stream, signal: aborts } = given(options, STREAM) as StreamOptions;
  return [stream, aborts];
}

/** The signal of a call that takes nothing else. Throws `InvalidInputError`. */
export function callControl(control: CallControl | undefined): AbortSignal | undefined {
  return control === undefined ? undefined : (given(control, CONTROL)["signal"] as AbortSignal | undefined);
}

/** Whether a preflight is strict, and its signal. Throws `InvalidInputError`. */
export function preflightOptions(options: PreflightOptions | undefined): [boolean, AbortSignal | undefined] {
  if (options === undefined) return [false, undefined];
  const { strict = false, signal: aborts } = given(options, PREFLIGHT) as PreflightOptions;
  return [strict, aborts];
}

/** How to log in. Throws `InvalidInputError`. */
export function loginOptions(options: LoginOptions): LoginOptions {
  return given(options, LOGIN) as LoginOptions;
}

/** The signal that ends a listening. Throws `InvalidInputError`. */
export function eventsOptions(options: EventsOptions): AbortSignal | undefined {
  return (given(options, CONTROL) as EventsOptions).signal;
}

/** The key of a sealed session and the signal of its export. Throws `InvalidInputError`. */
export function exportOptions(options: ExportOptions): [string, AbortSignal | undefined] {
  const { key = keyOfEnvironment(), signal: aborts } = given(options, EXPORT) as ExportOptions;
  if (key === undefined) {
    throw invalidInput("key", "is not given: pass one, or set PREOPEN_KEY; generateKey() makes one");
  }
  return [key, aborts];
}

/** The key to open a sealed session with, if there is one. Throws `InvalidInputError`. */
export function primeKey(record: string, options: KeyOptions): string | undefined {
  const { key } = given(options, KEY) as KeyOptions;
  if (typeof record !== "string") throw invalidInput("record", "must be the text that export() gave");
  valid("record", record);
  // An open record needs no key, so that a bad one in the environment does no harm.
  return key ?? (record.trimStart().startsWith("{") ? undefined : keyOfEnvironment());
}

// Asked where it matters: importing the module makes the whole package slower to load.
function isMainThread(): boolean {
  return process.getBuiltinModule("node:worker_threads").isMainThread;
}

// Read here and not in Rust: a worker thread has an environment of its own.
function keyOfEnvironment(): string | undefined {
  return process.env["PREOPEN_KEY"];
}

/** A call as the addon wants it, and its signal. Throws `InvalidInputError`. */
export function call(method: string, path: string, options: CallOptions): [NativeCall, AbortSignal | undefined] {
  if (typeof path !== "string") throw invalidInput("path", "must be a string that begins with /");
  valid("path", path);
  const checked = given(options, CALL) as CallOptions;
  const native: NativeCall = { method, path, params: params(checked.params), headers: headers(checked.headers) };
  if (checked.json !== undefined) native.json = json(checked.json);
  if (checked.replaySafe !== undefined) native.replaySafe = checked.replaySafe;
  if (checked.timeout !== undefined) native.timeout = checked.timeout;
  return [native, checked.signal];
}

/** The options that are given, each checked. An unknown name is refused: it is a slip of the pen. */
function given(options: object, checks: Readonly<Record<string, Check>>): Record<string, unknown> {
  if (!isDictionary(options)) throw invalidInput("options", "must be a plain object");
  const found: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (check === undefined) throw invalidInput(name, `is not an option: there are ${Object.keys(checks).join(", ")}`);
    if (value === undefined) continue;
    const problem = check(value);
    if (problem !== undefined) throw invalidInput(name, problem);
    found[name] = value;
  }
  return found;
}

/** An object whose members count. Maps, Headers and the like have none: what they hold would be lost. */
function isDictionary(value: unknown): value is object {
  return Object.prototype.toString.call(value) === "[object Object]";
}

function params(given: CallOptions["params"]): string[] {
  if (given === undefined) return [];
  if (given instanceof URLSearchParams) return [...given].flat();
  const flat: string[] = [];
  for (const [name, value] of Object.entries(given)) {
    names("params", name);
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (one === undefined) continue;
      if (!["string", "number", "bigint", "boolean"].includes(typeof one)) {
        throw invalidInput(`params.${name}`, "must be a string, number or boolean, or a list of them");
      }
      if (typeof one === "number" && !Number.isFinite(one)) throw invalidInput(`params.${name}`, `must be a finite number, not ${one}`);
      const written = String(one);
      valid(`params.${name}`, written);
      flat.push(name, written);
    }
  }
  return flat;
}

function headers(given: CallOptions["headers"]): string[] {
  const flat: string[] = [];
  for (const [name, value] of Object.entries(given ?? {})) {
    names("headers", name);
    if (typeof value !== "string") throw invalidInput(`headers.${name}`, "must be a string");
    valid(`headers.${name}`, value);
    flat.push(name, value);
  }
  return flat;
}

/** Refuses a name that is not valid Unicode. */
function names(field: string, name: string): void {
  if (!name.isWellFormed()) throw invalidInput(field, `must not have the name ${JSON.stringify(name)}: it is not valid Unicode`);
}

/** Refuses text that is not valid Unicode. The value is not shown: it may be a secret. */
function valid(field: string, value: string): void {
  const problem = unicode(value);
  if (problem !== undefined) throw invalidInput(field, problem);
}
