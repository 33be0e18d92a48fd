// The session: what users hold. Behaviour is in Rust; here are its friendly forms and the fast path of a live token.

import { questionHere } from "./ask.js";
import { LoginCode, LoginStart, legacyCalls, settleLogin, text } from "./consent.js";
import type { SamcoLegacyCalls } from "./consent.js";
import { invalidInput, unwrap } from "./convert.js";
import { nativeCredentials } from "./credentials.js";
import type { BrokerName, Credentials } from "./credentials.js";
import { SessionEvents } from "./events.js";
import { natives } from "./foreign.js";
import { native } from "./native.js";
import type { NativeSession } from "./native.js";
import {
  call,
  callControl,
  clocks,
  eventsOptions,
  exportOptions,
  loginOptions,
  preflightOptions,
  primeKey,
  sessionOptions,
  streamOptions,
} from "./options.js";
import type { CallControl, CallOptions, EventsOptions, ExportOptions, KeyOptions, LoginOptions, SessionOptions, StreamOptions } from "./options.js";
import { toPreflight } from "./preflight.js";
import type { Preflight, PreflightOptions } from "./preflight.js";
import { toLogout, toProfile, toReply, toState, toWhoAmI } from "./records.js";
import type { Logout, Profile, Reply, SessionState, WhoAmI } from "./records.js";
import { settle } from "./settle.js";
import { StoreCalls } from "./store.js";
import { Token } from "./token.js";

/** The stores of one's own, each kept as long as its session: the addon does not keep them. */
const stores = new WeakMap<Session, StoreCalls>();

/** What was handed out for the live token, kept until the addon says that another one is live. */
interface Kept<T> {
  readonly generation: number;
  readonly value: T;
}

/**
 * A broker session that keeps itself valid.
 *
 * Making one does no I/O; the first call that needs a token logs in, once for all callers that wait. When the broker
 * ends the session (08:00 IST at Samco, 00:00 IST at SmartAPI; documented) the next call logs in again. An idle session
 * does not keep the process alive; a call that is under way does.
 *
 * ```ts
 * const session = new Session(samco.fromEnv());
 * const quote = await session.get("/quote/getQuote", { params: { symbolName: "INFY", exchange: "NSE" } });
 * ```
 */
export class Session implements AsyncDisposable, Disposable {
  readonly #native: NativeSession;
  readonly #live: () => number;
  readonly #listeners = new Set<SessionEvents>();
  #token: Kept<Promise<Token>> | undefined;
  #headers: Kept<Readonly<Record<string, string>>> | undefined;

  /**
   * Checks everything and makes the session. Nothing is sent, opened or started.
   *
   * @throws InvalidInputError naming the `field` that is wrong.
   */
  constructor(credentials: Credentials, options: SessionOptions = {}) {
    const inner = nativeCredentials(credentials);
    if (inner === undefined) throw invalidInput("credentials", "must be made by samco(), angelOne() or another function for credentials");
    const [settings, store] = sessionOptions(options);
    const [calls, own] = store === undefined || typeof store === "string" ? [undefined, store] : StoreCalls.of(store);
    if (calls !== undefined) stores.set(this, calls);
    this.#native = unwrap(native().openSession(inner, settings, own, clocks.get(options)));
    this.#live = this.#native.liveCheck();
    natives.set(this, this.#native);
  }

  /** The broker. */
  get broker(): BrokerName {
    return this.#native.broker as BrokerName;
  }

  /** The address of the API, without a slash at its end: what another HTTP client's calls begin with. */
  get baseUrl(): string {
    return this.#native.baseUrl;
  }

  /** Whether this session talks to the live broker, the sandbox or a host of your own. */
  get environment(): "live" | "sandbox" | "custom" {
    return this.#native.environment as "live" | "sandbox" | "custom";
  }

  /** Where the session is shared, in a few words and without a password; `null` when it is this object's own. */
  get store(): string | null {
    return this.#native.store;
  }

  /**
   * A live token; logs in if there is none. Callers that arrive together share one login and its result.
   *
   * Rejects with `CredentialsRejectedError` or `AccountActionRequiredError` (both block the session until `reset()`),
   * `LoginRequiredError`, `StaticIpMismatchError`, `RateLimitedError`, `TimeoutError`, `NetworkError`,
   * `BrokerUnavailableError`, `BrokerRejectedError` or `MalformedResponseError`.
   */
  token(control?: CallControl): Promise<Token> {
    const kept = this.#token;
    if (control === undefined && kept !== undefined && kept.generation === this.#live()) return kept.value;
    return this.#freshToken(control);
  }

  /**
   * Every header of an authenticated call, for any HTTP client; logs in if needed. The object is yours to change.
   * Rejects as {@link Session.token}.
   */
  headers(control?: CallControl): Promise<Record<string, string>> {
    const kept = this.#headers;
    if (control === undefined && kept !== undefined && kept.generation === this.#live()) {
      return Promise.resolve({ ...kept.value });
    }
    return this.#freshHeaders(control);
  }

  /**
   * The headers of a handshake with one of the broker's WebSockets, with the live tokens; logs in if needed. Ask anew for
   * each connection: the tokens change with each login. The object is yours to change.
   *
   * - Samco: `stream` (`wss://stream.samco.in`; documented), with `x-session-token`.
   * - SmartAPI: `smart-stream`, the market stream (`wss://smartapisocket.angelone.in/smart-stream`), with `Authorization`,
   *   `x-api-key`, `x-client-code` and `x-feed-token`, the default; and `smart-order-update`
   *   (`wss://tns.angelone.in/smart-order-update`), with `Authorization` (documented).
   *
   * Rejects as {@link Session.token}; with `InvalidInputError` (field `stream`) for a stream that the broker does not have;
   * with `MalformedResponseError` when the login gave no feed token.
   */
  async streamHeaders(options: StreamOptions = {}): Promise<Record<string, string>> {
    const [stream, signal] = streamOptions(options);
    return { ...(await settle(signal, (cancel) => this.#native.streamHeaders(stream, cancel))).values };
  }

  /**
   * SmartAPI's feed token, which its market stream wants; logs in if needed. It alone opens the stream (documented): keep
   * it as you keep the token.
   *
   * Rejects as {@link Session.token}; with `InvalidInputError` (field `feedToken`) at Samco, which has none; with
   * `MalformedResponseError` when the login gave none.
   */
  async feedToken(control?: CallControl): Promise<string> {
    return settle(callControl(control), (cancel) => this.#native.feedToken(cancel));
  }

  /**
   * Which address the broker sees, which are registered, and whether orders from here will be accepted. SmartAPI has
   * no such call (documented): its verdict is `unsupported` and nothing is sent. Rejects as {@link Session.get}.
   */
  async whoami(control?: CallControl): Promise<WhoAmI> {
    return toWhoAmI(await settle(callControl(control), (cancel) => this.#native.whoami(cancel)));
  }

  /**
   * Whether this host can place orders now: before 09:15 IST rather than at the first order. It makes sure of a session
   * (and logs in if there is none), asks the broker which address it sees where it can tell, and looks at the clock, the
   * session's end, the network path (IPv4, `sourceIp`, a proxy, which changes the address that the broker sees) and the
   * store. No order is sent. What fails is a check of the answer with the error in it: this rejects only with the reason of
   * an aborted signal, or with `InvalidInputError` for wrong options.
   *
   * SmartAPI has no call that tells which address it sees (documented): its check `static_ip` is `unknown`, and the answer
   * is ready all the same unless `strict` is asked for.
   */
  async preflight(options?: PreflightOptions): Promise<Preflight> {
    const [strict, signal] = preflightOptions(options);
    return toPreflight(await settle(signal, (cancel) => this.#native.preflight(strict, cancel)));
  }

  /**
   * Who the session belongs to. Samco tells it in the login reply, SmartAPI in a call of its own. Rejects as
   * {@link Session.get}.
   */
  async profile(control?: CallControl): Promise<Profile> {
    return toProfile(await settle(callControl(control), (cancel) => this.#native.profile(cancel)));
  }

  /**
   * A GET to the broker: a read, repeated once after a renewal when the broker refused the token, once when a kept
   * connection had died before the reply began, and twice after a gateway's 502, 503 or 504 or SmartAPI's AB1004 or AB2001,
   * after up to 0.2 and 0.4 seconds or what `Retry-After` asks for. All of it fits the call's `timeout`. The path begins with `/`, and is not that of the login or logout.
   *
   * Rejects as {@link Session.token}, and with `InvalidInputError`, `SessionExpiredError` (writes, and reads that a new token does not help),
   * `OutcomeUnknownError` (writes), `BrokerRejectedError`.
   */
  get<T = unknown>(path: string, options?: CallOptions): Promise<Reply<T>> {
    return this.#request("GET", path, options);
  }

  /**
   * A POST to the broker: a write, which is sent at most once, unless the broker's documents say that this one only
   * reads. Rejects as {@link Session.get}.
   */
  post<T = unknown>(path: string, options?: CallOptions): Promise<Reply<T>> {
    return this.#request("POST", path, options);
  }

  /** A PUT to the broker: a write, which is sent at most once. Rejects as {@link Session.get}. */
  put<T = unknown>(path: string, options?: CallOptions): Promise<Reply<T>> {
    return this.#request("PUT", path, options);
  }

  /** A DELETE to the broker: a write, which is sent at most once. Rejects as {@link Session.get}. */
  delete<T = unknown>(path: string, options?: CallOptions): Promise<Reply<T>> {
    return this.#request("DELETE", path, options);
  }

  /**
   * What happens to the session from now on, for `for await`. A session that is listened to also tells of its end when
   * nobody calls it. Leaving the loop, or an aborted `signal`, ends the listening; so does closing the session or letting
   * it be collected.
   *
   * ```ts
   * for await (const event of session.events({ signal })) {
   *   if (event.name === "renewed") socket.reconnect(await session.headers());
   * }
   * ```
   *
   * Waiting for an event keeps no process alive: in a program that does nothing else it ends the program.
   *
   * @throws InvalidInputError naming the `field` that is wrong.
   */
  events(options: EventsOptions = {}): SessionEvents {
    const signal = eventsOptions(options);
    return new SessionEvents(this.#native.events(), this.#listeners, signal);
  }

  /**
   * The live session as one line of text that only the holder of the key can read; logs in if there is none. It is bound
   * to the account and to live or sandbox, and serves another program until the session ends.
   *
   * ```ts
   * const record = await here.export(); // with the key in PREOPEN_KEY, which generateKey() made
   * there.prime(record); // in the other program, with the same key: no login
   * ```
   *
   * Rejects as {@link Session.token}, and with `InvalidInputError` (field `key`).
   */
  async export(options: ExportOptions = {}): Promise<string> {
    const [key, signal] = exportOptions(options);
    return settle(signal, (cancel) => this.#native.export(key, cancel));
  }

  /**
   * The live session as JSON text with its tokens in clear, for a program that you trust over a channel that you trust;
   * logs in if there is none. Rejects as {@link Session.token}.
   */
  async exportExposed(control?: CallControl): Promise<string> {
    return settle(callControl(control), (cancel) => this.#native.exportExposed(cancel));
  }

  /**
   * Takes over a session that another program exported, so that nobody logs in twice. Nothing is sent; the token is the
   * next one that this session hands out. A login that is under way goes on, and replaces it.
   *
   * @throws InvalidInputError with the field `record` when it is damaged, sealed with another key, of another account, of
   * the sandbox on a live host or the reverse, over already, or older than the session that is live here; with the field
   * `key` when it is sealed and there is no key.
   */
  prime(record: string, options: KeyOptions = {}): void {
    unwrap(this.#native.prime(record, primeKey(record, options)));
  }

  /** What the session is doing. No side effect. */
  state(): SessionState {
    return toState(this.#native.state());
  }

  /**
   * Says that the broker refused the token of this generation. The next call logs in again; an old generation changes
   * nothing.
   *
   * @throws InvalidInputError when it is not a whole number.
   */
  invalidate(generation: number): void {
    if (!Number.isSafeInteger(generation) || generation < 0) {
      throw invalidInput("generation", "must be a token's generation, a whole number");
    }
    this.#native.invalidate(generation);
  }

  /** Lets a blocked session try again, after you have fixed what blocked it. */
  reset(): void {
    this.#native.reset();
  }

  /**
   * Begins a login at the broker's page, for credentials that only a person can log in with: `samcoOAuth`,
   * `angelOnePublisher`. Send the person to its `url`; within 15 minutes give {@link Session.completeLogin} the address that
   * the browser ended on. With a `store`, any program that shares the session may do so: what is kept there is a digest of
   * the state.
   *
   * Rejects with `InvalidInputError` (field `credentials`) for other credentials, `StoreUnavailableError` and `TimeoutError`
   * (phase `lock`) when the store cannot note it.
   */
  async beginLogin(control?: CallControl): Promise<LoginStart> {
    return LoginStart.of(await settle(callControl(control), (cancel) => this.#native.beginLogin(cancel)));
  }

  /**
   * Completes a login with the address that the browser ended on: the whole URL, or its part from the path or from the `?`
   * on. Only path and query are looked at: a proxy in front of a web server changes host and scheme. Its state is compared
   * first and used once, and its code is sent once. Other callers are served by the new session from now on. No error shows
   * any of the address.
   *
   * Rejects with `InvalidInputError` with nothing sent: its field is `url` when `address` is not one of this app's redirect
   * URL, `state` when no login with its state is under way; `LoginRequiredError` when the person cancelled (reason
   * `consent_denied`) or the broker refused the code (`code_invalid`, `code_expired`; `code_replayed`: it has ended every
   * session of the app, documented); and as {@link Session.token}. After `TimeoutError` and `NetworkError` nobody knows what
   * became of the code: it is not sent again, begin a new login.
   */
  async completeLogin(address: string, control?: CallControl): Promise<void> {
    const given = text("url", address);
    await settle(callControl(control), (cancel) => this.#native.completeLogin(given, cancel));
  }

  /**
   * Logs in. Credentials that need no person log in as {@link Session.token} does. For `samcoOAuth` with a redirect URL on
   * this machine, the broker's page is opened in a browser, and a listener on 127.0.0.1 receives its answer: on the
   * registered port and path alone, and only until this settles.
   *
   * Rejects with `InvalidInputError`: field `redirectUrl` when it is not on this machine or its port is taken (use
   * {@link Session.beginLogin}); `openBrowser` when there is none and nobody is shown the page; `TimeoutError` (phase
   * `login`) when nobody came; and as {@link Session.completeLogin}.
   */
  async login(options: LoginOptions = {}): Promise<void> {
    const { openBrowser, timeout, show, signal } = loginOptions(options);
    signal?.throwIfAborted();
    const question = questionHere();
    const cancel = question === undefined ? undefined : new (native().NativeCancel)(question);
    await settleLogin(unwrap(this.#native.login(openBrowser, timeout, show !== undefined, cancel)), signal, show);
  }

  /**
   * A code to sign in at Samco's web terminal without a password, for two minutes (`GET /webSecretCode`, documented);
   * `samcoLoginCode` logs in with it. Rejects with `InvalidInputError` (field `session`) at other brokers, and as
   * {@link Session.get}.
   */
  async webLoginCode(control?: CallControl): Promise<LoginCode> {
    return LoginCode.of(await settle(callControl(control), (cancel) => this.#native.webLoginCode(cancel)));
  }

  /**
   * Samco's deprecated calls that need no session: one-time codes, the secret API key, and addresses.
   *
   * @throws InvalidInputError (field `credentials`) when they are not those of `samcoLegacy`.
   * @deprecated Samco will remove these calls: each names what replaces it.
   */
  samcoLegacy(): SamcoLegacyCalls {
    return legacyCalls(unwrap(this.#native.samcoLegacy()), settle);
  }

  /**
   * Logs the account out at the broker and forgets the token, whatever the broker answers. This is account-wide: other
   * programs on the same session lose it too. What the broker answered is in the result.
   */
  async logout(control?: CallControl): Promise<Logout> {
    const signal = callControl(control);
    this.#forget();
    return toLogout(await settle(signal, (cancel) => this.#native.logout(cancel)));
  }

  /**
   * Forgets the token in this process. Nothing is sent and nothing is logged out; calls that wait for a login, and later
   * ones, reject with `InvalidInputError` (field `session`), the state is `closed`, and `events()` ends.
   */
  close(): void {
    this.#forget();
    this.#native.close();
    // At once: waiting for events keeps no process alive, and this may be the last that the program does.
    for (const listener of [...this.#listeners]) listener.look();
  }

  /** Closes the session; it never logs out. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes the session; it never logs out. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Broker, environment and state; no secret. */
  toJSON(): { broker: string; environment: string; state: string } {
    return { broker: this.broker, environment: this.environment, state: this.state().name };
  }

  /** Broker, environment and state on one line; no secret. */
  toString(): string {
    return `Session(${this.broker}, ${this.environment}, ${this.state().name})`;
  }

  /** @internal */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  #forget(): void {
    this.#token = undefined;
    this.#headers = undefined;
  }

  async #freshToken(control: CallControl | undefined): Promise<Token> {
    const fresh = await settle(callControl(control), (cancel) => this.#native.token(cancel));
    const kept = this.#token;
    if (kept?.generation === fresh.generation) return kept.value;
    const token = Token.of(fresh);
    // A late answer must not take the place of a newer one.
    if (fresh.generation === this.#live()) {
      this.#token = { generation: fresh.generation, value: Promise.resolve(token) };
    }
    return token;
  }

  async #freshHeaders(control: CallControl | undefined): Promise<Record<string, string>> {
    const fresh = await settle(callControl(control), (cancel) => this.#native.headers(cancel));
    if (fresh.generation !== 0 && fresh.generation === this.#live()) {
      this.#headers = { generation: fresh.generation, value: fresh.values };
    }
    return { ...fresh.values };
  }

  async #request<T>(method: string, path: string, options: CallOptions = {}): Promise<Reply<T>> {
    const [checked, signal] = call(method, path, options);
    return toReply<T>(await settle(signal, (cancel) => this.#native.request(checked, cancel)));
  }
}

/** A new random key for `export` and `prime`, as text: 43 characters of base64url. Keep it where you keep secrets. */
export function generateKey(): string {
  return unwrap(native().generateKey());
}
