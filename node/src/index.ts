// The public API of `preopen`.

import "./floor.js";

export { Credentials, angelOne, samco } from "./credentials.js";
export type { AngelOneCredentials, BrokerName, CredentialsFactory, SamcoCredentials } from "./credentials.js";
export * from "./errors.js";
export type { CallControl, CallOptions, ParamValue, SessionOptions } from "./options.js";
export type { ExpiryEvidence, Logout, Profile, Reply, SessionState, WhoAmI } from "./records.js";
export { Session } from "./session.js";
export { Token } from "./token.js";
