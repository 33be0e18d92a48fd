// What Preopen tells of itself: log records and audit entries on channels of `node:diagnostics_channel`, and metrics.

import { channel } from "node:diagnostics_channel";

import { camel, invalidInput, unwrap } from "./convert.js";
import { native } from "./native.js";
import type { NativeLogRecord, NativeLogs, NativeMetric } from "./native.js";

/** How important a log record is, from the least to the most. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

/** One log record, as the channel `preopen:log` gives it. It holds no secret. */
export interface LogRecord {
  /** When. */
  readonly at: Date;
  /** How important it is. */
  readonly level: LogLevel;
  /** `preopen`, or `preopen.audit` for what is an {@link AuditEntry} too. */
  readonly target: string;
  /** One line for a person. */
  readonly message: string;
  /** Everything else: `broker`, `account` (a label that nothing can be read from), `event`, `durationMs` and so on. */
  readonly fields: Readonly<Record<string, string | number | boolean>>;
}

/** One login, refusal or logout, as the channel `preopen:audit` gives it. It holds no secret. */
export interface AuditEntry {
  /** When. */
  readonly at: Date;
  /** At which broker. */
  readonly broker: string;
  /** Of which account: a label that nothing can be read from. */
  readonly account: string;
  /** On which machine. */
  readonly host: string;
  /** What happened. */
  readonly action: "login" | "refusal" | "logout";
  /** Why, for example `first_use`, `expired`, `refused_token`, `keep_warm`, `asked`. */
  readonly why: string;
  /** `ok`, or the code of the error. */
  readonly outcome: string;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
}

/** A number, or a histogram, with its labels, which are words of closed sets. */
export type Metric = MetricNumber | MetricHistogram;

/** What all metrics have. */
interface MetricBase {
  /** The name, the same in every language, for example `preopen_logins_total`. */
  readonly name: string;
  /** `s` for seconds, or in braces the word for what is counted. */
  readonly unit: string;
  /** One line for a person. */
  readonly help: string;
  /** For example `{ broker: "samco", why: "expired", outcome: "ok" }`. */
  readonly labels: Readonly<Record<string, string>>;
}

/** A counter, which only grows, or a gauge. */
export interface MetricNumber extends MetricBase {
  readonly kind: "counter" | "gauge";
  readonly value: number;
}

/** How often something took how long. */
export interface MetricHistogram extends MetricBase {
  readonly kind: "histogram";
  /** How many were observed. */
  readonly count: number;
  /** Their sum. */
  readonly sum: number;
  /** Upper bounds, each with how many were at most that. */
  readonly buckets: readonly (readonly [bound: number, count: number])[];
}

/** How to collect log records. */
export interface LogOptions {
  /** The least important ones that are wanted; `info` by default. */
  readonly level?: LogLevel | undefined;
}

const LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error"];
const AUDIT = "preopen.audit";

const logChannel = channel("preopen:log");
const auditChannel = channel("preopen:audit");

/** What is collected now. It is held here: nobody else needs to. */
let open: { readonly level: LogLevel; readonly native: NativeLogs } | undefined;

/**
 * Log records of this process, on channels of `node:diagnostics_channel`: `preopen:log` gives each as a {@link LogRecord},
 * `preopen:audit` each login, refusal and logout as an {@link AuditEntry}, whatever the level.
 *
 * ```ts
 * import { subscribe } from "node:diagnostics_channel";
 * import { logs } from "preopen";
 *
 * subscribe("preopen:audit", (entry) => console.log(entry));
 * logs.enable();
 * ```
 *
 * Nothing is collected before `enable`. Records of all sessions of the process come, also of other threads; what nobody
 * takes in time is dropped, and a record says how many. Waiting for them keeps no process alive.
 */
export const logs = Object.freeze({
  /**
   * Begins to collect, or collects at another level from now on.
   *
   * @throws InvalidInputError (field `level`).
   */
  enable(options: LogOptions = {}): void {
    const { level = "info" } = options;
    if (!LEVELS.includes(level)) throw invalidInput("level", `must be ${LEVELS.slice(0, -1).join(", ")} or ${LEVELS.at(-1)}`);
    const before = open;
    // An audit entry is told at `info`, and is wanted at every level.
    const asked = rank(level) > rank("info") ? "info" : level;
    const now: { level: LogLevel; native: NativeLogs } = { level, native: unwrap(native().logs(asked, (json) => publish(json, now))) };
    open = now;
    before?.native.close();
  },

  /** Collects no more. */
  disable(): void {
    const before = open;
    open = undefined;
    before?.native.close();
  },

  /** The level that is collected, if any is. */
  get level(): LogLevel | undefined {
    return open?.level;
  },
});

/**
 * The metrics of this process as they are now: logins, renewals, refusals, logouts, calls, how long callers waited for a
 * login, the age of the oldest live token, and how many sessions are live.
 */
export function metrics(): Metric[] {
  return (JSON.parse(native().metrics()) as NativeMetric[]).map((one) => one as unknown as Metric);
}

function rank(level: LogLevel): number {
  return LEVELS.indexOf(level);
}

function publish(json: string, from: { readonly level: LogLevel }): void {
  // A record that was on its way when it ended, or the level changed, is not wanted any more.
  if (from !== open || !(logChannel.hasSubscribers || auditChannel.hasSubscribers)) return;
  const raw = JSON.parse(json) as NativeLogRecord;
  const fields = Object.fromEntries(Object.entries(raw.fields).map(([name, value]) => [camel(name), value]));
  const at = new Date(raw.at * 1000);
  if (raw.target === AUDIT && auditChannel.hasSubscribers) {
    const told = typeof fields["at"] === "string" ? new Date(fields["at"]) : at;
    auditChannel.publish(Object.freeze({ ...fields, at: told }));
  }
  if (logChannel.hasSubscribers && rank(raw.level) >= rank(from.level)) {
    logChannel.publish(Object.freeze({ at, level: raw.level, target: raw.target, message: raw.message, fields: Object.freeze(fields) }));
  }
}
