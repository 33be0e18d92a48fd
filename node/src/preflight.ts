// What `Session.preflight` answers, and how it is read from the addon's JSON.

import { toError } from "./convert.js";
import type { NativeErrorInfo } from "./convert.js";
import type { PreopenError } from "./errors.js";
import type { CallControl } from "./options.js";

/** One finding of a preflight. It holds no secret. */
export interface Check {
  /** What was looked at. */
  readonly name: "session" | "broker" | "static_ip" | "clock" | "session_end" | "network" | "store";
  /** What came of it; `unknown` when it cannot be told from here. */
  readonly status: "pass" | "warn" | "fail" | "unknown";
  /** One line for a person. */
  readonly message: string;
  /** What to do about it. */
  readonly fix: string | undefined;
  /** The error behind it. */
  readonly error: PreopenError | undefined;
}

/** Whether this host can place orders now. */
export interface Preflight {
  /** The broker. */
  readonly broker: string;
  /** When it was looked at. */
  readonly at: Date;
  /** Whether no check failed; with `strict` whether every check passed. */
  readonly ready: boolean;
  /** What was found, in the order in which things are needed. */
  readonly checks: readonly Check[];
  /** The address that the broker sees, where it tells. */
  readonly sourceIp: string | undefined;
  /** The registered primary address, where the broker tells. */
  readonly primaryIp: string | undefined;
  /** The registered secondary address, where the broker tells. */
  readonly secondaryIp: string | undefined;
}

/** How to look. */
export interface PreflightOptions extends CallControl {
  /**
   * Be ready only if every check passed, without a warning. SmartAPI never is: it cannot be asked which address it sees.
   * `false` by default.
   */
  readonly strict?: boolean | undefined;
}

interface RawCheck {
  readonly name: Check["name"];
  readonly status: Check["status"];
  readonly message: string;
  readonly fix: string | null;
  readonly error: NativeErrorInfo | null;
}

export function toPreflight(text: string): Preflight {
  const raw = JSON.parse(text) as {
    broker: string;
    at_ms: number;
    ready: boolean;
    source_ip: string | null;
    primary_ip: string | null;
    secondary_ip: string | null;
    checks: RawCheck[];
  };
  return {
    broker: raw.broker,
    at: new Date(raw.at_ms),
    ready: raw.ready,
    checks: raw.checks.map(({ fix, error, ...check }) => ({
      ...check,
      fix: fix ?? undefined,
      error: error === null ? undefined : toError(error),
    })),
    sourceIp: raw.source_ip ?? undefined,
    primaryIp: raw.primary_ip ?? undefined,
    secondaryIp: raw.secondary_ip ?? undefined,
  };
}
