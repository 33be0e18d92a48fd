// Imports the package and makes sessions; prints what the process holds before and after.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";

const marked = process.argv.includes("--marked");
const require = createRequire(import.meta.url);

function held() {
  const list = (path) => (process.permission === undefined && existsSync(path) ? readdirSync(path).length : 0);
  return { threads: list("/proc/self/task"), descriptors: list("/proc/self/fd"), resources: process.getActiveResourcesInfo() };
}

/** Something that a trace of system calls shows. */
function mark(name) {
  if (!marked) return;
  try {
    readFileSync(`/preopen-mark-${name}`);
  } catch {
    // It is not there; that it was looked for is the mark.
  }
}

// Everything that is made only once by Node itself is made before.
await import("node:util");
held();
const before = held();
mark("begin");
const { Session, angelOne, samco } = require("preopen");
const { Sandbox } = require("preopen/sandbox");
// Kept: Node gives back what is collected in an immediate of its own, whenever that happens.
const kept = [];
for (let n = 0; n < 10; n += 1) {
  const one = samco({ apiKey: "key", apiSecret: "secret" });
  const other = angelOne({ apiKey: "key", clientCode: "A1", pin: "0000", totpSecret: "JBSWY3DPEHPK3PXPJBSWY3DPEH" });
  const session = new Session(one, { timeout: 5, sourceIp: "127.0.0.1" });
  session.state();
  const closed = new Session(other);
  closed.close();
  kept.push(one, other, session, closed);
}
mark("end");
const after = held();
if (typeof Sandbox.start !== "function" || kept.length !== 40) throw new Error("not all was made");
console.log(JSON.stringify({ before, after }));
