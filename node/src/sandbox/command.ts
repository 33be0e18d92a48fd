// Which `preopen` command the sandbox runs. Nothing here is public.

import { createRequire } from "node:module";

/** What `PREOPEN_BIN` names, else what the package `preopen-cli` brings, else the one on the search path. */
export function command(): string {
  return process.env["PREOPEN_BIN"] || installed() || "preopen";
}

function installed(): string | undefined {
  try {
    // In a bundle of CommonJS there is no place to look from.
    const require = createRequire(import.meta.filename);
    return (require("preopen-cli") as { path(): string }).path();
  } catch {
    // It is optional; and when it is there but lacks its program, the search path may still have one.
    return undefined;
  }
}
