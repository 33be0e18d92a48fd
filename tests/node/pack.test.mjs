// The published package: its tarball, installed into an empty folder, works from ESM and CommonJS, finds its addon, and says
// what is wrong when it does not.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, linkSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

import { at } from "./support.mjs";

const ENTRIES = Object.keys(JSON.parse(readFileSync(at("node/package.json"), "utf8")).exports)
  .filter((name) => name !== "./package.json")
  .map((name) => name.replace(/^\./, "preopen"));
/** What the tools say does not depend on the Node under them. */
const ONCE = Number(process.versions.node.split(".")[0]) >= 24;

let folder;
let tarball;
let files;

function run(program, args, cwd = folder, env = process.env) {
  const shell = process.platform === "win32" && program === "npm";
  const result = spawnSync(program, args, { cwd, encoding: "utf8", shell, timeout: 300_000, env });
  assert.equal(result.status, 0, `${program} ${args.join(" ")}: ${result.error ?? ""}${result.stderr}${result.stdout}`);
  return result.stdout;
}

/** Runs a script in a folder; what it prints. */
function script(source, name = "use.mjs", cwd = folder) {
  writeFileSync(join(cwd, name), source);
  return run(process.execPath, [name], cwd).trim();
}

before(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "preopen-pack-")));
  // Without scripts: the build is there, and other tests use it meanwhile.
  const packed = run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], fileURLToPath(at("node")));
  const [facts] = Object.values(JSON.parse(packed));
  files = facts.files.map(({ path }) => path);
  tarball = join(folder, facts.filename);
  writeFileSync(join(folder, "package.json"), '{ "private": true }');
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball]);
});
after(() => rmSync(folder, { recursive: true }));

test("it holds the build and the addon, and nothing else", () => {
  const expected = /^(dist\/.*\.(m?js|d\.m?ts)|native\/preopen\.node|package\.json|README\.md|LICENSE-\w+)$/;
  assert.deepEqual(files.filter((path) => !expected.test(path)), []);
  const { exports } = JSON.parse(readFileSync(at("node/package.json"), "utf8"));
  const paths = (entry) => (typeof entry === "string" ? [entry] : Object.values(entry).flatMap(paths));
  const named = paths(exports);
  for (const path of [...named.map((path) => path.slice(2)), "native/preopen.node"]) assert.ok(files.includes(path), path);
});

test("it needs no other package", () => {
  assert.deepEqual(readdirSync(join(folder, "node_modules")).filter((name) => !name.startsWith(".")), ["preopen"]);
});

const USE = `
  const session = new preopen.Session(preopen.samco({ apiKey: "key", apiSecret: "secret" }), { baseUrl: "http://127.0.0.1:9" });
  session.token().catch((error) => console.log(error instanceof preopen.NetworkError, error.code, typeof sandbox.Sandbox.start));
`;

test("it works when it is imported", () => {
  assert.equal(script(`import * as preopen from "preopen"; import * as sandbox from "preopen/sandbox"; ${USE}`), "true network function");
});

test("it works when it is required", () => {
  assert.equal(script(`const preopen = require("preopen"); const sandbox = require("preopen/sandbox"); ${USE}`, "use.cjs"), "true network function");
});

test("every entry is the same module for import and require, with the same names", () => {
  const source = `
    import { createRequire } from "node:module";
    const require = createRequire(import.meta.url);
    for (const name of ${JSON.stringify(ENTRIES)}) {
      const [imported, required] = [await import(name), require(name)];
      const names = Object.keys(imported);
      if (names.length === 0 || names.includes("default")) throw new Error(name + ": " + names);
      if (names.join() !== Object.keys(required).filter((one) => one !== "__esModule").join()) throw new Error(name);
      for (const one of names) if (imported[one] !== required[one]) throw new Error(name + ": " + one);
    }
    console.log("same");`;
  assert.equal(script(source), "same");
});

test("what is required is CommonJS, which every Node and test runner can require", () => {
  writeFileSync(join(folder, "whole.cjs"), `for (const name of ${JSON.stringify(ENTRIES)}) require(name); console.log("required");`);
  assert.equal(run(process.execPath, ["--no-experimental-require-module", "whole.cjs"]).trim(), "required");
});

test("what bundlers take has the same names", async () => {
  for (const name of ENTRIES) {
    const stdin = { contents: `export * from "${name}"`, resolveDir: folder };
    const { metafile } = await build({ stdin, outfile: "bundle.mjs", bundle: true, platform: "node", format: "esm", write: false, metafile: true });
    const read = Object.keys(metafile.inputs);
    assert.ok(read.some((path) => path.endsWith(".esm.mjs")), `${name}: ${read}`);
    const [{ exports }] = Object.values(metafile.outputs);
    assert.equal(exports.toSorted().join(), script(`console.log(Object.keys(await import("${name}")).join());`));
  }
});

if (ONCE) {
  test("publint finds nothing", async () => {
    const { messages, pkg } = await publint({ pack: { tarball: readFileSync(tarball).buffer }, strict: true });
    assert.deepEqual(messages.map((message) => formatMessage(message, pkg)), []);
  });

  test("the types are those of the code in every resolution (attw)", () => {
    const rules = ["--profile", "node16"];
    const said = run(process.execPath, [fileURLToPath(at("node_modules/@arethetypeswrong/cli/dist/index.js")), tarball, "--format", "json", ...rules]);
    const { analysis } = JSON.parse(said);
    assert.deepEqual(Object.keys(analysis.entrypoints).filter((name) => name !== "./package.json").length, ENTRIES.length);
    const { problems } = analysis;
    assert.deepEqual(problems.filter(({ resolutionKind }) => resolutionKind !== "node10"), []);
  });
}

/** A copy of the installation, for what would be in the way of other tests. */
function copied(name) {
  const cwd = join(folder, name);
  mkdirSync(cwd);
  const addon = "node_modules/preopen/native/preopen.node";
  cpSync(join(folder, "node_modules"), join(cwd, "node_modules"), { recursive: true, filter: (path) => !path.endsWith(addon) });
  linkSync(join(folder, addon), join(cwd, addon));
  writeFileSync(join(cwd, "package.json"), '{ "private": true, "name": "an-app" }');
  return cwd;
}

const { platform, arch } = process;
const glibc = process.report.getReport().header.glibcVersionRuntime !== undefined;
const HERE = `${platform}-${arch}${platform === "linux" ? (glibc ? "-gnu" : "-musl") : platform === "win32" ? "-msvc" : ""}`;
const TOLD = `import { AddonError, samco } from "preopen";
  try { samco({ apiKey: "a", apiSecret: "b" }); console.log("loaded"); } catch (error) {
    console.log(JSON.stringify([error instanceof AddonError, error.name, error.code, error.platform, error.message, error.cause?.code]));
  }`;

/** Moves the addon into a package of a platform, as npm installs it. */
function published(cwd, name) {
  const place = join(cwd, "node_modules/@preopen", name);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "package.json"), JSON.stringify({ name: `@preopen/${name}`, version: "0.1.0", main: "preopen.node" }));
  renameSync(join(cwd, "node_modules/preopen/native/preopen.node"), join(place, "preopen.node"));
  return place;
}

test("the addon is found in the package of the platform", () => {
  const cwd = copied("published");
  const place = published(cwd, HERE);
  assert.equal(script(TOLD, "use.mjs", cwd), "loaded");
  rmSync(join(place, "preopen.node"));
  writeFileSync(join(place, "preopen.node"), "no addon");
  const [typed, name, code, on, message] = JSON.parse(script(TOLD, "use.mjs", cwd));
  assert.deepEqual([typed, name, code, on], [true, "AddonError", "addon_unusable", HERE]);
  assert.match(message, new RegExp(`@preopen/${HERE}.*does not load`));
});

if (platform === "linux") {
  test("a C library that is taken for another one is not in the way", () => {
    const cwd = copied("libc");
    published(cwd, `${platform}-${arch}-${glibc ? "musl" : "gnu"}`);
    assert.equal(script(TOLD, "use.mjs", cwd), "loaded");
  });
}

test("without an addon it names the platform, the package and what to do", () => {
  const cwd = copied("missing");
  rmSync(join(cwd, "node_modules/preopen/native"), { recursive: true });
  const [typed, name, code, on, message, cause] = JSON.parse(script(TOLD, "use.mjs", cwd));
  assert.deepEqual([typed, name, code, on, cause], [true, "AddonError", "addon_missing", HERE, "MODULE_NOT_FOUND"]);
  for (const part of [HERE, `@preopen/${HERE}@0.1.0`, "--omit=optional", "package-lock.json", "container"]) assert.ok(message.includes(part), `${part}: ${message}`);
  const other = script(`Object.defineProperty(process, "platform", { value: "sunos" });\nconst { samco } = await import("preopen");\ntry { samco({ apiKey: "a", apiSecret: "b" }); } catch (error) { console.log(error.message); }`, "other.mjs", cwd);
  assert.match(other, new RegExp(`for sunos-${arch}.*no package for this platform, only for .*darwin-arm64.*from source`));
});

test("an addon that is not installed with the package is not loaded", () => {
  const cwd = copied("elsewhere");
  rmSync(join(cwd, "node_modules/preopen/native"), { recursive: true });
  const home = join(cwd, "home");
  const place = join(home, ".node_modules/@preopen", HERE);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "preopen.node"), "no addon");
  writeFileSync(join(cwd, "use.mjs"), TOLD);
  for (const env of [{ HOME: home, USERPROFILE: home }, { NODE_PATH: join(home, ".node_modules") }]) {
    const [, , code, , , cause] = JSON.parse(run(process.execPath, ["use.mjs"], cwd, { ...process.env, ...env }));
    assert.deepEqual([code, cause], ["addon_missing", "MODULE_NOT_FOUND"]);
  }
});

test("an addon of another version is refused", () => {
  const cwd = copied("mismatch");
  const built = join(cwd, "node_modules/preopen/dist");
  for (const name of readdirSync(built).filter((name) => /^shared-.*\.js$/.test(name))) {
    const text = readFileSync(join(built, name), "utf8");
    writeFileSync(join(built, name), text.replace(/VERSION = "\d[^"]*"/, 'VERSION = "9.9.9"'));
  }
  const [typed, , code, , message] = JSON.parse(script(TOLD, "use.mjs", cwd));
  assert.deepEqual([typed, code], [true, "addon_mismatch"]);
  assert.match(message, /9\.9\.9 was installed with the addon of version 0\.1\.0/);
});

test("bundled, it says that it must not be; kept out of the bundle, it works", async () => {
  const cwd = copied("bundled");
  const bundle = async (format, outfile, more) => {
    const stdin = { contents: TOLD, resolveDir: cwd };
    await build({ stdin, outfile: join(cwd, outfile), bundle: true, platform: "node", format, logLevel: "silent", ...more });
    return run(process.execPath, [outfile], cwd).trim();
  };
  mkdirSync(join(cwd, "dist"));
  for (const [format, file] of [["esm", "dist/whole.mjs"], ["cjs", "dist/whole.cjs"]]) {
    const [typed, , code, , message] = JSON.parse(await bundle(format, file));
    assert.deepEqual([typed, code], [true, "addon_missing"], format);
    assert.match(message, /bundled.*--external:preopen/);
  }
  for (const [format, file] of [["esm", "dist/own.mjs"], ["cjs", "dist/own.cjs"]]) {
    assert.equal(await bundle(format, file, { external: ["preopen"] }), "loaded", format);
  }
  // With the package of the platform beside it an ES module may be bundled: what is native stays outside.
  published(cwd, HERE);
  assert.equal(await bundle("esm", "dist/platform.mjs"), "loaded");
});
