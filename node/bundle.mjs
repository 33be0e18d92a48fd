// Puts the modules together after tsc, in three forms: CommonJS, which is what runs, by `require` and by `import`; for each
// entry point an ES module that names what the CommonJS one exports, so that a class is the same one both ways; and ES modules
// for bundlers (`.esm.mjs`), which no Node reads. What only the modules of tsc were for is gone from `dist` then.

import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

import { build } from "esbuild";

const folder = import.meta.dirname;
const dist = join(folder, "dist");
const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const entryPoints = Object.values(exports).flatMap((entry) => entry.default?.default ?? []).map((path) => resolve(folder, path));
const index = join(dist, "index.js");

/** esbuild makes a file for each set of entry points that share something. Here all of them share what `index.js` needs. */
const oneShare = {
  name: "one-share",
  setup(builds) {
    builds.onLoad({ filter: /\.js$/ }, ({ path }) => {
      if (path === index || !entryPoints.includes(path)) return undefined;
      return { contents: `${readFileSync(path, "utf8")}\nimport ${JSON.stringify(index)};\n`, resolveDir: dirname(path) };
    });
  },
};

/** The entry points and what they share, as ES modules. */
function together(names) {
  return build({
    entryPoints,
    outdir: dist,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "es2024",
    packages: "external",
    plugins: [oneShare],
    // For bundlers no file has effects of its own; the look at the Node that this is must stay all the same.
    ignoreAnnotations: true,
    chunkNames: "shared-[hash]",
    // A class that uses its own name would be called something else.
    keepNames: true,
    write: false,
    metafile: true,
    logLevel: "warning",
    ...names,
  });
}

/**
 * What esbuild put together, as CommonJS. esbuild's own has a getter for each name, in each file that hands it on: to make
 * them takes as long as to run the modules.
 */
function commonJs(path, text) {
  const pairs = (names) => names.replace(/(\S+) as (\S+)/g, "$1: $2");
  const code = text
    .replace(/^import \{([^}]*)\} from ("[^"]+");$/gm, (_, names, from) => `const {${pairs(names)}} = require(${from});`)
    .replace(/^import ("[^"]+");$/gm, "require($1);")
    .replace(/^export \{([^}]*)\};$/gm, (_, names) => `module.exports = {${names.replace(/(\S+) as (\S+)/g, "$2: $1")}};`)
    // Where the file is: the addon is looked for from there.
    .replaceAll("import.meta.filename", "__filename");
  const left = /^(?:import|export)\b.*|import\.meta.*/m.exec(code);
  if (left !== null) throw new Error(`${path}: not made CommonJS: ${left[0]}`);
  return `"use strict";\n${code}Object.defineProperty(module.exports, "__esModule", { value: true });\n`;
}

const written = new Map();
const forBundlers = await together({ entryNames: "[dir]/[name].esm", outExtension: { ".js": ".mjs" } });
for (const { path, text } of forBundlers.outputFiles) written.set(path, text);

const { outputFiles, metafile } = await together({});
for (const { path, text } of outputFiles) written.set(path, commonJs(path, text));
for (const [output, { entryPoint, exports: names }] of Object.entries(metafile.outputs)) {
  if (entryPoint === undefined) continue;
  const path = resolve(output);
  // Not `import`: for that Node looks through the text of a CommonJS file for names, which takes longer than to run it.
  const load = `createRequire(import.meta.url)("./${basename(path)}")`;
  const named = `import { createRequire } from "node:module";\n\nexport const {\n${names.toSorted().map((name) => `  ${name},\n`).join("")}} = ${load};\n`;
  written.set(path.replace(/\.js$/, ".mjs"), named);
  written.set(path.replace(/\.js$/, ".d.mts"), `export * from "./${basename(path)}";\n`);
}

for (const name of readdirSync(dist, { recursive: true })) {
  if (name.endsWith(".js")) rmSync(join(dist, name));
}
for (const [path, text] of written) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
