// Static IPs: which addresses a broker can register, and when a registered one may be changed. Nothing is sent.

import { invalidInput, unwrap } from "./convert.js";
import type { BrokerName } from "./credentials.js";
import { native } from "./native.js";

/** The addresses of an app: `null` deletes one, left out it stays as it is. */
export interface StaticIps {
  /** The app, by any name of yours; left out for the account's only one. */
  readonly app?: string | undefined;
  /** The primary address. */
  readonly primary?: string | null | undefined;
  /** The secondary address. */
  readonly secondary?: string | null | undefined;
}

/** A change that was made. */
export interface StaticIpChange extends StaticIps {
  /** When; text is RFC 3339 with an offset. */
  readonly at: Date | string;
  /** The app was deactivated, which releases its addresses. */
  readonly deactivated?: boolean | undefined;
}

/** How a broker counts: one change in any 7 days, or one between Monday 00:00 IST and the next. */
export type StaticIpRule = "rolling_7_days" | "calendar_week";

/** What is asked. */
export interface StaticIpQuestion {
  /** The broker. */
  readonly broker: BrokerName;
  /** The changes so far, in any order. */
  readonly history?: readonly StaticIpChange[] | undefined;
  /** What is to be registered: public IPv4 addresses. Left out it is any change that counts. */
  readonly wanted?: StaticIps | null | undefined;
  /** Count in another way than the broker is believed to. */
  readonly rule?: StaticIpRule | undefined;
  /** Another time than now. */
  readonly now?: Date | string | undefined;
}

/** Whether a change may be made now, and if not, when. */
export interface StaticIpAnswer {
  /** Whether it may be made now. */
  readonly allowed: boolean;
  /** Whether it does not count as a change: no address is new to the account and none is deleted. */
  readonly free: boolean;
  /** The first moment at which it may be made, when that is not now; `undefined` also when waiting does not help. */
  readonly at: Date | undefined;
  /** The last change in the history that counts. */
  readonly lastCounted: Date | undefined;
  /** Why, for a person, with the source of the rule. */
  readonly reason: string;
  /** The rule that was counted by. */
  readonly rule: StaticIpRule;
}

/**
 * Whether the registered addresses may be changed now, and if not, when, for a history that you supply.
 *
 * Samco takes one change in any 7 days per account, over all apps, also those that are deactivated by now; a deletion
 * counts, and registering an address that the account has already is free (its dashboard's page, documented; an error text
 * of its API says calendar week). That a first registration counts is inferred. Angel One takes one in a calendar week (told
 * by a third party, not confirmed; counted from Monday 00:00 IST), and an address for one app of an account only (observed by
 * users).
 *
 * @throws InvalidInputError with the field that is wrong, for example `primary` for a private address or `history[1].at`.
 */
export function mayChangeStaticIp(question: StaticIpQuestion): StaticIpAnswer {
  let asked: string | undefined;
  try {
    asked = JSON.stringify(question);
  } catch {
    // Told below, without what was thrown: it may quote values.
  }
  if (asked === undefined) throw invalidInput("question", "cannot be written as JSON");
  const answer = JSON.parse(unwrap(native().staticIpMayChange(asked))) as {
    allowed: boolean;
    free: boolean;
    at: string | null;
    last_counted: string | null;
    reason: string;
    rule: StaticIpRule;
  };
  const time = (text: string | null): Date | undefined => (text === null ? undefined : new Date(text));
  const { last_counted: lastCounted, at, ...rest } = answer;
  return { ...rest, at: time(at), lastCounted: time(lastCounted) };
}

/**
 * The address in its usual form, if a broker can register it: a public IPv4 address (Samco: documented).
 *
 * @throws InvalidInputError (field `address`) that says what is wrong: private, loopback, link-local, carrier NAT,
 * multicast, reserved, documentation, benchmarking, broadcast, IPv6, or no address at all.
 */
export function checkStaticIp(address: string): string {
  if (typeof address !== "string") throw invalidInput("address", "must be text");
  return unwrap(native().staticIpCheck(address));
}
