// The addon: its types, written by hand. Nothing here is public.

import { loadAddon } from "./addon.js";

/** What every fallible call of the addon gives; `error` is a {@link NativeErrorInfo} as JSON text. */
export type Outcome<T> = { readonly ok: T; readonly error?: never } | { readonly ok?: never; readonly error: string };

/** A token as it crosses. */
export interface NativeToken {
  readonly value: string;
  readonly expiresAtMs: number;
  readonly generation: number;
}

/** Headers as they cross; a generation of 0 means that they must not be kept. */
export interface NativeHeaders {
  readonly values: Record<string, string>;
  readonly generation: number;
}

/** A login that was begun, as it crosses. */
export interface NativeLoginStart {
  readonly url: string;
  readonly expiresAtMs: number;
}

/** A code for another login, as it crosses. */
export interface NativeLoginCode {
  readonly value: string;
  readonly expiresAtMs: number;
}

/** A login at the broker's page that is under way. */
export interface NativeLogin {
  /** What is to be shown; `null` when the login ended before. */
  started(): Promise<Outcome<NativeLoginStart | null>>;
  outcome(): Promise<Outcome<undefined>>;
  /** Gives it up; its port is free when this returns. */
  close(): void;
}

/** The log records of this process. It keeps no process alive. */
export interface NativeLogs {
  readonly closed: boolean;
  close(): void;
}

/** A log record. */
export interface NativeLogRecord {
  /** Seconds since the Unix epoch. */
  readonly at: number;
  readonly level: "error" | "warn" | "info" | "debug" | "trace";
  /** `preopen` or `preopen.audit`. */
  readonly target: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number | boolean>>;
}

/** What is measured. */
export interface NativeMetricFamily {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  readonly unit: string;
  readonly help: string;
}

/** A number, or a histogram, with its labels. */
export interface NativeMetric extends NativeMetricFamily {
  readonly labels: Readonly<Record<string, string>>;
  /** Of a counter or a gauge. */
  readonly value?: number;
  readonly count?: number;
  readonly sum?: number;
  /** Of a histogram: upper bounds, each with how many were at most that. */
  readonly buckets?: readonly (readonly [number, number])[];
}

/** Samco's deprecated calls; replies are JSON. */
export interface NativeLegacy {
  generateOtp(cancel?: NativeCancel): Promise<Outcome<NativeReply>>;
  generateSecretKey(otp: string, cancel?: NativeCancel): Promise<Outcome<NativeReply>>;
  registerIps(primary: string, secondary?: string, cancel?: NativeCancel): Promise<Outcome<NativeReply>>;
  updateIps(primary: string, secondary?: string, cancel?: NativeCancel): Promise<Outcome<NativeReply>>;
}

/** Settings of a session; what is left out has Rust's default. */
export interface NativeOptions {
  baseUrl?: string;
  allowedHosts?: string[];
  timeout?: number;
  ipVersion?: number;
  sourceIp?: string;
  proxy?: string;
  caFile?: string;
  keepWarm?: boolean;
  storeKey?: string;
  onStoreLoss?: string;
  /** Limits by group, as JSON text with Rust's names. */
  rateLimits?: string;
  audit?: string;
}

/** One call to the broker; `params` and `headers` are names and values in turn. */
export interface NativeCall {
  method: string;
  path: string;
  params: string[];
  headers: string[];
  json?: string;
  replaySafe?: boolean;
  timeout?: number;
}

/** Credentials; nothing reads them back. */
export interface NativeCredentials {
  readonly [brand]: "credentials";
}

/** A callback's question; it is answered once, and one that is dropped without an answer fails. */
export interface NativeQuestion {
  answer(secret: string | null): void;
  /** `how` completes a sentence, for example `threw TypeError`. */
  fail(how: string): void;
}

/** A secret, or a function that answers the question for it. It must not throw. */
export type NativeSource = string | ((question: NativeQuestion) => void);

/** A store of the program's own. */
export interface NativeStore {
  name: string;
  /** Calls a method of the store or of one of its claims. It must not throw. */
  call: (call: NativeStoreCall) => void;
}

/** A call of a method; it is answered once, and one that is dropped without an answer fails. */
export interface NativeStoreCall {
  /** Its name in the words of Rust; empty when it is answered. */
  readonly method: string;
  /** The account, or the value to write. */
  readonly argument: string | null;
  /** The number of the claim whose method it is, or the store's. */
  readonly claim: number | null;
  text(text: string | null): void;
  /** `lease` tells that it has a `goodFor`. */
  claimed(claim: number, value: string | null, lease: boolean): void;
  notClaimed(): void;
  written(written: boolean): void;
  seconds(seconds: number): void;
  done(): void;
  /** `how` completes a sentence, for example `threw TypeError`; `claim` is released. */
  fail(how: string, claim?: number): void;
}

/** A session's events, from the moment that it was made on. */
export interface NativeEvents {
  /** The next event as JSON text, `false` when there is none yet, `null` at the end. */
  look(): string | false | null;
  /** Calls `ready` once, when there is something to look at; keeps no process alive. */
  wait(ready: () => void): void;
  rest(): void;
  close(): void;
}

/** A virtual clock; milliseconds since the Unix epoch, and times real time. */
export interface NativeClock {
  set(millis: number, rate: number): void;
}

/** Stops the one call that it was handed to. */
export interface NativeCancel {
  abort(): void;
}

/** A call that another HTTP client sends. */
export interface NativeForeignCall {
  /** The call with the live session; `null` when that takes waiting. */
  trySign(): Outcome<NativeSignedCall | null>;
  /** Waits for a login if there must be one. */
  sign(cancel?: NativeCancel): Promise<Outcome<NativeSignedCall>>;
}

/** The same with the session that it is sent with. */
export interface NativeSignedCall {
  headers(): Outcome<NativeHeaders>;
  /** Takes in a reply; headers are names and values in turn. Gives JSON text: whether to `repeat`, and the `error`. */
  answered(status: number, headers: string[], body: Uint8Array, sendable: boolean): string;
}

/** A reply: the text as the broker sent it, and all else as JSON, which tells where in the text the data is if it was left there. */
export interface NativeReply {
  fields: string;
  text: string;
}

/** A session. `state` and the texts that promises resolve to are JSON. */
export interface NativeSession {
  readonly broker: string;
  readonly baseUrl: string;
  readonly environment: string;
  readonly store: string | null;
  /** A function that tells the generation of the live token, or 0. */
  liveCheck(): () => number;
  token(cancel?: NativeCancel): Promise<Outcome<NativeToken>>;
  headers(cancel?: NativeCancel): Promise<Outcome<NativeHeaders>>;
  /** Headers of a stream's handshake, which are not kept. */
  streamHeaders(stream: string | undefined, cancel?: NativeCancel): Promise<Outcome<NativeHeaders>>;
  feedToken(cancel?: NativeCancel): Promise<Outcome<string>>;
  whoami(cancel?: NativeCancel): Promise<Outcome<string>>;
  preflight(strict: boolean, cancel?: NativeCancel): Promise<Outcome<string>>;
  profile(cancel?: NativeCancel): Promise<Outcome<string>>;
  request(call: NativeCall, cancel?: NativeCancel): Promise<Outcome<NativeReply>>;
  /** Looks at a call that another HTTP client is about to send. */
  foreign(method: string, url: string): Outcome<NativeForeignCall>;
  events(): NativeEvents;
  export(key: string, cancel?: NativeCancel): Promise<Outcome<string>>;
  exportExposed(cancel?: NativeCancel): Promise<Outcome<string>>;
  prime(record: string, key?: string): Outcome<undefined>;
  state(): string;
  invalidate(generation: number): void;
  reset(): void;
  logout(cancel?: NativeCancel): Promise<Outcome<string>>;
  beginLogin(cancel?: NativeCancel): Promise<Outcome<NativeLoginStart>>;
  completeLogin(address: string, cancel?: NativeCancel): Promise<Outcome<undefined>>;
  /** `shows` tells that somebody waits for the page to show. */
  login(openBrowser: boolean | undefined, timeout: number | undefined, shows: boolean, cancel?: NativeCancel): Outcome<NativeLogin>;
  webLoginCode(cancel?: NativeCancel): Promise<Outcome<NativeLoginCode>>;
  samcoLegacy(): Outcome<NativeLegacy>;
  close(): void;
}

/** Everything that the addon exports. A test compares it with the built one. */
export interface Native {
  version(): string;
  errorCatalogue(): string[];
  eventCatalogue(): string[];
  generateKey(): Outcome<string>;
  /** Calls `record` with log records of `level` and above as JSON text, until closed: {@link NativeLogRecord}. */
  logs(level: string, record: (json: string) => void): Outcome<NativeLogs>;
  /** A JSON list: {@link NativeMetric}. */
  metrics(): string;
  /** A JSON list: {@link NativeMetricFamily}. */
  metricFamilies(): string;
  /** Asked and answered as JSON text. */
  staticIpMayChange(asked: string): Outcome<string>;
  staticIpCheck(address: string): Outcome<string>;
  openSession(
    credentials: NativeCredentials,
    options: NativeOptions,
    store?: string | NativeStore,
    clock?: NativeClock,
  ): Outcome<NativeSession>;
  /** Resolves to a JSON list of what the store violates. */
  checkOwnStore(store: NativeStore): Promise<Outcome<string>>;
  readonly NativeCredentials: {
    samco(apiKey: string, apiSecret: NativeSource): NativeCredentials;
    /**
     * `typed` tells that `totp` is asked for the six-digit code, not for the secret; `told` are names and values in turn,
     * for the headers that tell of the machine.
     */
    angelOne(
      apiKey: string,
      clientCode: string,
      pin: NativeSource,
      totp: NativeSource,
      typed: boolean,
      told: string[],
    ): NativeCredentials;
    samcoOauth(apiKey: string, redirectUrl: string): NativeCredentials;
    samcoLegacy(userId: string, password: NativeSource, secretApiKey: NativeSource, yearOfBirth?: string): NativeCredentials;
    samcoLoginCode(account: string, code: NativeSource): NativeCredentials;
    angelOnePublisher(apiKey: string, clientCode: string, redirectUrl: string | undefined, trustMissingState: boolean, told: string[]): NativeCredentials;
  };
  readonly NativeClock: new (millis: number, rate: number) => NativeClock;
  readonly NativeCancel: new (question?: NativeQuestion) => NativeCancel;
  readonly NativeEvents: abstract new () => NativeEvents;
  readonly NativeForeignCall: abstract new () => NativeForeignCall;
  readonly NativeLegacy: abstract new () => NativeLegacy;
  readonly NativeLogin: abstract new () => NativeLogin;
  readonly NativeLogs: abstract new () => NativeLogs;
  readonly NativeQuestion: abstract new () => NativeQuestion;
  readonly NativeSession: abstract new () => NativeSession;
  readonly NativeSignedCall: {
    /** Whether the body of a reply can tell anything about the session. */
    isTelling(status: number, contentType?: string): boolean;
  };
  readonly NativeStoreCall: abstract new () => NativeStoreCall;
}

declare const brand: unique symbol;

let loaded: Native | undefined;

/** The addon, loaded on first use. */
export function native(): Native {
  loaded ??= loadAddon();
  return loaded;
}
