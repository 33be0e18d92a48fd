// Credentials of the brokers. Their secrets live in the addon and cannot be read back.

import { invalidInput, unicode } from "./convert.js";
import { native } from "./native.js";
import type { NativeCredentials } from "./native.js";

let open: (credentials: unknown) => NativeCredentials | undefined;
let make: (broker: BrokerName, inner: NativeCredentials) => Credentials;

/** A broker that Preopen knows. */
export type BrokerName = "samco" | "angelone";

/** Credentials of one account, made by {@link samco} or {@link angelOne}. Printing them shows no secret. */
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

/** Credentials of Samco's direct login, exactly as Samco delivered them (documented: both arrive encrypted). */
export interface SamcoCredentials {
  /** The app's API key. */
  readonly apiKey: string;
  /** The app's API secret. */
  readonly apiSecret: string;
}

/** Credentials of SmartAPI's direct login. */
export interface AngelOneCredentials {
  /** The app's API key. */
  readonly apiKey: string;
  /** The client code, for example `A123456`. */
  readonly clientCode: string;
  /** The account's PIN, not the web password. */
  readonly pin: string;
  /** The TOTP secret as shown beside the QR code: Base32, spaces and hyphens allowed. */
  readonly totpSecret: string;
}

/** Makes credentials from values, or from the environment. */
export interface CredentialsFactory<T> {
  /**
   * Makes credentials. They are checked in full when a session is made with them; nothing is sent.
   *
   * @throws InvalidInputError when a value is not a string or not valid Unicode, naming it.
   */
  (values: T): Credentials;
  /**
   * Reads the credentials from the environment variables that {@link samco} and {@link angelOne} name.
   *
   * @throws InvalidInputError naming the variable that is not set.
   */
  fromEnv(): Credentials;
}

/** Samco Trade API. From the environment: `SAMCO_API_KEY`, `SAMCO_API_SECRET`. */
export const samco: CredentialsFactory<SamcoCredentials> = Object.assign(
  (values: SamcoCredentials): Credentials => {
    const { apiKey, apiSecret } = texts(values, ["apiKey", "apiSecret"]);
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
    const { apiKey, clientCode, pin, totpSecret } = texts(values, ["apiKey", "clientCode", "pin", "totpSecret"]);
    return make("angelone", native().NativeCredentials.angelOne(apiKey, clientCode, pin, totpSecret));
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

function texts<K extends string>(values: Readonly<Record<K, string>>, names: readonly K[]): Record<K, string> {
  if (typeof values !== "object" || values === null) throw invalidInput("credentials", `must be an object with ${names.join(", ")}`);
  const unknown = Object.keys(values).find((name) => !names.some((known) => known === name));
  if (unknown !== undefined) throw invalidInput(unknown, `is not a credential of this broker: it takes ${names.join(", ")}`);
  for (const name of names) {
    const problem = typeof values[name] === "string" ? unicode(values[name]) : "must be a string";
    if (problem !== undefined) throw invalidInput(name, problem);
  }
  return values;
}

// Read here and not in Rust: a worker thread has an environment of its own.
function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined || value.trim() === "") {
    throw invalidInput(name, "is not set in the environment: export it, or pass the value yourself");
  }
  return value;
}
