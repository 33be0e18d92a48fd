// Sessions of one account on one file store, in a cluster (`cluster`) or in worker threads (`threads`): each worker says
// its token, and is killed after that when the second argument says `killed`.
import cluster from "node:cluster";
import { Worker, isMainThread, parentPort } from "node:worker_threads";

import { Session, samco } from "preopen";

const MANY = 6;
const { PREOPEN_TEST_URL: baseUrl, PREOPEN_TEST_KEY: apiKey, PREOPEN_TEST_SECRET: apiSecret, PREOPEN_TEST_STORE: store } = process.env;
const session = new Session(samco({ apiKey, apiSecret }), { baseUrl, store });

async function told() {
  const token = await session.token();
  await session.get("/limit/getLimits");
  return { token: token.expose(), generation: token.generation };
}

/** What every worker says, once all of them have. */
function gathered(workers) {
  return Promise.all(
    workers.map(
      (worker) =>
        new Promise((resolve, reject) => {
          worker.once("message", resolve);
          worker.once("error", reject);
          worker.once("exit", (code) => reject(new Error(`a worker ended with ${code}`)));
        }),
    ),
  );
}

if (cluster.isWorker) {
  process.send(await told());
} else if (!isMainThread) {
  parentPort.postMessage(await told());
} else {
  const [, , how, then] = process.argv;
  const start = how === "cluster" ? () => cluster.fork() : () => new Worker(new URL(import.meta.url));
  const workers = Array.from({ length: MANY }, start);
  const answers = await gathered(workers);
  if (then === "killed") for (const worker of workers) worker.process.kill("SIGKILL");
  // Its own session is as good as theirs.
  answers.push(await told());
  process.stdout.write(JSON.stringify(answers));
  process.exit(0);
}
