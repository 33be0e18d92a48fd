// A session of a worker thread: says its generation, or waits for a call until it is terminated.
import { parentPort, workerData } from "node:worker_threads";
import { Session, samco } from "preopen";

const { baseUrl, apiKey, apiSecret, pending } = workerData;
const session = new Session(samco({ apiKey, apiSecret }), { baseUrl });
if (pending) {
  session.get("/slow", { timeout: 500 });
  parentPort.postMessage("waiting");
} else {
  parentPort.postMessage((await session.token()).generation);
}
