// Preopen for Node in the fault table.

import { main, success } from "./client.mjs";

const KEYS = { samco: ["api_key", "api_secret"], angelone: ["api_key", "client_code", "pin", "totp_secret"] };
const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

await main(async (spec) => {
  const preopen = await import("preopen");
  const { broker, account, paths } = spec;
  const make = broker === "samco" ? preopen.samco : preopen.angelOne;
  const credentials = make(Object.fromEntries(KEYS[broker].map((name) => [camel(name), account[name]])));
  const options = { baseUrl: spec.url, timeout: spec.timeout ?? undefined, caFile: spec.ca_file ?? undefined };
  const session = new preopen.Session(credentials, options);
  const params = broker === "samco" ? { symbolName: "INFY", exchange: "NSE" } : undefined;
  return {
    login: () => session.token(),
    read: () => session.get(paths.read, { params }),
    write: () => session.post(paths.write, { json: spec.order }),
    tokens: async () => (session.state().name === "active" ? [(await session.token()).expose()] : []),
    // Whatever is no exception is a success.
    told: (reply) => success(reply.data ?? reply.expose()),
  };
});
