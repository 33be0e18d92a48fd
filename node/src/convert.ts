// What crosses from the addon, turned into JavaScript's own forms. Nothing here is public.

import { InvalidInputError, errorClasses } from "./errors.js";
import type { Advice, ErrorCode, PreopenError } from "./errors.js";
import type { Outcome } from "./native.js";

/** An error as Rust reports it. */
export interface NativeErrorInfo {
  readonly code: ErrorCode;
  readonly message: string;
  readonly advice: Advice;
  readonly advice_seconds: number | null;
  readonly field: string | null;
  readonly broker: string | null;
  readonly endpoint: string | null;
  readonly http_status: number | null;
  readonly broker_code: string | null;
  readonly message_id: string | null;
  readonly server_time: string | null;
  readonly which: string | null;
  readonly reason: string | null;
  readonly phase: string | null;
  readonly clock_skew: number | null;
  readonly retry_after: number | null;
  readonly source_ip: string | null;
  readonly primary_ip: string | null;
  readonly secondary_ip: string | null;
  readonly validation_errors: readonly string[];
  readonly body: string | null;
  readonly causes: readonly string[];
}

/** Those of the values that are there; what JSON says is null is left out. */
export function present<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], null | undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], null | undefined> };
}

/** The error of Rust as the class of its code. */
export function toError(info: NativeErrorInfo): PreopenError {
  // Rust's own names of fields are those of Python; names of environment variables stay.
  const field = info.field === null ? null : camel(info.field);
  const message =
    field !== null && info.message.startsWith(`${info.field} `)
      ? field + info.message.slice(info.field?.length)
      : info.message.replace(/^the callback for [a-z_]+|\bits [a-z_]+(?=\(\))/, camelWords);
  const cause = info.causes.reduceRight<Error | undefined>(below, undefined);
  return new errorClasses[info.code](
    message,
    present({
      advice: info.advice,
      adviceSeconds: info.advice_seconds,
      field,
      broker: info.broker,
      endpoint: info.endpoint,
      httpStatus: info.http_status,
      brokerCode: info.broker_code,
      messageId: info.message_id,
      serverTime: info.server_time === null ? null : new Date(info.server_time),
      which: info.which,
      reason: info.reason,
      phase: info.phase,
      clockSkew: info.clock_skew,
      retryAfter: info.retry_after,
      sourceIp: info.source_ip,
      primaryIp: info.primary_ip,
      secondaryIp: info.secondary_ip,
      validationErrors: info.validation_errors.length === 0 ? null : info.validation_errors,
      body: info.body,
      cause,
    }),
  );
}

function camelWords(text: string): string {
  return text.split(" ").map(camel).join(" ");
}

/** A cause of Rust's. It has no stack of its own: it did not happen in JavaScript. */
function below(cause: Error | undefined, message: string): Error {
  const error = new Error(message, cause === undefined ? undefined : { cause });
  error.stack = `Error: ${message}`;
  return error;
}

/** The value of an outcome; throws its error. */
export function unwrap<T>(outcome: Outcome<T>): T {
  if (outcome.error !== undefined) throw toError(JSON.parse(outcome.error) as NativeErrorInfo);
  return outcome.ok;
}

/** An `InvalidInputError` that names `field`; `problem` completes the sentence. */
export function invalidInput(field: string, problem: string): InvalidInputError {
  return new InvalidInputError(`${field} ${problem}`, { field });
}

/** What is wrong with text that cannot be sent as it is: half of a surrogate pair is no Unicode. */
export function unicode(value: string): string | undefined {
  return value.isWellFormed() ? undefined : "must be valid Unicode: it holds half of a surrogate pair";
}

/** `snake_case` as `camelCase`; anything with capitals stays as it is. */
export function camel(name: string): string {
  return /^[a-z0-9_]+$/.test(name) ? name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()) : name;
}

/** `camelCase` as `snake_case`. */
export function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
