// `preopen/axios`: gives an instance of axios a session's live token. axios is not imported.

import "./floor.js";

import { invalidInput } from "./convert.js";
import { LONGEST_REFUSAL, answered, foreign, givesWay, headersOf, isAsItSeems, isTelling, nativeOf, sign } from "./foreign.js";
import type { NativeSignedCall } from "./native.js";
import type { Session } from "./session.js";

/** What is used of axios, or of an instance that `axios.create()` made. Only `any` fits axios' own types of all versions. */
export interface AxiosLike {
  readonly interceptors: {
    readonly request: {
      use(onFulfilled: (config: any) => any): number;
      eject(id: number): void;
    };
  };
  getUri(config?: any): string;
}

/** What is used of an instance at run time. */
interface Instance extends AxiosLike {
  readonly defaults: Record<string, unknown>;
  create(): Instance;
  request(config: Config): Promise<Reply>;
}

interface Config {
  baseURL?: string | undefined;
  url?: string | undefined;
  method?: string | undefined;
  headers: { has(name: string): boolean; set(name: string, value: string): unknown; toJSON(): object };
  data?: unknown;
  signal?: unknown;
  socketPath?: unknown;
  fetchOptions?: object | undefined;
  adapter?: unknown;
}

interface Reply {
  readonly status: number;
  readonly headers: object;
  readonly data: unknown;
  config: Config;
}

/**
 * Has an instance of axios (1.7 or newer) send each request with the session's live token, to the session's own API and
 * nowhere else. Gives a function that takes it back.
 *
 * ```ts
 * const broker = axios.create();
 * attach(broker, session);
 * const { data } = await broker.get("/limit/getLimits"); // of the session's own API, unless there is a baseURL
 * ```
 *
 * What holds for `preopen/fetch` holds here: a login comes first when there is no session; a read whose token the broker
 * refused is sent again, once, unless its body is a stream; a write is never sent again; redirects are not followed, whatever
 * `maxRedirects` says. A reply that you ask for as a stream or a blob is not looked at: nothing is renewed after it. Your other
 * interceptors, transformations and the adapter stay as they are. A refusal is axios' own `AxiosError`. Requests also reject
 * with `InvalidInputError` (`url`, `method`, `path`, `params`, `headers` for another `Host`, `socketPath`), and as `session.token()`.
 *
 * Give it an instance that is for the broker alone: requests to other hosts are refused.
 *
 * @throws InvalidInputError for what is no session, or no instance of axios.
 */
export function attach(instance: AxiosLike, session: Session): () => void {
  nativeOf(session);
  const given = instance as Partial<Instance> | null | undefined;
  const known = [given?.create, given?.getUri, given?.request, given?.interceptors?.request?.use];
  if (!known.every((method) => typeof method === "function")) throw invalidInput("instance", "must be axios, or made by axios.create()");
  const requests = instance.interceptors.request;
  // Without interceptors and settings: it only finds the adapter of a request, and sends it.
  const bare = (instance as Instance).create();
  for (const name of ["auth", "baseURL", "params"]) delete bare.defaults[name];

  const id = requests.use((config: Config) => {
    const base = config.baseURL ?? session.baseUrl;
    const inner = config.adapter;
    return { ...config, baseURL: base, adapter: (last: Config) => exchange(session, bare, last, inner) };
  });
  return () => requests.eject(id);
}

/** The last step of a request: signed, sent by its own adapter, and once more when that helps. */
async function exchange(session: Session, bare: Instance, config: Config, adapter: unknown): Promise<Reply> {
  const url = bare.getUri(config as never);
  const theirs = Object.entries(config.headers.toJSON());
  const call = foreign(session, config.method ?? "get", url, theirs);
  if (config.socketPath !== undefined && config.socketPath !== null) {
    throw invalidInput("socketPath", "must not be given: the token goes to the session's host alone");
  }
  const signal = config.signal instanceof AbortSignal ? config.signal : undefined;
  for (;;) {
    let signed: NativeSignedCall | undefined;
    try {
      signed = await sign(call, signal);
    } catch (error) {
      // axios has an error of its own for this, which it throws before anything is sent.
      if (signal?.aborted !== true) throw error;
    }
    const sent = {
      ...config,
      adapter,
      url,
      headers: signed === undefined ? config.headers : authorized(signed, config),
      auth: undefined,
      baseURL: undefined,
      params: undefined,
      maxRedirects: 0,
      fetchOptions: { ...config.fetchOptions, redirect: "manual" },
      // They are done around this.
      transformRequest: [],
      transformResponse: [],
    };
    let failed: { readonly response?: Reply; config?: Config } | undefined;
    let reply: Reply | undefined;
    try {
      reply = await bare.request(sent as never);
    } catch (error) {
      failed = error as { readonly response?: Reply; config?: Config };
      reply = failed.response;
    }
    if (signed !== undefined && reply !== undefined && isRefused(signed, reply, isKept(config.data) && isAsItSeems(theirs))) continue;
    if (reply !== undefined) {
      reply.config = config;
      hide(reply);
    }
    if (failed === undefined) return reply as Reply;
    if (typeof failed === "object" && "config" in failed) failed.config = config;
    hide(failed);
    throw failed;
  }
}

/** The request is there for who asks for it; printing an error or a reply does not show it: its headers have the token. */
function hide(holder: object): void {
  const request = Object.getOwnPropertyDescriptor(holder, "request");
  if (request?.configurable === true) Object.defineProperty(holder, "request", { ...request, enumerable: false });
}

/** The caller's headers with the session's. */
function authorized(signed: NativeSignedCall, { headers, data }: Config): Config["headers"] {
  const plain = typeof data === "string" || ArrayBuffer.isView(data);
  const all: Record<string, unknown> = { ...headers.toJSON() };
  const names = new Map(Object.keys(all).map((name) => [name.toLowerCase(), name]));
  for (const [name, value] of headersOf(signed)) {
    const low = name.toLowerCase();
    const theirs = names.get(low);
    if (givesWay(low) && (theirs !== undefined || (low === "content-type" && !plain))) continue;
    if (theirs !== undefined) delete all[theirs];
    all[name] = value;
  }
  return all as unknown as Config["headers"];
}

/** Whether the broker refused the token of a call that may be sent again. */
function isRefused(signed: NativeSignedCall, { status, headers, data }: Reply, sendable: boolean): boolean {
  const flat = Object.entries({ ...headers }).map(([name, value]) => [name, String(value)] as const);
  const type = flat.find(([name]) => name.toLowerCase() === "content-type")?.[1];
  const body = bytes(data);
  if (body === undefined || body.length > LONGEST_REFUSAL || !isTelling(status, type)) return false;
  return answered(signed, status, flat, body, sendable).repeat;
}

/** A body that is there as a whole. */
function bytes(data: unknown): Uint8Array | undefined {
  if (typeof data === "string") return Buffer.from(data);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : undefined;
}

/** Whether a body is still there when it has been sent. */
function isKept(data: unknown): boolean {
  const kept = [URLSearchParams, ArrayBuffer, Blob, FormData];
  return data === undefined || data === null || typeof data === "string" || ArrayBuffer.isView(data) || kept.some((type) => data instanceof type);
}
