// Reads log records in the main thread and in a worker that ends by itself, and closes neither.
import { createRequire } from "node:module";
import { Worker, isMainThread, parentPort } from "node:worker_threads";

import { Session, samco } from "preopen";

const native = createRequire(import.meta.url)("../../../node/native/preopen.node");
const { PREOPEN_TEST_URL: baseUrl, PREOPEN_TEST_KEY: apiKey, PREOPEN_TEST_SECRET: apiSecret } = process.env;

const targets = [];
const { promise: two, resolve } = Promise.withResolvers();
// Kept for the length of the program: nothing closes it.
globalThis.logs = native.logs("info", (json) => {
  if (targets.push(JSON.parse(json).target) === 2) resolve();
});
await new Session(samco({ apiKey, apiSecret }), { baseUrl }).token();
// A wait on records alone would not keep the process alive.
const awake = setInterval(() => undefined, 1000);
await two;
clearInterval(awake);
if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  const main = targets.slice(0, 2).sort((one, other) => other.localeCompare(one));
  worker.on("message", (told) => console.log(JSON.stringify({ main, worker: told })));
  worker.on("exit", async () => {
    // Whoever has gone is told nothing, and nothing breaks.
    await new Session(samco({ apiKey, apiSecret }), { baseUrl }).token();
  });
} else {
  parentPort.postMessage(targets.slice(0, 2).sort((one, other) => other.localeCompare(one)));
}
