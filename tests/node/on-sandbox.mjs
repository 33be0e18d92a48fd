// What blocks of the documentation import in place of "preopen": the same, but that a session without a base URL belongs to
// the embedded broker of `PAGES_BROKER`, and a credential that a page writes as "..." is that of its account.
import * as preopen from "preopen";

export * from "preopen";

const accounts = JSON.parse(process.env.PAGES_ACCOUNTS);

/** Credentials in which the account's own values stand for "..."; an address that goes with them is the account's as well. */
function filledIn(factory, broker) {
  const account = accounts.find((one) => one.broker === broker);
  const fill = (values) => {
    const left = Object.keys(values).filter((name) => values[name] === "...");
    if (left.length > 0 && "redirectUrl" in values) left.push("redirectUrl");
    return factory({ ...values, ...Object.fromEntries(left.map((name) => [name, account[name]])) });
  };
  return Object.assign(fill, { fromEnv: () => factory.fromEnv() });
}

export const samco = filledIn(preopen.samco, "samco");
export const samcoOAuth = filledIn(preopen.samcoOAuth, "samco");
export const angelOne = filledIn(preopen.angelOne, "angelone");
export const angelOnePublisher = filledIn(preopen.angelOnePublisher, "angelone");

export class Session extends preopen.Session {
  constructor(credentials, options = {}) {
    super(credentials, { baseUrl: process.env.PAGES_BROKER, ...options });
  }
}
