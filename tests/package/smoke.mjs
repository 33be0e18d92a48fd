// The shortest honest use of the installed packages `preopen` and `preopen-cli`: a login, a call, the broker's logout, a new login.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// From the folder that they are installed in, wherever this file is.
const require = createRequire(pathToFileURL(join(process.cwd(), "smoke.cjs")));
const imported = await import(pathToFileURL(require.resolve("preopen/sandbox")));
const { Sandbox } = require("preopen/sandbox");
assert.equal(Sandbox, imported.Sandbox);

delete process.env.PREOPEN_BIN;
process.env.PATH = "";
const broker = await Sandbox.start();
try {
  const session = broker.session("samco");
  const first = await session.token();
  assert.equal((await session.whoami()).verdict, "match");
  await broker.clock.advanceTo("08:00 IST");
  await session.get("/quote/getQuote", { params: { symbolName: "INFY", exchange: "NSE" } });
  assert.equal((await session.token()).generation, first.generation + 1);
} finally {
  await broker.stop();
}
console.log("preopen", require("preopen/package.json").version, "on Node", process.versions.node, process.platform);
