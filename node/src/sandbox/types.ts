// What goes into the sandbox and what it tells, as plain objects.

import type { BrokerName } from "../credentials.js";

/** How to start a sandbox. */
export interface SandboxOptions {
  /** The port on 127.0.0.1; a free one by default. */
  readonly port?: number | undefined;
  /** Serve https with a certificate authority made for this run, which the sandbox's sessions trust. */
  readonly tls?: boolean | undefined;
  /** Keep the state in this file, which is made when it is missing; without it a stop forgets everything. */
  readonly data?: string | undefined;
  /** Where its clock starts: a date, or RFC 3339 text. The machine's time by default. */
  readonly startAt?: Date | string | undefined;
  /** How fast its clock runs: 1 is real time, 0 stands still. */
  readonly rate?: number | undefined;
  /**
   * Scripted days: `ordinary-day`, `bad-day`, `month`, or the path of a TOML file. The script may say where the clock
   * starts and how fast it runs; `startAt` and `rate` come before that.
   */
  readonly script?: string | undefined;
}

/** A Samco account of the sandbox. All of it is made up. */
export interface SamcoAccount {
  readonly broker: "samco";
  /** The account's id. */
  readonly account: string;
  /** The password of the dashboard and of the deprecated login. */
  readonly password: string;
  /** The app's API key. */
  readonly apiKey: string;
  /** The app's API secret. */
  readonly apiSecret: string;
  /** The registered primary address. */
  readonly primaryIp: string;
  /** The registered secondary address; empty when there is none. */
  readonly secondaryIp: string;
  /** Where the app wants browsers to come back to. */
  readonly redirectUrl: string;
  /** The key of the deprecated login; empty when there is none. */
  readonly secretApiKey: string;
}

/** A SmartAPI account of the sandbox. All of it is made up. */
export interface AngelOneAccount {
  readonly broker: "angelone";
  /** The account's id, which is its client code. */
  readonly account: string;
  /** The client code. */
  readonly clientCode: string;
  /** The account's PIN. */
  readonly pin: string;
  /** The TOTP secret, in Base32. */
  readonly totpSecret: string;
  /** The app's API key. */
  readonly apiKey: string;
  /** Where the app wants browsers to come back to; empty for an app that is not of the publisher kind. */
  readonly redirectUrl: string;
}

/** What to change of an account; what is left out stays. */
export interface AccountChanges {
  /** Where its (first) app wants browsers to come back to; what belongs to an app is that one's. */
  readonly redirectUrl?: string;
  readonly primaryIp?: string;
  /** Empty for none. */
  readonly secondaryIp?: string;
  readonly apiKey?: string;
  /** Whether the broker has blocked it. */
  readonly blocked?: boolean;
  /** Whether its app is switched on. */
  readonly appActive?: boolean;
  /** Samco only, like the next four. */
  readonly password?: string;
  readonly apiSecret?: string;
  readonly secretApiKey?: string;
  readonly subscribed?: boolean;
  /** Whether its owner must sign in to the broker's app first. */
  readonly needsAppLogin?: boolean;
  /** Angel One only, like the next. */
  readonly pin?: string;
  readonly totpSecret?: string;
}

/** What the person at the browser does. */
export interface ConsentOptions {
  /** Approves, by default. False cancels, which only Samco's page can. */
  readonly approve?: boolean | undefined;
  /** Whose secrets the person knows; by default the owner of the app. */
  readonly account?: string | undefined;
}

/** An email or SMS that a broker sent. */
export interface Message {
  /** Its number, from 1. */
  readonly seq: number;
  /** When it was sent, by the sandbox's clock: RFC 3339, in UTC. */
  readonly at: string;
  readonly broker: BrokerName;
  /** Whose account it went to. */
  readonly account: string;
  readonly channel: "email" | "sms";
  /** What it brings. */
  readonly kind: "otp" | "secret_api_key" | "api_key";
  /** The code or key in it. */
  readonly value: string;
  /** What it is for: the change that a code confirms, the app of a key; empty when the kind says it all. */
  readonly about: string;
  readonly text: string;
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
  /** Hits only requests from this time of the sandbox's clock on: a date, or RFC 3339 text. */
  readonly from?: Date | string;
  /** Hits only requests before this time; without `times` all of them. */
  readonly until?: Date | string;
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
  /** One of the brokers. */
  readonly broker?: BrokerName;
  /** A path; one that ends in `*` is a prefix. */
  readonly path?: string;
}

/** One request that arrived. It holds no header, no body and no secret: what was ordered is in the order book. */
export interface SandboxRequest {
  /** Its number, from 1, over both brokers. */
  readonly seq: number;
  /** When it arrived, on the sandbox's clock (RFC 3339, UTC). */
  readonly at: string;
  /** The same in India. */
  readonly ist: string;
  /** The broker that it was for. */
  readonly broker: BrokerName;
  /** The HTTP method. */
  readonly method: string;
  /** The path. */
  readonly path: string;
  /** The query, with every value redacted that could be a secret. */
  readonly query: string;
  /** HTTP status of the reply; `null` when none was sent. */
  readonly status: number | null;
  /** The address that the broker saw. */
  readonly sourceIp: string | null;
  /** The number of the fault that it hit. */
  readonly fault: number | null;
  /** The account that it was authenticated as. */
  readonly account: string | null;
}

/** What arrived: an exact count, and the latest of them, oldest first. */
export interface RequestReport {
  /** How many arrived. */
  readonly count: number;
  /** The latest of them, oldest first. */
  readonly requests: readonly SandboxRequest[];
}

/** A step of a script. */
export interface ScriptStep {
  /** When it happens, on the sandbox's clock (RFC 3339, UTC). */
  readonly at: string;
  /** The same in India. */
  readonly ist: string;
  /** The day of the script, from 1. */
  readonly day: number;
  /** The name that the script gives it. */
  readonly name: string | null;
  /** What it does. */
  readonly what: string;
  /** Why it could not be done. */
  readonly problem: string | null;
}

/** How far a script has come. */
export interface ScriptReport {
  /** Its name or file. */
  readonly script: string;
  /** What it says of itself. */
  readonly about: string;
  /** On how many days it happens. */
  readonly days: number;
  /** How many steps are done. */
  readonly doneCount: number;
  /** The latest of them, oldest first. */
  readonly done: readonly ScriptStep[];
  /** The next one. */
  readonly next: ScriptStep | null;
  /** When it is over, on the sandbox's clock (RFC 3339, UTC). */
  readonly endsAt: string;
  /** Whether it is over. */
  readonly ended: boolean;
}

/** The value of a switch. */
export type SwitchValue = boolean | number | string;
