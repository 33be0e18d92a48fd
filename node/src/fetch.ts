// `preopen/fetch`: a `fetch` that sends a session's live token, and nothing else of its own.

import "./floor.js";

import { invalidInput } from "./convert.js";
import { BrokerUnavailableError } from "./errors.js";
import { LONGEST_REFUSAL, answered, foreign, givesWay, headersOf, isAsItSeems, isTelling, nativeOf, sign } from "./foreign.js";
import type { Answer } from "./foreign.js";
import type { NativeSignedCall } from "./native.js";
import type { Session } from "./session.js";

/** A function like the global `fetch`. */
export type Fetch = typeof globalThis.fetch;

/** How requests are sent. */
export interface FetchOptions {
  /** What sends them, with the arguments and results of the global `fetch`, which it is by default. */
  readonly fetch?: Fetch | undefined;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Makes a `fetch` that sends each request with the session's live token: it is looked up anew for each, and a login comes
 * first when there is none.
 *
 * ```ts
 * const brokerFetch = createFetch(session);
 * const response = await brokerFetch("/quote/getQuote?symbolName=INFY&exchange=NSE");
 * console.log(await response.json());
 * ```
 *
 * It takes what the global `fetch` takes, `Request` objects, signals and streams too, and gives its `Response`: also for a
 * refusal, whose status is yours to look at. A path that begins with one slash is that of the session's own API. Headers of
 * the session replace yours of the same name, but for `accept` and `content-type`.
 *
 * - **An expired token**: when the broker's reply says so, the session is renewed, once for all callers, and a read is sent
 *   again, once, when its body is still there: streams and bodies of `Request` objects are not. A write is never sent again:
 *   you get the broker's reply, and the next call has a new token. To know, up to 64 KiB of a reply that is JSON, text or no
 *   success are read before you get it.
 * - **Other hosts** never get the token: a URL that is not below `session.baseUrl` is refused before anything is sent.
 * - **Redirects** are not followed: with `redirect: "manual"` you get the reply, else an error.
 * - The session's rate limits, its repetitions after a gateway's failure, and its `timeout` are those of `session.get()` and
 *   its kin; here you have `signal`.
 *
 * Rejects with `InvalidInputError` (`url`, `method`, `path`, `params`, `headers` for another `Host`); as `session.token()`; with `BrokerUnavailableError` for
 * a redirect; with the signal's reason; and as the `fetch` behind it.
 *
 * @throws InvalidInputError for what is no session, or no function.
 */
export function createFetch(session: Session, options: FetchOptions = {}): Fetch {
  nativeOf(session);
  const { fetch: given } = options;
  if (given !== undefined && typeof given !== "function") throw invalidInput("fetch", "must be a function");

  return async function fetch(input, init): Promise<Response> {
    const send = given ?? globalThis.fetch;
    const own = typeof input === "string" && /^\/(?!\/)/.test(input);
    // Reads the arguments as `fetch` does: it throws for what that refuses.
    const request = requested(own ? session.baseUrl + input : (input as Request), init);
    const { signal, url } = request;
    const body = init?.body ?? undefined;
    const sentWith = body === undefined ? undefined : (init?.headers ?? headersOfRequest(input));
    const theirs = [...new Headers(sentWith ?? request.headers)];
    const call = foreign(session, request.method, url, theirs);
    signal.throwIfAborted();
    const sendable = (request.body === null || isKept(body)) && isAsItSeems(theirs);
    for (;;) {
      const signed = await sign(call, signal);
      const headers = authorized(signed, request, theirs, body);
      const settings = { ...init, method: request.method, headers, signal, redirect: "manual" as const };
      // What is not given anew is read from the one request; its stream goes over once.
      const sent = body === undefined && request.body !== null ? { body: request.body, duplex: "half" as const } : {};
      const { integrity, keepalive } = request;
      const response = await send(url, { integrity, keepalive, ...settings, ...sent } as RequestInit);
      const { repeat, error } = await look(signed, response, sendable, signal);
      if (repeat) {
        discard(response);
        continue;
      }
      if (request.redirect !== "manual" && isRedirect(response)) {
        discard(response);
        throw error ?? new BrokerUnavailableError("answered with a redirect, which is not followed", { broker: session.broker });
      }
      return response;
    }
  };
}

/** The arguments as `fetch` reads them; what is a path in another form is told as such. */
function requested(input: Parameters<Fetch>[0], init: RequestInit | undefined): Request {
  if (typeof input === "string" && !URL.canParse(input)) {
    throw invalidInput("url", "must be a full URL, or a path of the session's own API that begins with one slash");
  }
  return new Request(input, init);
}

/** Whether a body is still there when it has been sent. */
function isKept(body: unknown): boolean {
  return (
    typeof body === "string" ||
    body instanceof URLSearchParams ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body) ||
    body instanceof Blob ||
    body instanceof FormData
  );
}

/** The headers of a `Request`, which hold where no others are given. */
function headersOfRequest(input: unknown): Headers {
  return input instanceof Request ? input.headers : new Headers();
}

/**
 * The caller's headers with the session's. A body that is given anew brings its own type along, with a boundary for
 * example, so that the headers that were `given` with it count, and not those of the request.
 */
function authorized(signed: NativeSignedCall, request: Request, given: [string, string][], body: unknown): Headers {
  const headers = new Headers(given);
  const plain = request.body !== null && (typeof body === "string" || ArrayBuffer.isView(body));
  for (const [name, value] of headersOf(signed)) {
    const low = name.toLowerCase();
    const stays = givesWay(low) && (headers.has(low) || (low === "content-type" && !plain));
    if (!stays) headers.set(name, value);
  }
  return headers;
}

/** What a reply means for the session. The reply itself is read from a copy, and is as it was. */
async function look(signed: NativeSignedCall, response: Response, sendable: boolean, signal: AbortSignal): Promise<Answer> {
  const status = response.type === "opaqueredirect" ? 302 : response.status;
  const nothing: Answer = { repeat: false, error: undefined };
  if (!isTelling(status, response.headers.get("content-type"))) return nothing;
  let body: Uint8Array | undefined;
  try {
    body = await beginning(response.clone());
  } catch {
    // It broke off: whoever reads the reply is told.
    signal.throwIfAborted();
  }
  return body === undefined ? nothing : answered(signed, status, response.headers, body, sendable);
}

/** The body, unless it is longer than any refusal. */
async function beginning(response: Response): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) {
    chunks.push(read.value as Uint8Array);
    length += (read.value as Uint8Array).length;
    if (length > LONGEST_REFUSAL) {
      // The other copy is still to be read, so that this promise is not for waiting.
      void reader?.cancel().catch(() => undefined);
      return undefined;
    }
  }
  return Buffer.concat(chunks);
}

function isRedirect(response: Response): boolean {
  return response.type === "opaqueredirect" || (REDIRECTS.has(response.status) && response.headers.has("location"));
}

/** Gives its connection back. */
function discard(response: Response): void {
  void response.body?.cancel().catch(() => undefined);
}
