// Credentials of the brokers. Their secrets live in the addon and cannot be read back, or are asked for by callbacks.

import { answerer } from "./ask.js";
import type { SecretCallback } from "./ask.js";
import { invalidInput, unicode } from "./convert.js";
import { native } from "./native.js";
import type { NativeCredentials, NativeSource } from "./native.js";

export type { SecretCallback } from "./ask.js";

let open: (credentials: unknown) => NativeCredentials | undefined;
let make: (broker: BrokerName, inner: NativeCredentials) => Credentials;

/** A broker that Preopen knows. */
export type BrokerName = "samco" | "angelone";

/** Credentials of one account, made by {@link samco}, {@link angelOne} and their like. Printing them shows no secret. */
export class Credentials {
  readonly #broker: BrokerName;
  readonly #inner: NativeCredentials;

  private constructor(broker: BrokerName, inner: NativeCredentials) {
    this.#broker = broker;
    this.#inner = inner;
  }

  static {
    open = (credentials) =>
      typeof credentials === "object" && credentials !== null && #inner in credentials ? credentials.#inner : undefined;
    make = (broker, inner) => new Credentials(broker, inner);
  }

  /** The broker that they are for. */
  get broker(): BrokerName {
    return this.#broker;
  }

  /** The broker only. */
  toJSON(): { broker: BrokerName } {
    return { broker: this.#broker };
  }

  /** The broker only. */
  toString(): string {
    return `Credentials(${this.#broker}, **redacted**)`;
  }

  /** @internal */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** What the addon needs of credentials; `undefined` for anything else. Not public. */
export function nativeCredentials(credentials: unknown): NativeCredentials | undefined {
  return open(credentials);
}

/** Credentials made by the addon. Not public. */
export function credentialsOf(broker: BrokerName, inner: NativeCredentials): Credentials {
  return make(broker, inner);
}

/** Credentials of Samco's direct login, exactly as Samco delivered them (documented: both arrive encrypted). */
export interface SamcoCredentials {
  /** The app's API key. */
  readonly apiKey: string;
  /** The app's API secret, or a function that gives it when a login needs it. */
  readonly apiSecret: string | SecretCallback;
}

/** Credentials of SmartAPI's direct login, with exactly one source of one-time codes: `totpSecret` or `totp`. */
export type AngelOneCredentials = AngelOneAccess & (TotpFromSecret | TotpFromCallback);

/** What a program may say in the five headers that SmartAPI's documents want with every call. */
export interface AngelOneHeaders {
  /**
   * What the header `X-ClientLocalIP` says: this machine's address in its own network. `127.0.0.1` by default: nothing is
   * looked up, and the broker does not check it (observed).
   */
  readonly localIp?: string | undefined;
  /** What the header `X-ClientPublicIP` says: the address that this machine is seen under, likewise. */
  readonly publicIp?: string | undefined;
  /** What the header `X-MACAddress` says: `00:00:00:00:00:00` by default, likewise. */
  readonly macAddress?: string | undefined;
  /** What the header `X-UserType` says: `USER` by default; another value is refused with AB1005 (documented). */
  readonly userType?: string | undefined;
  /** What the header `X-SourceID` says: `WEB` by default, the documented value. */
  readonly sourceId?: string | undefined;
}

/** What SmartAPI's direct login needs beside a one-time code. */
export interface AngelOneAccess extends AngelOneHeaders {
  /** The app's API key. */
  readonly apiKey: string;
  /** The client code, for example `A123456`. */
  readonly clientCode: string;
  /** The account's PIN, not the web password, or a function that gives it when a login needs it. */
  readonly pin: string | SecretCallback;
  /**
   * A text of your own (1 to 128 visible ASCII characters) that is sent with the login; the broker echoes it (documented), and
   * a reply with another one is a `MalformedResponseError`.
   */
  readonly state?: string | undefined;
}

/** One-time codes made by Preopen. */
export interface TotpFromSecret {
  /**
   * The TOTP secret as shown beside the QR code: Base32, spaces and hyphens allowed; or a function that gives it when a
   * login needs it.
   */
  readonly totpSecret: string | SecretCallback;
  readonly totp?: undefined;
}

/** One-time codes that somebody reads from an authenticator app. */
export interface TotpFromCallback {
  /** A function that gives the six-digit code of the moment. It is called once for each login, never in the same 30 seconds. */
  readonly totp: SecretCallback;
  readonly totpSecret?: undefined;
}

/** Makes credentials from values, or from the environment. */
export interface CredentialsFactory<T> {
  /**
   * Makes credentials. They are checked in full when a session is made with them, what a callback gives when it was
   * given; nothing is sent.
   *
   * @throws InvalidInputError when a value is not a string (or a function, where one may be) or not valid Unicode, naming it.
   */
  (values: T): Credentials;
  /**
   * Reads the credentials from the environment variables that it names.
   *
   * @throws InvalidInputError naming the variable that is not set.
   */
  fromEnv(): Credentials;
}

/** Samco Trade API. From the environment: `SAMCO_API_KEY`, `SAMCO_API_SECRET`. */
export const samco: CredentialsFactory<SamcoCredentials> = Object.assign(
  (values: SamcoCredentials): Credentials => {
    const { apiKey, apiSecret } = checked(values, { apiKey: text, apiSecret: secret });
    return make("samco", native().NativeCredentials.samco(apiKey, apiSecret));
  },
  { fromEnv: (): Credentials => samco({ apiKey: variable("SAMCO_API_KEY"), apiSecret: variable("SAMCO_API_SECRET") }) },
);

/**
 * Angel One SmartAPI. From the environment: `ANGELONE_API_KEY`, `ANGELONE_CLIENT_CODE`, `ANGELONE_PIN`,
 * `ANGELONE_TOTP_SECRET`.
 */
export const angelOne: CredentialsFactory<AngelOneCredentials> = Object.assign(
  (values: AngelOneCredentials): Credentials => {
    const typed = typeof values === "object" && values !== null && values.totp !== undefined;
    const code = typed ? { totpSecret: absent, totp: callback("must be a function that gives the six-digit code") } : { totpSecret: secret, totp: absent };
    const read = checked(values, { apiKey: text, clientCode: text, pin: secret, ...code, ...HEADERS, state: optionalText });
    const totp = (typed ? read.totp : read.totpSecret) as NativeSource;
    const told = [...toldHeaders(read), ...(read.state === undefined ? [] : ["state", read.state])];
    return make("angelone", native().NativeCredentials.angelOne(read.apiKey, read.clientCode, read.pin, totp, typed, told));
  },
  {
    fromEnv: (): Credentials =>
      angelOne({
        apiKey: variable("ANGELONE_API_KEY"),
        clientCode: variable("ANGELONE_CLIENT_CODE"),
        pin: variable("ANGELONE_PIN"),
        totpSecret: variable("ANGELONE_TOTP_SECRET"),
      }),
  },
);

/** Reads one credential; throws `InvalidInputError` that names it. */
export type Read<T> = (field: string, value: unknown) => T;

export const text: Read<string> = (field, value) => {
  const problem = typeof value === "string" ? unicode(value) : "must be a string";
  if (problem !== undefined) throw invalidInput(field, problem);
  return value as string;
};

export const optionalText: Read<string | undefined> = (field, value) => (value === undefined ? undefined : text(field, value));

export const flag: Read<boolean | undefined> = (field, value) => {
  if (value !== undefined && typeof value !== "boolean") throw invalidInput(field, "must be true or false");
  return value;
};

export const callback =
  (problem: string): Read<Exclude<NativeSource, string>> =>
  (field, value) => {
    if (typeof value !== "function") throw invalidInput(field, problem);
    return answerer(value as SecretCallback);
  };

export const secret: Read<NativeSource> = (field, value) => {
  if (typeof value === "function") return answerer(value as SecretCallback);
  if (typeof value !== "string") throw invalidInput(field, "must be a string, or a function that gives one");
  return text(field, value);
};

const absent: Read<undefined> = (field, value) => {
  if (value !== undefined) throw invalidInput(field, "must not be given beside totp: give one source of one-time codes");
  return undefined;
};

/** What SmartAPI's headers tell of a machine, by Rust's names. */
const TOLD = {
  localIp: "local_ip",
  publicIp: "public_ip",
  macAddress: "mac_address",
  userType: "user_type",
  sourceId: "source_id",
} as const satisfies Record<keyof AngelOneHeaders, string>;

/** How {@link AngelOneHeaders} are read. */
export const HEADERS = {
  localIp: optionalText,
  publicIp: optionalText,
  macAddress: optionalText,
  userType: optionalText,
  sourceId: optionalText,
} as const satisfies Record<keyof AngelOneHeaders, Read<string | undefined>>;

/** Those that were given, as the addon wants them: names and values in turn. */
export function toldHeaders(read: AngelOneHeaders): string[] {
  return Object.entries(TOLD).flatMap(([name, known]) => {
    const value = read[name as keyof AngelOneHeaders];
    return value === undefined ? [] : [known, value];
  });
}

export function checked<R extends Readonly<Record<string, Read<unknown>>>>(
  values: object,
  reads: R,
): { [K in keyof R]: ReturnType<R[K]> } {
  const names = Object.keys(reads);
  if (typeof values !== "object" || values === null) throw invalidInput("credentials", `must be an object with ${names.join(", ")}`);
  const unknown = Object.keys(values).find((name) => !names.includes(name));
  if (unknown !== undefined) throw invalidInput(unknown, `is not a credential of this broker: it takes ${names.join(", ")}`);
  const given = values as Readonly<Record<string, unknown>>;
  return Object.fromEntries(Object.entries(reads).map(([name, read]) => [name, read(name, given[name])])) as {
    [K in keyof R]: ReturnType<R[K]>;
  };
}

// Read here and not in Rust: a worker thread has an environment of its own.
export function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined || value.trim() === "") {
    throw invalidInput(name, "is not set in the environment: export it, or pass the value yourself");
  }
  return value;
}
