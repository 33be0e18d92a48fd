// Puts the modules together after tsc: whoever imports the package reads a few files in place of thirty, which is most of
// what an import costs. What only they import is gone from `dist` then.

import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

import { build } from "esbuild";

const folder = import.meta.dirname;
const dist = join(folder, "dist");
const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const entryPoints = Object.values(exports).flatMap((entry) => entry.default ?? []).map((path) => resolve(folder, path));
const index = join(dist, "index.js");
/** What says that Node is too old, and what `cargo xtask version` writes. */
const apart = ["floor.js", "version.js"].map((name) => join(dist, name));

/** esbuild makes a file for each set of entry points that share something. Here all of them share what `index.js` needs. */
const oneShare = {
  name: "one-share",
  setup(builds) {
    builds.onResolve({ filter: /\/(floor|version)\.js$/ }, ({ path, importer }) => {
      // An entry point stays where it is; what is shared lies beside `index.js`.
      const from = entryPoints.includes(importer) ? dirname(importer) : dist;
      const to = relative(from, resolve(dirname(importer), path)).replaceAll("\\", "/");
      return { path: to.startsWith(".") ? to : `./${to}`, external: true };
    });
    builds.onLoad({ filter: /\.js$/ }, ({ path }) => {
      if (path === index || !entryPoints.includes(path)) return undefined;
      return { contents: `${readFileSync(path, "utf8")}\nimport ${JSON.stringify(index)};\n`, resolveDir: dirname(path) };
    });
  },
};

const { outputFiles } = await build({
  entryPoints,
  outdir: dist,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "es2024",
  packages: "external",
  plugins: [oneShare],
  ignoreAnnotations: true,
  chunkNames: "shared-[hash]",
  // A class that uses its own name would be called something else.
  keepNames: true,
  write: false,
  logLevel: "warning",
});
for (const name of readdirSync(dist, { recursive: true })) {
  const path = join(dist, name);
  if (path.endsWith(".js") && !apart.includes(path)) rmSync(path);
}
for (const { path, contents } of outputFiles) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, contents);
}
