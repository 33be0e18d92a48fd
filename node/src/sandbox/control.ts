// Calls of the sandbox's control API. Nothing here is public.

import { readFileSync } from "node:fs";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

import { SandboxError } from "./child.js";

/** The control API of one sandbox, over connections of its own. */
export class Control {
  readonly #base: URL;
  readonly #token: string;
  readonly #agent: HttpAgent | HttpsAgent;

  constructor(url: string, token: string, caFile: string | null) {
    this.#base = new URL(url);
    this.#token = token;
    this.#agent =
      this.#base.protocol === "https:"
        ? new HttpsAgent({ keepAlive: true, ...(caFile === null ? {} : { ca: readFileSync(caFile) }) })
        : new HttpAgent({ keepAlive: true });
  }

  /** One call. Rejects with `SandboxError` when the sandbox refuses it or is gone. */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const send = this.#base.protocol === "https:" ? httpsRequest : httpRequest;
    const headers = { "x-sandbox-token": this.#token, ...(body === undefined ? {} : { "content-type": "application/json" }) };
    const request = send(`${this.#base.href}${path}`, { method, headers, agent: this.#agent }, (reply) => {
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
