// The JavaScript and TypeScript blocks of the README and of docs/: each runs as a module of its own, on an embedded broker
// that stands in for the real ones. tests/README.md tells how a block says what it needs, or why it is not run.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

import { Sandbox } from "preopen/sandbox";

import { at } from "./support.mjs";

const LANGUAGES = ["js", "ts"];
const HERE = new URL(".", import.meta.url);

/** Every page of the site that is in the repository, and the README. */
function pages() {
  const docs = readdirSync(at("docs"), { recursive: true }).filter((name) => name.endsWith(".md"));
  return ["README.md", ...docs.map((name) => `docs/${name.replaceAll("\\", "/")}`).sort()];
}

/** The fenced blocks of a page, also those in tabs: where, language, text, and what the comment before it says. */
function blocks(page) {
  const found = [];
  const lines = readFileSync(at(page), "utf8").split(/\r?\n/);
  let before = "";
  for (let number = 0; number < lines.length; number += 1) {
    const opening = /^([ \t]*)(```+)[ \t]*([^\s`,]*)[^`]*$/.exec(lines[number]);
    if (opening === null) {
      before += `${lines[number]}\n`;
      continue;
    }
    const [, indent, fence, language] = opening;
    const start = number + 1;
    do number += 1;
    while (number < lines.length && lines[number].trim() !== fence);
    const text = lines.slice(start, number).map((line) => line.slice(indent.length)).join("\n");
    // The last one only: comments do not nest.
    const comment = /<!--((?:(?!-->)[\s\S])*)-->\s*$/.exec(before)?.[1].trim() ?? "";
    found.push({ where: `${page}:${start}`, page, language, text, comment });
    before = "";
  }
  return found;
}

const isExcused = ({ comment }) => /^not run: \S/.test(comment);
const isElsewhere = ({ comment }) => {
  const path = /^(\S+) runs this block$/.exec(comment)?.[1];
  return path !== undefined && path !== "tests/node/readme.test.mjs";
};
const setup = ({ comment }) => /^setup\b:?([\s\S]*)$/.exec(comment)?.[1] ?? "";

/** Runs a command to its end; nothing of the runner that runs this one is handed on. */
async function run(args, env) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("NODE_"));
  const child = spawn(process.execPath, args, {
    cwd: HERE,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (said += bytes));
  const code = await new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));
  return { code, said };
}

/** Runs one block: in vitest or node:test if it imports that. */
async function runBlock(block, env, folder) {
  if (/from "vitest"/.test(block.text)) {
    // Where `preopen` and vitest are found.
    const path = mkdtempSync(fileURLToPath(new URL("page-", HERE)));
    try {
      writeFileSync(join(path, "page.test.mjs"), block.text);
      const vitest = fileURLToPath(at("node_modules/vitest/vitest.mjs"));
      return await run([vitest, "run", "--root", path, "--no-cache"], env);
    } finally {
      rmSync(path, { recursive: true });
    }
  }
  const type = block.language === "ts" ? ["--input-type=module-typescript", "--experimental-strip-types"] : ["--input-type=module"];
  const stand = JSON.stringify(new URL("on-sandbox.mjs", HERE).href);
  const text = `${setup(block)}\n${block.text}`.replaceAll(/from "preopen"/g, `from ${stand}`);
  const reporter = /from "node:test"/.test(text) ? ["--test-reporter=tap"] : [];
  const done = await run([...type, ...reporter, "--no-warnings", "--eval", text], { ...env, XDG_STATE_HOME: folder });
  if (reporter.length > 0) assert.match(done.said, /# pass [1-9]\d*\n# fail 0/, block.where);
  return done;
}

for (const page of pages()) {
  const found = blocks(page);
  const ours = found.filter(({ language }) => LANGUAGES.includes(language));
  if (ours.length === 0) continue;
  test(page, async (t) => {
    // None is overlooked, however it is indented.
    const opened = readFileSync(at(page), "utf8").match(/^[ \t]*```(js|ts)\s*$/gm) ?? [];
    assert.equal(ours.length, opened.length, "a block of this page was not found");
    const broker = await Sandbox.start();
    const folder = mkdtempSync(join(tmpdir(), "preopen-page-"));
    t.after(async () => {
      await broker.stop();
      rmSync(folder, { recursive: true });
    });
    const [samco, angelone] = ["samco", "angelone"].map((name) => broker.accounts.find((one) => one.broker === name));
    const env = {
      PAGES_BROKER: broker.samcoUrl,
      PAGES_ACCOUNTS: JSON.stringify(broker.accounts),
      SAMCO_API_KEY: samco.apiKey,
      SAMCO_API_SECRET: samco.apiSecret,
      ANGELONE_API_KEY: angelone.apiKey,
      ANGELONE_CLIENT_CODE: angelone.clientCode,
      ANGELONE_PIN: angelone.pin,
      ANGELONE_TOTP_SECRET: angelone.totpSecret,
    };
    for (const block of ours) {
      if (isExcused(block) || isElsewhere(block)) continue;
      const { code, said } = await runBlock(block, env, folder);
      assert.equal(code, 0, `${block.where}\n${said}`);
    }
  });
}

test("the README example prints what it is about", async () => {
  const [block] = blocks("README.md").filter(({ language }) => language === "js");
  const { said } = await run(["--input-type=module", "--eval", block.text], {});
  assert.match(said, /^\S+ 1\n$/);
});
