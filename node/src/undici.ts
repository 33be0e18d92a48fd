// `preopen/undici`: an interceptor for the dispatchers of undici that sends a session's live token. undici is not imported.

import "./floor.js";

import { constants, brotliDecompressSync, unzipSync } from "node:zlib";

import { invalidInput } from "./convert.js";
import { LONGEST_REFUSAL, answered, foreign, givesWay, headersOf, isAsItSeems, isTelling, nativeOf, sign } from "./foreign.js";
import type { NativeForeignCall, NativeSignedCall } from "./native.js";
import type { Session } from "./session.js";

/**
 * What `dispatcher.compose()` takes, whatever the version of undici (7 or newer): undici's own `DispatcherComposeInterceptor`
 * is one. Only `any` fits all of them.
 */
export type Interceptor = <D extends (options: any, handler: any) => boolean>(dispatch: D) => D;

/** What is used of the options of a request. */
interface Options {
  readonly origin?: string | URL;
  readonly path: string;
  readonly method: string;
  readonly query?: Readonly<Record<string, unknown>> | null;
  readonly body?: unknown;
  readonly headers?: unknown;
  readonly signal?: unknown;
}

/** What is used of undici's handle to a request that is under way. */
interface Controller {
  readonly aborted: boolean;
  readonly paused: boolean;
  readonly reason: Error | null;
  readonly rawHeaders?: unknown;
  readonly rawTrailers?: unknown;
  abort(reason: Error): void;
  pause(): void;
  resume(): void;
}

type Trailers = Readonly<Record<string, string | string[] | undefined>>;

/** undici's handler of a request. */
interface Handler {
  onRequestStart?(controller: Controller, context: unknown): void;
  onRequestUpgrade?(controller: Controller, status: number, headers: Trailers, socket: unknown): void;
  onResponseStart?(controller: Controller, status: number, headers: Trailers, message?: string): void;
  onResponseData?(controller: Controller, chunk: Buffer): void;
  onResponseEnd?(controller: Controller, trailers: Trailers): void;
  onResponseError?(controller: Controller, error: Error): void;
  onResponseStarted?(): void;
  onBodySent?(chunk: Buffer): void;
  onRequestSent?(): void;
}

type Dispatch = (options: Options, handler: Handler) => boolean;

/**
 * Makes an interceptor that sends each request with the session's live token, to the session's own API and nowhere else.
 *
 * ```ts
 * const dispatcher = new Agent().compose(createInterceptor(session));
 * const { body } = await request(`${session.baseUrl}/limit/getLimits`, { dispatcher });
 * ```
 *
 * What holds for `preopen/fetch` holds here: a login comes first when there is no session; a read whose token the broker
 * refused is sent again, once, unless its body is a stream or a form; a write is never sent again; redirects are not followed
 * by interceptors that were composed before this one, so compose it last. Requests fail with `InvalidInputError` (`url`,
 * `method`, `path`, `params`, `origin`, `headers` for another `Host`), as `session.token()`, and as undici's.
 *
 * @throws InvalidInputError for what is no session.
 */
export function createInterceptor(session: Session): Interceptor {
  nativeOf(session);
  const intercept = (dispatch: Dispatch): Dispatch =>
    function signed(options, handler) {
      void new Exchange(session, dispatch, options, handler).send();
      return true;
    };
  return intercept as unknown as Interceptor;
}

/** One request of the caller's, sent once or twice. */
class Exchange implements Handler, Controller {
  readonly #session: Session;
  readonly #dispatch: Dispatch;
  /** What was asked for, as it was then: what is looked at is what is sent, however long a login takes. */
  #options: Options;
  readonly #handler: Handler;
  #call: NativeForeignCall | undefined;
  #signed: NativeSignedCall | undefined;
  /** The request that is under way, and what its caller wants of it. */
  #under: Controller | undefined;
  #started = false;
  #paused = false;
  #aborted: Error | undefined;
  /** A reply that may be a refusal of the token, while that is not known. */
  #held: { readonly status: number; readonly headers: Trailers; readonly message: string | undefined; chunks: Buffer[]; length: number } | undefined;

  constructor(session: Session, dispatch: Dispatch, options: Options, handler: Handler) {
    this.#session = session;
    this.#dispatch = dispatch;
    this.#options = options;
    this.#handler = handler;
  }

  async send(): Promise<void> {
    try {
      if (this.#call === undefined) {
        this.#options = kept(this.#options);
        this.#call = foreign(this.#session, this.#options.method, urlOf(this.#options), pairs(this.#options.headers));
      }
      const { signal } = this.#options;
      this.#signed = await sign(this.#call, signal instanceof AbortSignal ? signal : undefined);
      if (this.#aborted !== undefined) throw this.#aborted;
      const headers = authorized(this.#signed, this.#options);
      this.#dispatch({ ...this.#options, headers, maxRedirections: 0 } as Options, this);
    } catch (error) {
      this.#handler.onResponseError?.(this, error as Error);
    }
  }

  get aborted(): boolean {
    return this.#aborted !== undefined || (this.#under?.aborted ?? false);
  }

  get paused(): boolean {
    return this.#paused;
  }

  get reason(): Error | null {
    return this.#aborted ?? this.#under?.reason ?? null;
  }

  get rawHeaders(): unknown {
    return this.#under?.rawHeaders;
  }

  get rawTrailers(): unknown {
    return this.#under?.rawTrailers;
  }

  abort(reason: Error): void {
    this.#aborted = reason;
    this.#under?.abort(reason);
  }

  pause(): void {
    this.#paused = true;
    this.#under?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#under?.resume();
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.#under = controller;
    if (this.#aborted !== undefined) return controller.abort(this.#aborted);
    if (this.#started) return;
    this.#started = true;
    this.#handler.onRequestStart?.(this, context);
  }

  onRequestUpgrade(_: Controller, status: number, headers: Trailers, socket: unknown): void {
    this.#handler.onRequestUpgrade?.(this, status, headers, socket);
  }

  onResponseStart(_: Controller, status: number, headers: Trailers, message?: string): void {
    if (status >= 200 && isTelling(status, text(headers["content-type"]))) {
      this.#held = { status, headers, message, chunks: [], length: 0 };
    } else {
      this.#handler.onResponseStart?.(this, status, headers, message);
    }
  }

  onResponseData(_: Controller, chunk: Buffer): void {
    const held = this.#held;
    if (held === undefined) return this.#handler.onResponseData?.(this, chunk);
    held.chunks.push(Buffer.from(chunk));
    held.length += chunk.length;
    if (held.length > LONGEST_REFUSAL) this.#release();
  }

  onResponseEnd(_: Controller, trailers: Trailers): void {
    const held = this.#held;
    const signed = this.#signed;
    if (held !== undefined && signed !== undefined) {
      const body = decoded(Buffer.concat(held.chunks), text(held.headers["content-encoding"]));
      const known = body !== undefined && answered(signed, held.status, pairs(held.headers), body, isKept(this.#options.body) && isAsItSeems(pairs(this.#options.headers)));
      if (known !== false && known.repeat) {
        this.#held = undefined;
        void this.send();
        return;
      }
      this.#release();
    }
    this.#handler.onResponseEnd?.(this, trailers);
  }

  onResponseError(_: Controller, error: Error): void {
    this.#held = undefined;
    this.#handler.onResponseError?.(this, error);
  }

  onResponseStarted(): void {
    this.#handler.onResponseStarted?.();
  }

  onBodySent(chunk: Buffer): void {
    this.#handler.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    this.#handler.onRequestSent?.();
  }

  /** Hands on what was held. */
  #release(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    this.#handler.onResponseStart?.(this, held.status, held.headers, held.message);
    for (const chunk of held.chunks) this.#handler.onResponseData?.(this, chunk);
  }
}

/** A copy of a request that its caller cannot change, but for its body. */
function kept(given: Options): Options {
  const options = { ...given };
  const { origin, path, method, query, headers } = options;
  return {
    ...options,
    ...(origin === undefined ? undefined : { origin: new URL(origin).origin }),
    path: String(path),
    method: String(method),
    ...(query === undefined || query === null ? undefined : { query: { ...query } }),
    headers: [...pairs(headers)].flat(),
  };
}

/** The URL that the request goes to. */
function urlOf({ origin, path, query }: Options): string {
  if (origin === undefined) throw invalidInput("origin", "is not known to this dispatcher: compose an Agent, or pass it");
  if (!path.startsWith("/")) throw invalidInput("path", "must begin with /");
  // The path is what undici sends, whatever host it may seem to name.
  const url = `${new URL(origin).origin}${path}`;
  const names = query === null || query === undefined ? [] : Object.entries(query);
  const more = new URLSearchParams(names.flatMap(([name, value]) => [value].flat().map((one): [string, string] => [name, String(one)])));
  return more.size === 0 ? url : `${url}${path.includes("?") ? "&" : "?"}${more}`;
}

/** Whether a body is still there when it has been sent. */
function isKept(body: unknown): boolean {
  return body === undefined || body === null || typeof body === "string" || ArrayBuffer.isView(body);
}

/** The caller's headers with the session's, as names and values in turn. */
function authorized(signed: NativeSignedCall, { headers, body }: Options): string[] {
  const given = [...pairs(headers)];
  const names = new Set(given.map(([name]) => name.toLowerCase()));
  const plain = typeof body === "string" || ArrayBuffer.isView(body);
  const own = headersOf(signed).filter(([name]) => {
    const low = name.toLowerCase();
    return !givesWay(low) || !(names.has(low) || (low === "content-type" && !plain));
  });
  const replaced = new Set(own.map(([name]) => name.toLowerCase()));
  return [...given.filter(([name]) => !replaced.has(name.toLowerCase())), ...own].flat();
}

/** Headers in any of undici's forms, a pair for each value. */
function* pairs(headers: unknown): Generator<[string, string]> {
  if (headers === undefined || headers === null || typeof headers !== "object") return;
  if (Array.isArray(headers) && !Array.isArray(headers[0])) {
    for (let at = 0; at + 1 < headers.length; at += 2) yield* values(headers[at], headers[at + 1]);
    return;
  }
  const entries = Symbol.iterator in headers ? (headers as Iterable<[unknown, unknown]>) : Object.entries(headers);
  for (const [name, value] of entries) yield* values(name, value);
}

function* values(name: unknown, value: unknown): Generator<[string, string]> {
  for (const one of [value].flat()) if (one !== undefined && one !== null) yield [String(name), String(one)];
}

function text(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** A short body as it was before it was compressed; nothing when that is not known, or too long. */
function decoded(body: Buffer, encoding: string | undefined): Buffer | undefined {
  const limit = { maxOutputLength: LONGEST_REFUSAL };
  try {
    switch (encoding?.trim().toLowerCase() ?? "identity") {
      case "identity":
        return body;
      case "gzip":
      case "x-gzip":
      case "deflate":
        return unzipSync(body, { ...limit, finishFlush: constants.Z_SYNC_FLUSH });
      case "br":
        return brotliDecompressSync(body, limit);
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}
