// The declarations: right uses compile, wrong ones do not, under every setting and from the oldest TypeScript on.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { at } from "./support.mjs";

const NEWEST = "node_modules/typescript";
/** What the compiler says does not depend on the Node under it: the floor, which is slow, is tried on one of them. */
const FLOOR = Number(process.versions.node.split(".")[0]) >= 24 ? { floor: ["tests/node/types/node_modules/typescript", "tsconfig.floor.json"] } : {};

const SETTINGS = {
  nodenext: [NEWEST, "tsconfig.json"],
  node16: [NEWEST, "tsconfig.node16.json"],
  bundler: [NEWEST, "tsconfig.bundler.json"],
  ...FLOOR,
};

for (const [name, [compiler, project]] of Object.entries(SETTINGS)) {
  test(`uses compile, with every expected error: ${name}`, async () => {
    const program = fileURLToPath(at(`${compiler}/bin/tsc`));
    const child = spawn(process.execPath, [program, "--noEmit", "--project", fileURLToPath(at(`tests/node/types/${project}`))]);
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
    assert.deepEqual(await once(child, "close"), [0, null], said);
  });
}
