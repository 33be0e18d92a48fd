// What goes into the sandbox and what it tells, as plain objects.

import type { BrokerName } from "../credentials.js";

/** How to start a sandbox. */
export interface SandboxOptions {
  /** The port on 127.0.0.1; a free one by default. */
  readonly port?: number | undefined;
  /** Serve https with a certificate authority made for this run, which the sandbox's sessions trust. */
  readonly tls?: boolean | undefined;
}

/** A Samco account of the sandbox. All of it is made up. */
export interface SamcoAccount {
  readonly broker: "samco";
  readonly account: string;
  readonly password: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  readonly primaryIp: string;
  readonly secondaryIp: string;
}

/** A SmartAPI account of the sandbox. All of it is made up. */
export interface AngelOneAccount {
  readonly broker: "angelone";
  readonly clientCode: string;
  readonly pin: string;
  readonly totpSecret: string;
  readonly apiKey: string;
}

/** What a broker of the sandbox does wrong. Without `times` and `probability` it hits one request. */
export interface FaultSpec {
  /** Hits only requests of this HTTP method. */
  readonly method?: string;
  /** Hits this many requests. */
  readonly times?: number;
  /** Hits each request with this probability, from 0 to 1; without `times` until cleared. */
  readonly probability?: number;
  /** Lets this many matching requests pass first. */
  readonly skip?: number;
  /** Answers with this HTTP status. */
  readonly status?: number;
  /** Answers with this body: JSON, or text. */
  readonly body?: unknown;
  /** Answers with a body of this kind. */
  readonly bodyKind?: "html" | "empty" | "truncated" | "large" | "gzip_bomb" | "malformed";
  /** The size in bytes of a large body or of an unpacked gzip bomb. */
  readonly size?: number;
  /** Adds or replaces headers of the reply. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Waits this many milliseconds of real time first. */
  readonly delayMs?: number;
  /** Stops for good: before anything is sent, or (`true`) in the middle of the body. */
  readonly stall?: "before" | boolean;
  /** Sends one byte of the body every so many milliseconds. */
  readonly dripMs?: number;
  /** Resets the connection, before or after the request was handled. */
  readonly reset?: "before" | "after";
  /** Redirects (HTTP 307) to this address. */
  readonly redirectTo?: string;
  /** Whether the request is handled although the reply is replaced. */
  readonly handled?: boolean;
  /** Whether the request is handled twice. */
  readonly duplicate?: boolean;
}

/** Which requests to ask for. */
export interface RequestFilter {
  readonly broker?: BrokerName;
  /** A path; one that ends in `*` is a prefix. */
  readonly path?: string;
}

/** One request that arrived. It holds no header, no body and no secret. */
export interface SandboxRequest {
  /** Its number, from 1, over both brokers. */
  readonly seq: number;
  /** When it arrived, on the sandbox's clock (RFC 3339, UTC). */
  readonly at: string;
  readonly broker: BrokerName;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly status: number | null;
  readonly sourceIp: string | null;
  /** The fault that it hit. */
  readonly fault: number | null;
  readonly account: string | null;
}

/** What arrived: an exact count, and the latest of them, oldest first. */
export interface RequestReport {
  readonly count: number;
  readonly requests: readonly SandboxRequest[];
}

/** The value of a switch. */
export type SwitchValue = boolean | number | string;
