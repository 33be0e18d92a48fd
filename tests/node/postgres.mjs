// A PostgreSQL server of the tests' own: in a temporary folder, reached over a Unix socket in it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** The folder of the newest server here; Debian does not put it on the PATH. */
function programs() {
  const found = spawnSync("sh", ["-c", "readlink -f $(command -v initdb)"], { encoding: "utf8" }).stdout.trim();
  if (found !== "") return join(found, "..");
  const root = "/usr/lib/postgresql";
  const versions = (() => {
    try {
      return readdirSync(root).sort((a, b) => Number(a) - Number(b));
    } catch {
      return [];
    }
  })();
  assert.ok(versions.length > 0, "these tests need a PostgreSQL server (Debian: apt-get install postgresql)");
  return join(root, versions.at(-1), "bin");
}

/** Starts it; `config` is what pg needs to reach it. */
export function startPostgres() {
  const folder = mkdtempSync("/tmp/preopen-pg-");
  let runAs = [];
  if (process.geteuid() === 0) {
    // PostgreSQL refuses to run as root.
    runAs = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"];
    assert.equal(spawnSync("chown", ["postgres:postgres", folder]).status, 0);
  }
  const [data, log] = [join(folder, "data"), join(folder, "log")];
  const bin = programs();
  const run = (program, ...args) => {
    const [first, ...rest] = [...runAs, join(bin, program), ...args];
    const done = spawnSync(first, rest, { cwd: folder, encoding: "utf8", timeout: 120_000, stdio: ["ignore", "pipe", "pipe"] });
    if (done.status === 0) return;
    const told = program === "pg_ctl" ? readFileSync(log, "utf8") : "";
    throw new Error(`${program} failed: ${done.error ?? ""}${done.stdout}${done.stderr}${told}`);
  };
  run("initdb", "--pgdata", data, "--username=preopen", "--auth=trust", "--no-sync", "--encoding=UTF8");
  const settings = `-c listen_addresses='' -c unix_socket_directories=${folder} -c fsync=off -c max_connections=200`;
  run("pg_ctl", "start", "--wait", "--silent", "--pgdata", data, "--log", log, "--options", settings);
  return {
    config: { host: folder, user: "preopen", database: "postgres" },
    stop() {
      run("pg_ctl", "stop", "--wait", "--mode=immediate", "--pgdata", data);
      rmSync(folder, { recursive: true });
    },
  };
}
