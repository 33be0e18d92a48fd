// The declarations: right uses compile, wrong ones do not.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { at } from "./support.mjs";

test("types/api.ts compiles, with every expected error", () => {
  const compiler = fileURLToPath(at("node_modules/typescript/bin/tsc"));
  const project = fileURLToPath(at("tests/node/types"));
  const { status, stdout, stderr } = spawnSync(process.execPath, [compiler, "--noEmit", "--project", project], { encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
});
