// The embedded broker as a child process, and one-time codes, for the brokers' own Node clients.

import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Starts `preopen sandbox` and resolves to what it printed, with `control` and `stop` added. */
export async function startSandbox() {
  const program = process.env.PREOPEN_BIN;
  if (!program) throw new Error("PREOPEN_BIN must name the built `preopen` command; `cargo xtask test` sets it");
  const child = spawn(program, ["sandbox", "--json", "--exit-with-stdin"], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const ready = once(createInterface({ input: child.stdout }), "line");
  const [line] = await Promise.race([
    ready,
    ended.then(([code]) => {
      throw new Error(`the sandbox ended with ${code} before it was ready`);
    }),
  ]);
  const facts = JSON.parse(line);

  /** One call of the control API. */
  async function control(method, path) {
    const reply = await fetch(facts.control_url + path, { method, headers: { "x-sandbox-token": facts.control_token } });
    if (!reply.ok) throw new Error(`the control API answered ${reply.status}`);
    return reply.json();
  }

  return {
    ...facts,
    account: (broker) => facts.accounts.find((account) => account.broker === broker),
    requestsSeen: async (broker, path) => (await control("GET", `/requests?broker=${broker}&path=${path}`)).count,
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}

/** The current code of a base32 secret: RFC 6238 with SHA-1, six digits, thirty seconds. */
export function totp(secret, seconds = Date.now() / 1000) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.toUpperCase().replace(/[\s=]/g, "")]
    .map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, "0"))
    .join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(seconds / 30)));
  const digest = createHmac("sha1", key).update(counter).digest();
  const number = digest.readUInt32BE(digest.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}
