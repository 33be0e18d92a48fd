// Samco's deprecated login and calls, for those who have not moved yet. All of it is tagged @deprecated, with what replaces
// it; the login is replaced by `samco` with an app's key and secret.
//
//   export SAMCO_USER_ID=... SAMCO_PASSWORD=... SAMCO_SECRET_API_KEY=...
//   node examples/samco-legacy.mjs                                # logs in
//   node examples/samco-legacy.mjs key                            # has the secret API key mailed
//   node examples/samco-legacy.mjs ips 198.51.100.7 198.51.100.8  # changes the registered addresses

import { createInterface } from "node:readline/promises";
import { pathToFileURL } from "node:url";

import { Session, samcoLegacy } from "preopen";

/** Two requests at the broker, once for all callers. */
export async function logIn(session) {
  return session.token();
}

/** Has a one-time code sent, and with it the secret API key mailed. */
export async function mailKey(session, { ask = question, say = console.log } = {}) {
  const calls = session.samcoLegacy();
  say((await calls.generateOtp()).message);
  say((await calls.generateSecretKey(await ask("the code from the mail or SMS: "))).message);
}

/** Changes the registered addresses, once in seven days. They are checked before it is sent. */
export async function changeIps(session, primary, secondary, { say = console.log } = {}) {
  say((await session.samcoLegacy().updateIps(primary, secondary)).message);
}

async function question(text) {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await terminal.question(text);
  } finally {
    terminal.close();
  }
}

async function main([what, primary, secondary]) {
  const session = new Session(samcoLegacy.fromEnv());
  try {
    if (what === "key") await mailKey(session);
    else if (what === "ips") await changeIps(session, primary, secondary);
    else console.log("logged in until", (await logIn(session)).expiresAt.toISOString());
  } finally {
    session.close();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main(process.argv.slice(2));
