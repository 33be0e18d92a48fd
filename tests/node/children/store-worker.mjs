// A session of a worker thread with a store of its own.
import { parentPort, workerData } from "node:worker_threads";

import { Session, samco } from "preopen";

import { MemoryStore } from "../stores.mjs";

const { mode, key, baseUrl, apiKey, apiSecret } = workerData;
const store = new MemoryStore();
if (mode === "hangs") {
  store.read = () => {
    parentPort.postMessage("asked");
    return new Promise((resolve) => setTimeout(resolve, 60_000));
  };
}
const session = new Session(samco({ apiKey, apiSecret }), { baseUrl, store, storeKey: key });
await session.token();
parentPort.postMessage("token");
