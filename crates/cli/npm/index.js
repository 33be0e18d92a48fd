// Where the program of this platform is: in the package `@preopen/cli-<platform>` that npm installed along with this one.

"use strict";

/** The platform as the packages are named after it. */
function platform() {
  const base = `${process.platform}-${process.arch}`;
  if (process.platform === "win32") return `${base}-msvc`;
  if (process.platform !== "linux") return base;
  // The one thing that tells them apart without starting a program; without the network part it costs a millisecond.
  const before = process.report.excludeNetwork;
  process.report.excludeNetwork = true;
  const { header } = process.report.getReport();
  process.report.excludeNetwork = before;
  return `${base}-${header.glibcVersionRuntime ? "gnu" : "musl"}`;
}

/** The path of the program. */
function path() {
  const name = `@preopen/cli-${platform()}`;
  const file = process.platform === "win32" ? "preopen.exe" : "preopen";
  try {
    return require.resolve(`${name}/${file}`);
  } catch (cause) {
    throw new Error(
      `preopen-cli finds no ${name}, its program for this platform: install without --omit=optional, on the platform that it runs on; ` +
        "after a change of platform remove node_modules and the lock file first. If there is none for this platform: cargo install preopen-cli",
      { cause },
    );
  }
}

module.exports = { path };
