// Listens to a session's events; what happens then is the mode's.
import { setTimeout as sleep } from "node:timers/promises";

import { Session, samco } from "preopen";

const { PREOPEN_TEST_URL: baseUrl, PREOPEN_TEST_KEY: apiKey, PREOPEN_TEST_SECRET: apiSecret } = process.env;
const make = () => new Session(samco({ apiKey, apiSecret }), { baseUrl });
const [mode] = process.argv.slice(2);

async function listen(events, said) {
  const names = [];
  try {
    for await (const { name } of events) names.push(name);
    console.log(said, names.join(), "ended");
  } catch (error) {
    console.log(said, names.join(), error.message);
  }
}

const MODES = {
  /** Nothing else keeps the process alive. */
  async idle() {
    const session = make();
    globalThis.session = session;
    await session.token();
    listen(session.events(), "idle");
    console.log("waiting");
  },
  /** Closing is the last that the program does. */
  async close() {
    const session = make();
    await session.token();
    listen(session.events(), "close");
    session.close();
  },
  /** So is aborting. */
  async abort() {
    const controller = new AbortController();
    globalThis.session = make();
    listen(globalThis.session.events({ signal: controller.signal }), "abort");
    setTimeout(() => controller.abort(new Error("enough")), 50);
  },
  /** Only the listeners are left of a session. */
  async collected() {
    let session = make();
    const ended = [listen(session.events(), "first"), listen(session.events(), "second")];
    const unread = session.events();
    await session.token();
    session = undefined;
    const over = Promise.all(ended).then(() => true);
    for (let n = 0; n < 500 && !(await Promise.race([over, sleep(10)])); n += 1) globalThis.gc();
    console.log("unread", (await unread.next()).value?.name, (await unread.next()).done);
  },
  /** Forgotten listeners are collected, though a signal and a session live on. */
  async forgotten() {
    const { signal } = new AbortController();
    globalThis.session = make();
    const forgotten = new Set();
    const registry = new FinalizationRegistry((n) => forgotten.delete(n));
    for (let n = 0; n < 1000; n += 1) {
      forgotten.add(n);
      registry.register(globalThis.session.events({ signal }), n);
    }
    for (let n = 0; n < 500 && forgotten.size > 10; n += 1) {
      globalThis.gc();
      await sleep(5);
    }
    console.log(forgotten.size <= 10);
  },
  async exit() {
    const session = make();
    listen(session.events(), "exit");
    session.token();
    setTimeout(() => process.exit(0), 20);
  },
};

await MODES[mode]();
