// Many processes and threads of Node on one file store (P1, P8).

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, afterEach, before, beforeEach } from "node:test";

import { LOGIN, childEnvironment, count, runChild, startBroker } from "./support.mjs";

let broker;
let folder;
before(async () => {
  broker = await startBroker();
  await broker.clock.setRate(1);
});
after(() => broker.stop());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "preopen-"));
  await broker.clearRequests();
});
afterEach(() => rm(folder, { recursive: true }));

const logins = () => count(broker, "samco", LOGIN.samco);

/** What all workers and their parent said. */
async function shared(...how) {
  const env = { ...childEnvironment(broker), PREOPEN_TEST_STORE: `file:${folder}/store`, PREOPEN_KEY: "" };
  const { code, out, err } = await runChild("shared.mjs", how, { env });
  assert.deepEqual([code, err], [0, ""], out);
  const answers = JSON.parse(out);
  assert.equal(answers.length, 7);
  assert.equal(new Set(answers.map(({ token }) => token)).size, 1);
  return answers;
}

for (const how of ["cluster", "threads"]) {
  test(`P1: a cold ${how} logs in once, and the next one not at all`, async () => {
    const first = await shared(how);
    assert.equal(first[0].generation, 1);
    assert.equal(await logins(), 1);
    assert.deepEqual(await shared(how), first);
    assert.equal(await logins(), 1);
  });
}

test("P8: a cluster whose workers are killed goes on", async () => {
  await shared("cluster", "killed");
  assert.equal(await logins(), 1);
});
