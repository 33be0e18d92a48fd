// Processes and threads end: by themselves in every state, at once when they are told to, and with an error that says where.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

import { transform } from "esbuild";

import { Sandbox } from "preopen/sandbox";

import { LOGIN, TEN_O_CLOCK, at, childEnvironment, count, runChild } from "./support.mjs";

let broker;
let folder;
before(async () => {
  broker = await Sandbox.start({ startAt: TEN_O_CLOCK });
  folder = mkdtempSync(join(tmpdir(), "preopen-exits-"));
});
after(async () => {
  await broker.stop();
  rmSync(folder, { recursive: true });
});

/** Seconds that a child may take: it waits for nothing that takes longer than a second, on a machine that may be busy. */
const BOUND = 20;

async function child(state, then = "") {
  const began = performance.now();
  const env = { ...childEnvironment(broker), PREOPEN_TEST_STORE: `file:${folder}/${state}${then}` };
  const ended = await runChild("exits.mjs", [state, then], { env });
  assert.ok((performance.now() - began) / 1000 < BOUND, `${state} took too long`);
  return ended;
}

/** What the program prints in each state, and after which of them a login is held up. */
const STATES = {
  everything: "renewed\n200\n",
  flight: "generation 1\n",
  abandoned: "enough\n",
  dead: "credentials_rejected\nnetwork\n",
  page: "enough\n",
};

for (const [state, said] of Object.entries(STATES)) {
  test(`a process ends by itself: ${state}`, async () => {
    if (state === "flight" || state === "abandoned") await broker.fault("samco", LOGIN.samco, { delayMs: 500 });
    const { code, signal, out, err } = await child(state);
    assert.deepEqual([code, signal, out, err], [0, null, said, ""]);
  });
}

test("process.exit() is clean in the middle of everything", async () => {
  await broker.fault("samco", LOGIN.samco, { delayMs: 300, times: 2 });
  for (const state of ["everything", "flight", "abandoned"]) {
    const { code, signal, err } = await child(state, "exit");
    assert.deepEqual([code, signal, err], [0, null, ""], state);
  }
  await broker.clearFaults();
});

test("an error that nobody caught says what, and where it was asked for", async () => {
  const { code, err } = await child("uncaught");
  assert.equal(code, 1);
  assert.match(err, /InvalidInputError: .*path/);
  assert.match(err, /at (async )?myStrategy .*exits\.mjs/);
  const rejected = await child("unhandled");
  assert.equal(rejected.code, 1);
  assert.match(rejected.err, /BrokerRejectedError/);
  assert.match(rejected.err, /code: 'broker_rejected'/);
});

test("twenty worker threads share a store: one login, and all of them end", async () => {
  const before = await count(broker, "samco", LOGIN.samco);
  const { apiKey, apiSecret } = broker.accounts[0];
  const workerData = { baseUrl: broker.samcoUrl, apiKey, apiSecret, store: `file:${folder}/workers` };
  const threads = Array.from({ length: 20 }, () => new Worker(at("tests/node/children/worker.mjs"), { workerData }));
  const generations = await Promise.all(
    threads.map(async (thread) => {
      const ended = once(thread, "exit");
      const [generation] = await once(thread, "message");
      assert.deepEqual(await ended, [0]);
      return generation;
    }),
  );
  assert.deepEqual(new Set(generations), new Set([1]));
  assert.equal((await count(broker, "samco", LOGIN.samco)) - before, 1);
});

test("a worker thread is terminated in the middle of a login, and the others go on", async () => {
  await broker.fault("samco", LOGIN.samco, { delayMs: 500 });
  const { apiKey, apiSecret } = broker.accounts[0];
  const workerData = { baseUrl: broker.samcoUrl, apiKey, apiSecret, store: `file:${folder}/terminated` };
  const seen = await count(broker, "samco", LOGIN.samco);
  const [first, second] = [0, 1].map(() => new Worker(at("tests/node/children/worker.mjs"), { workerData }));
  // Asked for now: while the first one is terminated, the second may be done.
  const [answer, ended] = ["message", "exit"].map((event) => once(second, event));
  while ((await count(broker, "samco", LOGIN.samco)) === seen) await new Promise((resolve) => setTimeout(resolve, 5));
  await first.terminate();
  assert.deepEqual(await answer, [1]);
  await ended;
});

test("the main job, which other runtimes are tried with by hand, runs to its end", async () => {
  const { code, out, err } = await runChild("smoke.mjs");
  const refused = "CredentialsRejectedError credentials_rejected api_secret";
  const said = ["token true 1", "whoami match", "get 200", "event expired", "again 2", "aborted enough", "fetch 200", "renewed 200 3", "asked 1", `refused ${refused}`, "metrics true", "closed closed"];
  assert.deepEqual([code, err, out.trimEnd().split("\n")], [0, "", said]);
});

/** What `using` and `await using` end. Node 22 has neither in its syntax: they are compiled for it. */
const USING = `
  import { Sandbox } from "preopen/sandbox";
  let ended;
  {
    await using broker = await Sandbox.start();
    let session;
    {
      await using inner = broker.session("samco");
      session = inner;
      await using events = inner.events();
      using more = inner.events();
      await inner.token();
      console.log((await events.next()).value.name, (await more.next()).value.name);
      ended = [events, more];
    }
    console.log(session.state().name, await Promise.all(ended.map(async (one) => (await one.next()).done)));
    await session.token().catch((error) => console.log(error.code, error.field));
    console.log((await broker.requests({ path: "/logout" })).count);
    globalThis.broker = broker;
  }
  await globalThis.broker.requests().catch((error) => console.log(error.name));
  { using broker = await Sandbox.start(); }
`;

test("using and await using end sessions, events and sandboxes, and log nobody out", async () => {
  const target = Number(process.versions.node.split(".")[0]) >= 24 ? "esnext" : "node22";
  const { code: source } = await transform(USING, { target, format: "esm" });
  const path = fileURLToPath(at(`tests/node/children/using-${process.pid}.mjs`));
  try {
    writeFileSync(path, source);
    const { code, out, err } = await runChild(`using-${process.pid}.mjs`);
    assert.deepEqual([code, err, out], [0, "", "renewed renewed\nclosed [ true, true ]\ninvalid_input session\n0\nSandboxError\n"]);
  } finally {
    rmSync(path);
  }
});
