// The published package: its tarball, installed into an empty folder, works from ESM and CommonJS.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";

import { at } from "./support.mjs";

let folder;
let files;

function run(program, args, cwd) {
  const shell = process.platform === "win32" && program === "npm";
  const result = spawnSync(program, args, { cwd, encoding: "utf8", shell, timeout: 120_000 });
  assert.equal(result.status, 0, `${program} ${args.join(" ")}: ${result.error ?? ""}${result.stderr}${result.stdout}`);
  return result.stdout;
}

before(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "preopen-pack-")));
  // Without scripts: the build is there, and other tests use it meanwhile.
  const packed = run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], fileURLToPath(at("node")));
  const [facts] = Object.values(JSON.parse(packed));
  files = facts.files.map(({ path }) => path);
  writeFileSync(join(folder, "package.json"), '{ "private": true }');
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", join(folder, facts.filename)], folder);
});
after(() => rmSync(folder, { recursive: true }));

test("it holds the build and the addon, and nothing else", () => {
  const expected = /^(dist\/.*\.(js|d\.ts)|native\/preopen\.node|package\.json|README\.md|LICENSE-\w+)$/;
  assert.deepEqual(files.filter((path) => !expected.test(path)), []);
  for (const path of ["dist/index.js", "dist/index.d.ts", "dist/sandbox.js", "dist/sandbox.d.ts", "dist/sandbox/test.js", "dist/sandbox/test.d.ts", "dist/testing.js", "dist/testing.d.ts", "native/preopen.node"]) {
    assert.ok(files.includes(path), path);
  }
});

const USE = `
  const session = new preopen.Session(preopen.samco({ apiKey: "key", apiSecret: "secret" }), { baseUrl: "http://127.0.0.1:9" });
  session.token().catch((error) => console.log(error instanceof preopen.NetworkError, error.code, typeof sandbox.Sandbox.start));
`;

test("it works when it is imported", () => {
  writeFileSync(join(folder, "use.mjs"), `import * as preopen from "preopen"; import * as sandbox from "preopen/sandbox"; import "preopen/testing"; import "preopen/sandbox/test"; ${USE}`);
  assert.equal(run(process.execPath, ["use.mjs"], folder).trim(), "true network function");
});

test("it works when it is required", () => {
  writeFileSync(join(folder, "use.cjs"), `const preopen = require("preopen"); const sandbox = require("preopen/sandbox"); require("preopen/testing"); ${USE}`);
  assert.equal(run(process.execPath, ["use.cjs"], folder).trim(), "true network function");
});

test("without its addon it says which platform it wants one for", () => {
  rmSync(join(folder, "node_modules/preopen/native/preopen.node"));
  writeFileSync(join(folder, "missing.mjs"), 'import { samco } from "preopen"; try { samco({ apiKey: "a", apiSecret: "b" }); } catch (error) { console.log(error.message); }');
  const said = run(process.execPath, ["missing.mjs"], folder);
  assert.ok(said.includes(`${process.platform}-${process.arch}`), said);
});
