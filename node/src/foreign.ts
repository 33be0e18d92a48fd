// Calls that another HTTP client sends with a session's token: what `fetch`, `axios` and `undici` have in common. What may be
// sent, and what a reply means, is decided in Rust. Nothing here is public.

import { invalidInput, toError, unwrap } from "./convert.js";
import type { NativeErrorInfo } from "./convert.js";
import type { PreopenError } from "./errors.js";
import { native } from "./native.js";
import type { NativeForeignCall, NativeSession, NativeSignedCall } from "./native.js";
import type { Session } from "./session.js";
import { settle } from "./settle.js";

/** The addon's side of each session. */
export const natives = new WeakMap<Session, NativeSession>();

/** No refusal is longer than this: what is, need not be read. */
export const LONGEST_REFUSAL = 65_536;

/** What a reply means. */
export interface Answer {
  /** Whether to sign the call anew and send it once more. */
  readonly repeat: boolean;
  /** What the session's own call would have failed with. */
  readonly error: PreopenError | undefined;
}

/** The addon's side of a session. Throws `InvalidInputError` for what is none. */
export function nativeOf(session: Session): NativeSession {
  const inner = typeof session === "object" && session !== null ? natives.get(session) : undefined;
  if (inner === undefined) throw invalidInput("session", "must be a Session of preopen");
  return inner;
}

/** A header's name and value. */
export type Pair = readonly [name: string, value: unknown];

/**
 * Looks at a call before it is sent. Throws `InvalidInputError` (`url`, `method`, `path`, `params`, `headers`) for what must not
 * get the token: what stands before the broker, a proxy or a content network, would hand it to whom another `Host` names.
 */
export function foreign(session: Session, method: string, url: string, headers: Iterable<Pair>): NativeForeignCall {
  if (!url.isWellFormed()) throw invalidInput("url", "must be valid Unicode");
  const call = unwrap(nativeOf(session).foreign(method, url));
  const { host, hostname, protocol } = new URL(url);
  const known = [host, `${hostname}:${protocol === "https:" ? 443 : 80}`].slice(0, host === hostname ? 2 : 1);
  for (const [name, value] of headers) {
    const named = name.toLowerCase() === "host" ? String(value).trim().toLowerCase() : host;
    if (!known.includes(named)) throw invalidInput("headers", `must not name another Host than ${host}: leave it out`);
  }
  return call;
}

/** Headers by which a server takes a request for one of another method. */
const OVERRIDES: ReadonlySet<string> = new Set(["x-http-method-override", "x-http-method", "x-method-override"]);

/** Whether the method is what the broker goes by: else a read may be a write, and is not sent again. */
export function isAsItSeems(headers: Iterable<Pair>): boolean {
  return ![...headers].some(([name]) => OVERRIDES.has(name.toLowerCase()));
}

/** The call with a live session; waits for a login if there must be one. Rejects as `session.token()`. */
export async function sign(call: NativeForeignCall, signal: AbortSignal | undefined): Promise<NativeSignedCall> {
  return unwrap(call.trySign()) ?? (await settle(signal, (cancel) => call.sign(cancel)));
}

/** The headers of a call that is signed. */
export function headersOf(signed: NativeSignedCall): [string, string][] {
  return Object.entries(unwrap(signed.headers()).values);
}

/** Whether a header of the session gives way to one of the caller's: it says what is sent or wanted, not who sends it. */
export function givesWay(name: string): boolean {
  return name === "accept" || name === "content-type";
}

/** Whether the body of a reply can tell anything about the session. */
export function isTelling(status: number, contentType: string | null | undefined): boolean {
  return native().NativeSignedCall.isTelling(status, contentType ?? undefined);
}

/** Takes in a reply; `sendable` tells that the client still has everything that a repetition would send. */
export function answered(
  signed: NativeSignedCall,
  status: number,
  headers: Iterable<readonly [string, string]>,
  body: Uint8Array,
  sendable: boolean,
): Answer {
  const flat = [...headers].filter(([, value]) => value.isWellFormed()).flat();
  const { repeat, error } = JSON.parse(signed.answered(status, flat, body, sendable)) as {
    readonly repeat: boolean;
    readonly error: NativeErrorInfo | null;
  };
  return { repeat, error: error === null ? undefined : toError(error) };
}
