// Collects log records, logs in, and does nothing more: the process must end by itself.
import { subscribe } from "node:diagnostics_channel";

import { Session, logs, samco } from "preopen";

const { PREOPEN_TEST_URL: baseUrl, PREOPEN_TEST_KEY: apiKey, PREOPEN_TEST_SECRET: apiSecret } = process.env;
const told = Promise.withResolvers();
subscribe("preopen:audit", ({ action, why, outcome }) => {
  console.log(action, why, outcome);
  told.resolve();
});
logs.enable({ level: "trace" });
globalThis.session = new Session(samco({ apiKey, apiSecret }), { baseUrl, keepWarm: true });
// Nothing that waits here keeps the process alive but this.
const alive = setTimeout(() => undefined, 10_000);
await globalThis.session.token();
await told.promise;
clearTimeout(alive);
