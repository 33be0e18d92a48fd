// `smartapi-javascript` in the fault table: success is a reply whose `status` is `true`.

import { createRequire } from "node:module";

import { failure, main, other, success } from "./client.mjs";

const require = createRequire(new URL("../../official/node/package.json", import.meta.url));

/** What a reply is asked for. */
const WANTED = { login: "jwtToken", read: "net", write: "orderid" };

/** Its constructor asks public services for this machine's address. */
function keepOffTheNetwork() {
  const place = require.resolve("public-ip");
  require.cache[place] = { id: place, filename: place, loaded: true, exports: { v4: async () => "192.0.2.1" } };
}

await main(async (spec) => {
  if (spec.on !== "start") keepOffTheNetwork();
  const { SmartAPI } = require("smartapi-javascript");
  const { account } = spec;
  const timeout = spec.timeout === null ? undefined : spec.timeout * 1000;
  const smart = new SmartAPI({ api_key: account.api_key, root: spec.url, timeout });
  if (spec.token) smart.setAccessToken(spec.token);
  return {
    login: () => smart.generateSession(account.client_code, account.pin, spec.code),
    read: () => smart.getRMS(),
    write: () => smart.placeOrder(spec.order),
    tokens: async () => [smart.access_token, smart.refresh_token].filter(Boolean),
    told: (reply) => {
      if (typeof reply !== "object" || reply === null) return other(reply);
      if (reply.status === true) return success(reply.data?.[WANTED[spec.on]]);
      const why = reply.errorcode || reply.errorCode || reply.message || (Number.isInteger(reply.status) && reply.status);
      return why ? failure(why) : other(reply);
    },
  };
});
