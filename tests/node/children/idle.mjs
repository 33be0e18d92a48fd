// Holds a session that has a token, and does nothing more: the process must end by itself.
import { Session, samco } from "preopen";

const { PREOPEN_TEST_URL: baseUrl, PREOPEN_TEST_KEY: apiKey, PREOPEN_TEST_SECRET: apiSecret } = process.env;
globalThis.session = new Session(samco({ apiKey, apiSecret }), { baseUrl });
if (process.argv[2] === "token") await globalThis.session.token();
if (process.argv[2] === "aborted") {
  const controller = new AbortController();
  const call = globalThis.session.get("/slow", { signal: controller.signal, timeout: 500 });
  controller.abort(new Error("enough"));
  await call.catch((error) => console.log(error.message));
}
if (process.argv[2] === "pending") globalThis.session.token().then((token) => console.log(`generation ${token.generation}`));
if (process.argv[2] === "exit") {
  globalThis.session.token();
  globalThis.session.get("/slow");
  setImmediate(() => process.exit(0));
}
