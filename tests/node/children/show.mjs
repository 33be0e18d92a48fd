// A program that holds canaries as secrets, given on standard input, and shows itself in the way that its mode names.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import { Worker } from "node:worker_threads";

import { Session, samco } from "preopen";

const given = JSON.parse(readFileSync(0, "utf8"));
const { PREOPEN_TEST_URL: baseUrl } = process.env;
const [mode] = process.argv.slice(2);

const credentials = samco({ apiKey: given.KEY, apiSecret: () => given.SECRET });
const session = new Session(credentials, { baseUrl });
const events = session.events();
const token = await session.token();
const { value: event } = await events.next();
const error = await session.get("/quote/getQuote").catch((error) => error);
if (error.code !== "broker_rejected") throw new TypeError(`not refused: ${error}`);
const all = { credentials, session, token, event, events, error };

const MODES = {
  unhandled: () => void session.get("/quote/getQuote"),
  uncaught: () => {
    setImmediate(() => {
      throw error;
    });
  },
  printed: () => {
    console.log(all);
    console.dir(all, { depth: null, showHidden: true });
    console.error(error);
    console.trace(token);
    process.emitWarning(error);
  },
  environment: () => {
    const { stdout } = spawnSync(process.execPath, ["--print", "JSON.stringify([process.env, process.argv, process.execArgv])"], { encoding: "utf8" });
    console.log(stdout, process.title, process.argv);
  },
  report: () => {
    // Rust's memory is not in it; JavaScript's heap is not either.
    console.log(JSON.stringify(process.report.getReport(error)));
  },
  posted: async () => {
    const worker = new Worker(`require("node:worker_threads").parentPort.once("message", (all) => console.dir(all, { depth: null, showHidden: true }))`, { eval: true });
    const { token, event, error } = all;
    worker.postMessage({ token, event, error });
    await once(worker, "exit");
    for (const value of [credentials, session, events]) {
      try {
        console.dir(structuredClone(value), { depth: null, showHidden: true });
      } catch (refused) {
        console.log(refused);
      }
    }
  },
};

await MODES[mode]();
