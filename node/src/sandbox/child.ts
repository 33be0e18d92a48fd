// The `preopen sandbox` process: starting it, and ending it. Nothing here is public but the error.

import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";

import { command } from "./command.js";

/** How long the binary may take until it is ready. */
const READY_MILLIS = 20_000;
/** How long it may take to end after its standard input closed. */
const STOP_MILLIS = 800;
/** How much of what it writes to standard error is kept. */
const STDERR_LIMIT = 16_384;

/** The sandbox could not be started, or refused a call of its control API. */
export class SandboxError extends Error {
  static { Object.defineProperty(this.prototype, "name", { value: "SandboxError", configurable: true, writable: true }); }
}

type Process = ChildProcessByStdio<Writable, Readable, Readable>;

/** A running `preopen sandbox`. */
export class Child {
  /** The line that it printed when it was ready. */
  readonly ready: string;
  readonly #process: Process;
  #stopped = false;

  private constructor(process: Process, ready: string) {
    this.#process = process;
    this.ready = ready;
  }

  /** Starts the command, and waits until it is ready. */
  static async start(extra: readonly string[]): Promise<Child> {
    const program = command();
    const child = spawn(program, ["sandbox", "--json", "--exit-with-stdin", ...extra], { stdio: ["pipe", "pipe", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-STDERR_LIMIT);
    });
    // A sandbox that died has no standard input to close; whoever calls it next is told.
    child.stdin.on("error", () => undefined);
    try {
      return new Child(child, await firstLine(child, program));
    } catch (error) {
      child.kill("SIGKILL");
      if (!(error instanceof SandboxError) || said.trim() === "") throw error;
      throw new SandboxError(refusal(said) ?? `${error.message}; it wrote: ${said.trim()}`, { cause: error.cause });
    }
  }

  /** Throws `SandboxError` when it has ended. */
  assertRunning(): void {
    const { exitCode, signalCode } = this.#process;
    const how = this.#stopped ? "it was stopped" : `its process ended (${signalCode ?? exitCode})`;
    if (this.#stopped || exitCode !== null || signalCode !== null) throw new SandboxError(`the sandbox is not running: ${how}`);
  }

  /** Closes its standard input, on which it ends; a second later it is gone in any case. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    const deadline = setTimeout(() => child.kill("SIGKILL"), STOP_MILLIS);
    child.stdin.end();
    try {
      await ended;
    } finally {
      clearTimeout(deadline);
    }
  }
}

/** The sentence of the error that the binary wrote, if it wrote one. */
function refusal(said: string): string | undefined {
  try {
    const { error } = JSON.parse(said.trim().split("\n").at(-1) ?? "") as { error?: { message?: string } };
    return error?.message;
  } catch {
    return undefined;
  }
}

async function firstLine(child: Process, program: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (problem: string, cause?: unknown): void => reject(new SandboxError(problem, { cause }));
  const deadline = setTimeout(() => fail(`${program} was not ready within ${READY_MILLIS / 1000} seconds`), READY_MILLIS);
  child.once("error", (error: NodeJS.ErrnoException) => {
    const install =
      "install the package preopen-cli beside preopen, or put the command on the PATH with `cargo install --path crates/cli` in Preopen's repository, or name it in PREOPEN_BIN";
    fail(error.code === "ENOENT" ? `${program} was not found: ${install}` : `${program} cannot be run: ${error.message}`, error);
  });
  // Once its outputs are closed too, so that what it wrote is known.
  child.once("close", (code, signal) => fail(`${program} ended (${signal ?? code}) before it was ready`));
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => {
    if (text.includes("\n")) return;
    text += more;
    const end = text.indexOf("\n");
    if (end >= 0) resolve(text.slice(0, end));
  });
  try {
    return await promise;
  } finally {
    clearTimeout(deadline);
  }
}
