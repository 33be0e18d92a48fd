// The public API of `preopen`.

import "./floor.js";

export { AddonError } from "./addon.js";
export type { AddonErrorCode } from "./addon.js";
export { LoginCode, LoginStart } from "./consent.js";
export type { SamcoLegacyCalls } from "./consent.js";
export { Credentials, angelOne, samco } from "./credentials.js";
export type {
  AngelOneAccess,
  AngelOneHeaders,
  AngelOneCredentials,
  BrokerName,
  CredentialsFactory,
  SamcoCredentials,
  SecretCallback,
  TotpFromCallback,
  TotpFromSecret,
} from "./credentials.js";
export * from "./errors.js";
export type { SessionEvents } from "./events.js";
export { logs, metrics } from "./logs.js";
export type { AuditEntry, LogLevel, LogOptions, LogRecord, Metric, MetricHistogram, MetricNumber } from "./logs.js";
export { angelOnePublisher, samcoLegacy, samcoLoginCode, samcoOAuth } from "./logins.js";
export type {
  AngelOnePublisherCredentials,
  SamcoLegacyCredentials,
  SamcoLoginCodeCredentials,
  SamcoOAuthCredentials,
} from "./logins.js";
export type {
  CallControl,
  CallOptions,
  EventsOptions,
  ExportOptions,
  KeyOptions,
  LoginOptions,
  ParamValue,
  RateLimit,
  SessionOptions,
  StreamOptions,
} from "./options.js";
export type { Check, Preflight, PreflightOptions } from "./preflight.js";
export type { EventName, ExpiryEvidence, Logout, Profile, Rejection, Reply, SessionEvent, SessionState, WhoAmI } from "./records.js";
export { Session, generateKey } from "./session.js";
export { checkStaticIp, mayChangeStaticIp } from "./static-ip.js";
export type { StaticIpAnswer, StaticIpChange, StaticIpQuestion, StaticIpRule, StaticIps } from "./static-ip.js";
export type { Awaitable, Claim, Store } from "./store.js";
export { Token } from "./token.js";
