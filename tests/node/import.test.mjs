// Importing the package and making sessions does nothing that can be seen from outside (X6): no network, no thread, no
// timer, no file but those of the package.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { at } from "./support.mjs";

const script = fileURLToPath(at("tests/node/children/import.mjs"));
const folder = realpathSync(fileURLToPath(at("node")));

function child(program, args, options = {}) {
  const result = spawnSync(program, args, { encoding: "utf8", timeout: 60_000, ...options });
  assert.equal(result.status, 0, `${program}: ${result.error ?? ""}${result.stderr}`);
  return result;
}

test("import and construction start no thread and open no handle", () => {
  const { stdout } = child(process.execPath, [script]);
  const { before, after } = JSON.parse(stdout);
  assert.deepEqual(after, before);
});

const OLD = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.20.2" } });`;
for (const name of ["preopen", "preopen/sandbox"]) {
  test(`${name} on a Node that is too old fails with one clear error`, () => {
    for (const load of [`await import("${name}")`, `(await import("node:module")).createRequire(process.cwd() + "/")("${name}")`]) {
      const source = `${OLD} try { ${load}; } catch (error) { console.log(error.message); }`;
      const { stdout } = child(process.execPath, ["--input-type=module", "--eval", source], { cwd: fileURLToPath(at("tests/node")) });
      assert.equal(stdout, "preopen needs Node >= 22.12: this is Node 20.20.2\n");
    }
  });
}

test("import and construction read nothing outside the package and may write, connect and spawn nothing", () => {
  const allowed = [folder, fileURLToPath(at("node_modules/preopen")), script, fileURLToPath(at("package.json"))];
  child(process.execPath, ["--permission", "--allow-addons", ...allowed.map((path) => `--allow-fs-read=${path}`), script]);
});

// The addon itself is not under Node's permissions; its system calls are looked at where that is possible.
test("the addon makes no system call for network, files or threads", () => {
  const traced = spawnSync("strace", ["-V"]).status === 0;
  if (!traced) return;
  // A file of its own: what the program itself prints may stand in the middle of a line.
  const file = join(mkdtempSync(join(tmpdir(), "preopen-")), "trace");
  child("strace", ["-f", "-qq", "-o", file, "-e", "trace=socket,connect,openat,clone,clone3", process.execPath, script, "--marked"]);
  const lines = readFileSync(file, "utf8").split("\n");
  rmSync(dirname(file), { recursive: true });
  const from = lines.findIndex((line) => line.includes("preopen-mark-begin"));
  const to = lines.findIndex((line) => line.includes("preopen-mark-end"));
  assert.ok(from >= 0 && to > from, `the marks are in the trace:\n${lines.slice(-20).join("\n")}`);
  // Node loads modules and the dynamic loader looks for what the addon is linked to.
  const usual = [folder, "/node_modules/preopen", "/etc/ld.so", "/lib/", "/lib64/", "/usr/lib", "/proc/self/", "/sys/devices/system/cpu", "package.json"];
  const odd = lines.slice(from + 1, to).filter((line) => /\b(socket|connect|openat|clone3?)\(/.test(line) && !usual.some((path) => line.includes(path)));
  assert.deepEqual(odd, []);
});
