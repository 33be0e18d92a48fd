// Credentials of the further ways to log in: OAuth, the deprecated login, login codes, the publisher login.

import { HEADERS, callback, checked, credentialsOf, flag, optionalText, secret, text, toldHeaders, variable } from "./credentials.js";
import type { AngelOneHeaders, Credentials, CredentialsFactory, SecretCallback } from "./credentials.js";
import { native } from "./native.js";

/** Credentials of Samco's OAuth login. */
export interface SamcoOAuthCredentials {
  /** The app's API key. */
  readonly apiKey: string;
  /**
   * The redirect URL that is registered for the app, exactly: `http://127.0.0.1` with a port, for `session.login` on this
   * machine, or the https address of your own server, for `session.beginLogin` and `session.completeLogin` (documented).
   */
  readonly redirectUrl: string;
}

/** Credentials of Samco's deprecated login. */
export interface SamcoLegacyCredentials {
  /** The user id. */
  readonly userId: string;
  /** The account's password, or a function that gives it when a login needs it. Changes of addresses want it given. */
  readonly password: string | SecretCallback;
  /** The secret API key that Samco mailed, or a function that gives it when a login needs it. */
  readonly secretApiKey: string | SecretCallback;
  /** The year of birth, four digits, which the login may want. */
  readonly yearOfBirth?: string | undefined;
}

/** Credentials of a login at Samco with a web login code. */
export interface SamcoLoginCodeCredentials {
  /** The account's id. */
  readonly account: string;
  /**
   * A function that gives the code of the moment: `session.webLoginCode()` of another session. It has eight characters,
   * lives two minutes and counts once (documented), so that it cannot be given beforehand.
   */
  readonly code: SecretCallback;
}

/** Credentials of SmartAPI's publisher login. */
export interface AngelOnePublisherCredentials extends AngelOneHeaders {
  /** The API key of an app of that kind. */
  readonly apiKey: string;
  /** The client code, for example `A123456`. */
  readonly clientCode: string;
  /**
   * The redirect URL that is registered for the app, where it is known. It must be https on a public host: the broker
   * refuses localhost and bare addresses (said by its staff).
   */
  readonly redirectUrl?: string | undefined;
  /**
   * Accepts an address without a state while exactly one login is under way; `false` by default. One integrator saw the
   * broker drop it (observed). Without a state nothing proves that the login was begun here.
   */
  readonly trustMissingState?: boolean | undefined;
}

/**
 * Samco's OAuth login, at which a person types the app's secret at the broker's page, once in up to 7 days. After each daily
 * end (08:00 IST, documented) the session renews itself with its refresh token, which lives 7 days (documented; whether it
 * survives 08:00 is not). Without a session and a refresh token calls reject with `LoginRequiredError`, reason
 * `consent_needed`, or `refresh_expired` when the broker says so first. From the environment: `SAMCO_API_KEY`,
 * `SAMCO_REDIRECT_URL`.
 *
 * Samco's flow lacks three protections that others have: there is no PKCE, the exchange is not tied to the redirect URL, and
 * the app does not prove who it is (all documented). What is left is the state, which is compared first and used once, the
 * exact redirect URL, and the static IP.
 */
export const samcoOAuth: CredentialsFactory<SamcoOAuthCredentials> = Object.assign(
  (values: SamcoOAuthCredentials): Credentials => {
    const { apiKey, redirectUrl } = checked(values, { apiKey: text, redirectUrl: text });
    return credentialsOf("samco", native().NativeCredentials.samcoOauth(apiKey, redirectUrl));
  },
  {
    fromEnv: (): Credentials =>
      samcoOAuth({ apiKey: variable("SAMCO_API_KEY"), redirectUrl: variable("SAMCO_REDIRECT_URL") }),
  },
);

/**
 * Samco's deprecated login (`POST /accessToken/token`, then `POST /login`). The session ends at 08:00 IST as any other
 * (documented; an older page says 24 hours). From the environment: `SAMCO_USER_ID`, `SAMCO_PASSWORD`,
 * `SAMCO_SECRET_API_KEY`.
 *
 * @deprecated Samco will remove this login: use `samco`, whose key and secret log in without the account's password.
 */
export const samcoLegacy: CredentialsFactory<SamcoLegacyCredentials> = Object.assign(
  (values: SamcoLegacyCredentials): Credentials => {
    const read = checked(values, { userId: text, password: secret, secretApiKey: secret, yearOfBirth: optionalText });
    const { userId, password, secretApiKey, yearOfBirth } = read;
    return credentialsOf("samco", native().NativeCredentials.samcoLegacy(userId, password, secretApiKey, yearOfBirth));
  },
  {
    fromEnv: (): Credentials =>
      samcoLegacy({
        userId: variable("SAMCO_USER_ID"),
        password: variable("SAMCO_PASSWORD"),
        secretApiKey: variable("SAMCO_SECRET_API_KEY"),
      }),
  },
);

/**
 * A login at Samco with a web login code. Samco made it for its web terminal: a session from it is documented, its use by
 * programs is not.
 *
 * @throws InvalidInputError naming what is not a string, or `code` when it is not a function.
 */
export function samcoLoginCode(values: SamcoLoginCodeCredentials): Credentials {
  const { account, code } = checked(values, { account: text, code: callback("must be a function that gives a code of the moment") });
  return credentialsOf("samco", native().NativeCredentials.samcoLoginCode(account, code));
}

/**
 * SmartAPI's publisher login, at which a person logs in at the broker's page, each day again: there is no refresh token, and
 * the session ends at 00:00 IST (documented). `session.events()` tells `login_needed` then. Paste the address that the
 * browser ended on into `session.completeLogin`, or receive it on your own server. From the environment: `ANGELONE_API_KEY`,
 * `ANGELONE_CLIENT_CODE` and, if it is set, `ANGELONE_REDIRECT_URL`.
 *
 * Whether this login still works for apps that have static IPs is disputed: a user of the broker's forum says it does not,
 * the documents show it.
 */
export const angelOnePublisher: CredentialsFactory<AngelOnePublisherCredentials> = Object.assign(
  (values: AngelOnePublisherCredentials): Credentials => {
    const read = checked(values, { apiKey: text, clientCode: text, redirectUrl: optionalText, trustMissingState: flag, ...HEADERS });
    const { apiKey, clientCode, redirectUrl, trustMissingState } = read;
    const told = toldHeaders(read);
    const made = native().NativeCredentials.angelOnePublisher(apiKey, clientCode, redirectUrl, trustMissingState ?? false, told);
    return credentialsOf("angelone", made);
  },
  {
    fromEnv: (): Credentials => {
      const redirectUrl = process.env["ANGELONE_REDIRECT_URL"]?.trim();
      return angelOnePublisher({
        apiKey: variable("ANGELONE_API_KEY"),
        clientCode: variable("ANGELONE_CLIENT_CODE"),
        ...(redirectUrl ? { redirectUrl } : {}),
      });
    },
  },
);
