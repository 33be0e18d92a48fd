// Calls of the sandbox's control API. Nothing here is public.

import { readFileSync } from "node:fs";
import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";

import { SandboxError } from "./child.js";

type Send = (url: string, options: RequestOptions, answered: (reply: IncomingMessage) => void) => ClientRequest;

/** The control API of one sandbox, over connections of its own. */
export class Control {
  readonly #base: string;
  readonly #token: string;
  readonly #agent: Agent;
  readonly #send: Send;

  private constructor(base: string, token: string, agent: Agent, send: Send) {
    this.#base = base;
    this.#token = token;
    this.#agent = agent;
    this.#send = send;
  }

  /** Opens nothing yet. Node's clients are loaded here, since Node starts a thread when https is imported. */
  static async at(base: string, token: string, caFile: string | null): Promise<Control> {
    if (new URL(base).protocol === "https:") {
      const { Agent, request } = await import("node:https");
      const ca = caFile === null ? {} : { ca: readFileSync(caFile) };
      return new Control(base, token, new Agent({ keepAlive: true, ...ca }), request);
    }
    const { Agent, request } = await import("node:http");
    return new Control(base, token, new Agent({ keepAlive: true }), request);
  }

  /** One call. Rejects with `SandboxError` when the sandbox refuses it or is gone. */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const headers = { "x-sandbox-token": this.#token, ...(body === undefined ? {} : { "content-type": "application/json" }) };
    const request = this.#send(`${this.#base}${path}`, { method, headers, agent: this.#agent }, (reply) => {
      let text = "";
      reply.setEncoding("utf8");
      reply.on("data", (more: string) => (text += more));
      reply.on("error", reject);
      reply.on("end", () => {
        const status = reply.statusCode ?? 0;
        if (status >= 200 && status < 300) resolve(text);
        else reject(new SandboxError(refusal(text) ?? `the sandbox answered with HTTP ${status}`));
      });
    });
    request.on("error", (error) => reject(new SandboxError(`the sandbox cannot be reached: ${error.message}`, { cause: error })));
    request.end(body === undefined ? undefined : JSON.stringify(body));
    const text = await promise;
    return text === "" ? undefined : JSON.parse(text);
  }

  /** Closes its connections. */
  close(): void {
    this.#agent.destroy();
  }
}

/** What the control API says was wrong. */
function refusal(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string } };
    return error?.message;
  } catch {
    return undefined;
  }
}
