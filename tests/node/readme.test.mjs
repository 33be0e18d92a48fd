// The examples of the README and of docs/testing-your-strategy.md, run as they stand, each in a process of its own.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

test("the README example runs", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const blocks = [...readme.matchAll(/<!-- tests\/node\/readme.test.mjs[^\n]*-->\n```js\n([\s\S]*?)```/g)];
  assert.equal(blocks.length, 1);
  const done = spawnSync(process.execPath, ["--input-type=module", "--eval", blocks[0][1]], {
    cwd: new URL(".", import.meta.url),
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.equal(done.status, 0, done.stderr);
  assert.match(done.stdout, /^\S+ 1\n$/);
});

test("the blocks for node:test run", () => {
  const page = readFileSync(new URL("../../docs/testing-your-strategy.md", import.meta.url), "utf8");
  const blocks = [...page.matchAll(/<!-- tests\/node\/readme.test.mjs[^\n]*-->\n```js\n([\s\S]*?)```/g)];
  assert.equal(blocks.length, 1);
  // Nothing of the runner that runs this one.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("NODE_")));
  const done = spawnSync(process.execPath, ["--input-type=module", "--test-reporter=tap", "--eval", blocks[0][1]], {
    cwd: new URL(".", import.meta.url),
    encoding: "utf8",
    env,
    timeout: 60_000,
  });
  assert.equal(done.status, 0, done.stdout + done.stderr);
  assert.match(done.stdout, /# pass 2\n# fail 0/);
});
