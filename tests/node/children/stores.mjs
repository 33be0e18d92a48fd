// Sessions with a store, in a process that has little else to do; without a mode the store is that of the parent.
import { setTimeout as sleep } from "node:timers/promises";

import { Session, samco } from "preopen";

const { PREOPEN_TEST_URL: baseUrl, PREOPEN_TEST_KEY: apiKey, PREOPEN_TEST_SECRET: apiSecret } = process.env;
const make = (store) => new Session(samco({ apiKey, apiSecret }), { baseUrl, store });
const [mode = "parent"] = process.argv.slice(2);

class Store {
  kept = new Map();

  read(account) {
    return this.kept.get(account);
  }

  claim(account) {
    return { value: this.kept.get(account), write: (value) => Boolean(this.kept.set(account, value)), release: () => undefined };
  }
}

const MODES = {
  async parent() {
    const waiting = new Map();
    let last = 0;
    const ask = (question) =>
      new Promise((resolve) => {
        last += 1;
        waiting.set(last, resolve);
        process.send({ ask: last, ...question });
      });
    process.on("message", ({ ask: number, gave }) => waiting.get(number)(gave));
    const store = {
      read: (account) => ask({ method: "read", argument: account }),
      async claim(account) {
        const gave = await ask({ method: "claim", argument: account });
        if (gave === null) return null;
        const { claim, value } = gave;
        return {
          value,
          write: (argument) => ask({ method: "write", argument, claim }),
          release: () => ask({ method: "release", claim }),
        };
      },
    };
    process.send({ token: (await make(store).token()).expose() }, () => process.disconnect());
  },
  async hangs() {
    make({ read: () => new Promise(() => undefined), claim: () => null }).token();
    await sleep(200);
    console.log("end");
    process.exit(0);
  },
  async unused() {
    globalThis.session = make(new Store());
    await globalThis.session.token();
    console.log("end");
  },
  async collected() {
    const live = new Set();
    const registry = new FinalizationRegistry((n) => live.delete(n));
    for (let n = 0; n < 30; n += 1) {
      const store = new Store();
      store.session = make(store);
      if (n < 10) await store.session.token();
      live.add(n);
      registry.register(store, n);
    }
    for (let n = 0; n < 500 && live.size > 5; n += 1) {
      globalThis.gc();
      await sleep(5);
    }
    console.log(live.size <= 5);
  },
  async dropped() {
    class Slow extends Store {
      async read(account) {
        for (let n = 0; n < 20; n += 1) {
          globalThis.gc();
          await sleep(5);
        }
        return super.read(account);
      }
    }
    console.log((await make(new Slow()).token()).generation);
  },
};

await MODES[mode]();
