// Finding the addon: in this package when it was built or packed for one machine, else in the package of the platform.

import { createRequire } from "node:module";
import { dirname, join } from "node:path";

import type { Native } from "./native.js";
import { VERSION } from "./version.js";

/** Platforms that have a package with the addon: `@preopen/<name>`. */
const PLATFORMS: ReadonlySet<string> = new Set([
  "linux-x64-gnu",
  "linux-x64-musl",
  "linux-arm64-gnu",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
  "win32-x64-msvc",
]);

/** What {@link AddonError} may tell. */
export type AddonErrorCode = "addon_missing" | "addon_unusable" | "addon_mismatch";

/**
 * The native addon of this package is not there (`addon_missing`), does not load (`addon_unusable`), or is that of another
 * version (`addon_mismatch`): something is wrong with how the package was installed, deployed or bundled. The message says
 * what to do; `cause` is what Node said.
 */
export class AddonError extends Error {
  static { Object.defineProperty(this.prototype, "name", { value: "AddonError", configurable: true, writable: true }); }

  /** What is wrong. */
  readonly code: AddonErrorCode;
  /** This platform, as the packages with the addon are named after it: `linux-x64-gnu`. */
  readonly platform: string;

  /** @internal */
  constructor(code: AddonErrorCode, platform: string, problem: string, cause?: unknown) {
    super(`preopen ${problem}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.platform = platform;
  }
}

/** Finds the addon and loads it. Throws `AddonError`. */
export function loadAddon(): Native {
  const load = requireHere();
  let damaged: string | undefined;
  let failure: unknown;
  for (const name of candidates()) {
    let path: string;
    try {
      path = load.resolve(name);
      if (name.startsWith("@") && !isInstalled(name)) throw outside(name, path);
    } catch (error) {
      // What is missing is the package of this platform, not that of the other C library.
      if (damaged === undefined && (failure === undefined || name.startsWith(`@preopen/${platformName()}/`))) failure = error;
      continue;
    }
    let addon: Native;
    try {
      addon = load(path) as Native;
    } catch (error) {
      if (damaged === undefined) failure = error;
      damaged ??= name;
      continue;
    }
    return checked(addon, name);
  }
  const platform = platformName();
  if (damaged !== undefined) throw new AddonError("addon_unusable", platform, unusable(damaged, platform), failure);
  throw new AddonError("addon_missing", platform, missing(platform, isBundled(load)), failure);
}

/** Where the addon may be: in this package, or in one of a platform, the likeliest first. Which platform this is costs some
 * reads of files, so that it is found out only where it matters. */
function* candidates(): Generator<string> {
  yield "../native/preopen.node";
  const platform = platformName();
  yield `@preopen/${platform}/preopen.node`;
  // A C library that is not known for certain must not be in the way.
  if (platform.endsWith("-gnu")) yield `@preopen/${platform.replace(/gnu$/, "musl")}/preopen.node`;
  if (platform.endsWith("-musl")) yield `@preopen/${platform.replace(/musl$/, "gnu")}/preopen.node`;
}

/**
 * Whether a package is in a node_modules folder above this file. Node looks in NODE_PATH, in the home folder and beside itself
 * as well: whoever can write there need not be who installed this package. Plug'n'Play has no such folders.
 */
function isInstalled(name: string): boolean {
  if (process.versions["pnp"] !== undefined) return true;
  // Not imported: an ES module's import of it loads streams and promises, too.
  const { existsSync } = process.getBuiltinModule("node:fs");
  for (let file = import.meta.filename; dirname(file) !== file; file = dirname(file)) {
    if (existsSync(join(dirname(file), "node_modules", name))) return true;
  }
  return false;
}

function outside(name: string, path: string): Error {
  const problem = `Cannot find '${name}' in a node_modules folder above preopen; ${path} is in none, and is not loaded`;
  return Object.assign(new Error(problem), { code: "MODULE_NOT_FOUND" });
}

function checked(addon: Native, name: string): Native {
  const found = typeof addon.version === "function" ? addon.version() : "unknown";
  if (found === VERSION) return addon;
  const which = name.startsWith("@") ? name : "addon";
  const problem = `${VERSION} was installed with the ${which} of version ${found}: both must be of one version. Install preopen again, and see that nothing (an override, a lock file) pins ${which}`;
  throw new AddonError("addon_mismatch", platformName(), problem);
}

function missing(platform: string, bundled: boolean): string {
  const where = `finds no addon for ${platform} (Node ${process.version})`;
  if (bundled) {
    return `${where}: it was bundled, and an addon cannot be. Keep it out of the bundle (esbuild: --external:preopen; webpack: externals; rollup and vite: external), and install preopen where the bundle runs`;
  }
  if (!PLATFORMS.has(platform)) {
    return `${where}: there is no package for this platform, only for ${[...PLATFORMS].join(", ")}. Build it from source`;
  }
  return (
    `${where}: the package @preopen/${platform} is not installed. Install preopen on the platform that it runs on (a node_modules folder ` +
    "that was copied from another one, into a container for example, has the wrong addon), without --omit=optional; where npm left it out all the same, " +
    `which it does after a change of platform, remove node_modules and package-lock.json and install again, or npm install --save-optional @preopen/${platform}@${VERSION}`
  );
}

function unusable(name: string, platform: string): string {
  const which = name.startsWith("@") ? `of ${name}` : "in its package";
  return `has an addon ${which} that does not load on ${platform} (Node ${process.version}): it was built for another platform, or the file is damaged. Install preopen again on this machine`;
}

function platformName(): string {
  const base = `${process.platform}-${process.arch}`;
  if (process.platform === "win32") return `${base}-msvc`;
  if (process.platform !== "linux") return base;
  return `${base}-${isGlibc() ? "gnu" : "musl"}`;
}

/** Whether this process runs with glibc. A report tells it without starting a program; network interfaces make it slow. */
function isGlibc(): boolean {
  const report = process.report as (typeof process.report & { excludeNetwork?: boolean }) | undefined;
  if (report === undefined) return true;
  const before = report.excludeNetwork ?? false;
  try {
    report.excludeNetwork = true;
    const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
    return header?.glibcVersionRuntime !== undefined;
  } catch {
    return true;
  } finally {
    report.excludeNetwork = before;
  }
}

/** `require` as seen from this file. In a bundle of CommonJS there is no such place. */
function requireHere(): NodeJS.Require {
  const here = import.meta.filename as string | undefined;
  if (here !== undefined) return createRequire(here);
  const platform = platformName();
  throw new AddonError("addon_missing", platform, missing(platform, true));
}

/** Whether this file is no longer in its package. */
function isBundled(load: NodeJS.Require): boolean {
  try {
    return (load("../package.json") as { name?: string }).name !== "preopen";
  } catch {
    return true;
  }
}
