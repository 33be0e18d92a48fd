// The hand-written types of the addon name exactly what the addon has.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test from "node:test";

import { at } from "./support.mjs";

const native = createRequire(import.meta.url)(at("node/native/preopen.node").pathname);
const source = readFileSync(at("node/src/native.ts"), "utf8");

/** The members of an interface of native.ts. */
function members(name) {
  const body = source.match(new RegExp(`export interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`))?.[1];
  assert.ok(body, `native.ts has no interface ${name}`);
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)[(:?]/gm)].map(([, member]) => member).sort();
}

test("the addon exports what native.ts declares", () => {
  assert.deepEqual(Object.keys(native).sort(), members("Native"));
});

for (const name of ["NativeSession", "NativeClock", "NativeCancel", "NativeEvents", "NativeForeignCall", "NativeQuestion", "NativeSignedCall", "NativeStoreCall"]) {
  test(`${name} has the members that native.ts declares`, () => {
    const own = Object.getOwnPropertyNames(native[name].prototype).filter((member) => member !== "constructor");
    assert.deepEqual(own.sort(), members(name));
  });
}

test("addon and package have the same version", () => {
  const { version } = JSON.parse(readFileSync(at("node/package.json"), "utf8"));
  assert.equal(native.version(), version);
});
