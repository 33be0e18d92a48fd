#!/usr/bin/env node
// Runs the program of this platform in this terminal, and ends as it ends.

"use strict";

const { spawn } = require("node:child_process");

let program;
try {
  program = require("./index.js").path();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exit(127);
}
const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
// The program decides what a signal means. A terminal sends its own ones to both; what only this process got is handed on.
process.on("SIGINT", () => undefined);
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  console.error(`error: ${program} cannot be run: ${error.message}`);
  process.exit(126);
});
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  for (const one of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeAllListeners(one);
  process.kill(process.pid, signal);
});
