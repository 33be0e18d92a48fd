// A session of a worker thread: says its generation, or does what its mode is until it is terminated.
import { parentPort, workerData } from "node:worker_threads";
import { Session, samco } from "preopen";

const { baseUrl, apiKey, apiSecret, pending, events, callback, store } = workerData;

/** What a callback of this thread does. */
const CALLBACKS = {
  answers: async () => apiSecret,
  hangs: () => {
    parentPort.postMessage("asked");
    return new Promise((resolve) => setTimeout(resolve, 60_000, apiSecret));
  },
  exits: () => {
    parentPort.postMessage("asked");
    process.exit(0);
  },
};

const session = new Session(samco({ apiKey, apiSecret: callback === undefined ? apiSecret : CALLBACKS[callback] }), { baseUrl, store });
if (pending) {
  session.get("/slow", { timeout: 500 });
  parentPort.postMessage("waiting");
} else if (events) {
  const stream = session.events();
  await session.token();
  parentPort.postMessage((await stream.next()).value.name);
  stream.next();
  if (events === "terminated") setInterval(() => undefined, 1000);
} else {
  parentPort.postMessage((await session.token()).generation);
}
