// A program in the state that its first argument names. Nothing here calls process.exit() but where the second one says so:
// the process must end by itself.
import { subscribe } from "node:diagnostics_channel";

import { Session, logs, samco } from "preopen";

const { PREOPEN_TEST_URL: baseUrl, PREOPEN_TEST_KEY: apiKey, PREOPEN_TEST_SECRET: apiSecret, PREOPEN_TEST_STORE: store } = process.env;
const make = (options) => new Session(samco({ apiKey, apiSecret }), { baseUrl, ...options });
const [state, then] = process.argv.slice(2);
const kept = (globalThis.kept = []);

const STATES = {
  /** Everything that may go on in the background, on a session that is idle. */
  async everything() {
    const session = make({ keepWarm: true, store });
    kept.push(session);
    subscribe("preopen:log", () => undefined);
    logs.enable({ level: "trace" });
    const events = session.events();
    const [first] = await Promise.all([events.next(), session.token(), session.get("/limit/getLimits")]);
    console.log(first.value.name);
    kept.push(events, events.next(), session.get("/limit/getLimits").then(({ httpStatus }) => console.log(httpStatus)));
  },
  /** A call is under way when the program has nothing else to do. */
  async flight() {
    kept.push(make().token().then(({ generation }) => console.log("generation", generation)));
  },
  /** Its callers have given up, the login goes on. */
  async abandoned() {
    const session = make({ keepWarm: true });
    kept.push(session);
    const controller = new AbortController();
    const asked = session.token({ signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 100);
    await asked.catch(({ message }) => console.log(message));
  },
  /** Blocked, failing, closed, never used. */
  async dead() {
    const wrong = new Session(samco({ apiKey, apiSecret: "wrong" }), { baseUrl, keepWarm: true });
    await wrong.token().catch(({ code }) => console.log(code));
    const unreachable = make({ baseUrl: "http://127.0.0.1:9", keepWarm: true });
    await unreachable.token().catch(({ code }) => console.log(code));
    const closed = make();
    await closed.token();
    closed.close();
    kept.push(wrong, unreachable, closed, make({ keepWarm: true, store }));
  },
  /** A login at the broker's page was given up: its port is free and nothing listens. */
  async page() {
    const { samcoOAuth } = await import("preopen");
    const session = new Session(samcoOAuth({ apiKey, redirectUrl: "http://127.0.0.1:8765/callback" }), { baseUrl });
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    await session.login({ openBrowser: false, signal: controller.signal }).catch(({ message }) => console.log(message));
    kept.push(session);
  },
  /** What nobody caught tells where it was asked for. */
  async uncaught() {
    async function myStrategy() {
      await make().get("no slash");
    }
    await myStrategy();
  },
  async unhandled() {
    kept.push(make().get("/quote/getQuote"));
  },
};

await STATES[state]();
if (then === "exit") setTimeout(() => process.exit(0), 30);
