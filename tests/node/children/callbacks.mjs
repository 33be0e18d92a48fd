// Credentials with a callback, in a process that has little else to do.
import { setTimeout as sleep } from "node:timers/promises";

import { Session, samco } from "preopen";

const { PREOPEN_TEST_URL: baseUrl, PREOPEN_TEST_KEY: apiKey, PREOPEN_TEST_SECRET: secret } = process.env;
const make = (apiSecret, options) => new Session(samco({ apiKey, apiSecret }), { baseUrl, ...options });
const [mode] = process.argv.slice(2);

const MODES = {
  async unused() {
    globalThis.session = make(() => secret, { keepWarm: true });
  },
  async used() {
    globalThis.session = make(() => secret, { keepWarm: true });
    console.log((await globalThis.session.token()).generation);
  },
  async slow() {
    const session = make(async () => {
      await sleep(300);
      process.stdout.write("asked, ");
      return secret;
    });
    session.token().then((token) => console.log(token.generation));
  },
  async exit() {
    make(() => {
      console.log("asked");
      setImmediate(() => process.exit(0));
      return sleep(60_000, secret);
    }).token();
  },
  async unhandled() {
    make(() => {
      throw new Error(`CANARY ${secret}`);
    }).token();
  },
  async forgotten() {
    let asked = false;
    const session = make(() => {
      asked = true;
      return new Promise(() => undefined);
    });
    const failed = session.token().catch((error) => error.message);
    for (let n = 0; n < 1000; n += 1) {
      const told = await Promise.race([failed, sleep(5)]);
      if (told !== undefined) return console.log(told);
      if (asked) globalThis.gc();
    }
  },
  async collected() {
    const live = new Set();
    const registry = new FinalizationRegistry((n) => live.delete(n));
    for (let n = 0; n < 100; n += 1) {
      const callback = () => secret;
      live.add(n);
      registry.register(callback, n);
      const session = make(callback);
      if (n < 10) await session.token();
    }
    for (let n = 0; n < 500 && live.size > 5; n += 1) {
      globalThis.gc();
      await sleep(5);
    }
    console.log(live.size <= 5);
  },
};

await MODES[mode]();
