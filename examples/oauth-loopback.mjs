// Samco's OAuth login on this machine: the broker's page is opened in a browser, and the answer received on 127.0.0.1. For up
// to 7 days nobody is asked again, since the session is kept in a file.
//
//   SAMCO_API_KEY=... SAMCO_REDIRECT_URL=http://127.0.0.1:8765/callback node examples/oauth-loopback.mjs
//
// On a host without a browser add --paste: it prints the page's address for a browser elsewhere, and asks for the address
// that the browser ended on. That browser shows an error then, since nobody listens there.

import { createInterface } from "node:readline/promises";
import { pathToFileURL } from "node:url";

import { LoginRequiredError, Session, samcoOAuth } from "preopen";

/** Logs in with a browser of this machine, or one that somebody opens. */
export async function withBrowser(session, { openBrowser = true, say = console.log } = {}) {
  await session.login({ openBrowser, show: ({ url }) => say("log in at", url) });
}

/** Logs in with a browser elsewhere. */
export async function withPaste(session, { ask = question, say = console.log } = {}) {
  const { url, expiresAt } = await session.beginLogin();
  await say(`until ${expiresAt.toLocaleTimeString("en-IN", { timeZone: "Asia/Kolkata" })} IST, log in at`, url);
  await session.completeLogin(await ask("the address that the browser ended on: "));
}

/** A live token; asks a person for a login only where nothing else helps. */
export async function ensure(session, logIn) {
  try {
    return await session.token();
  } catch (error) {
    if (!(error instanceof LoginRequiredError)) throw error;
  }
  await logIn(session);
  return session.token();
}

async function question(text) {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await terminal.question(text);
  } finally {
    terminal.close();
  }
}

async function main(args) {
  const session = new Session(samcoOAuth.fromEnv(), { store: "file" });
  try {
    const token = await ensure(session, args.includes("--paste") ? withPaste : withBrowser);
    console.log("logged in until", token.expiresAt.toISOString());
    console.log((await session.whoami()).message);
  } finally {
    session.close();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main(process.argv.slice(2));
