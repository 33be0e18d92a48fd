// The public API of `preopen/sandbox`: the embedded broker, run as a child process.

import "./floor.js";

import { camel, invalidInput, snake } from "./convert.js";
import { angelOne, samco } from "./credentials.js";
import type { AngelOneCredentials, BrokerName, Credentials, SamcoCredentials } from "./credentials.js";
import { clocks } from "./options.js";
import type { SessionOptions } from "./options.js";
import { BROKERS, checkConsent, checkFault, checkRequests, checkStart } from "./sandbox/checks.js";
import { Child } from "./sandbox/child.js";
import { SandboxClock } from "./sandbox/clock.js";
import { Control } from "./sandbox/control.js";
import type {
  AccountChanges,
  AngelOneAccount,
  ConsentOptions,
  FaultSpec,
  Message,
  RequestFilter,
  RequestReport,
  SamcoAccount,
  SandboxOptions,
  ScriptReport,
  SwitchValue,
} from "./sandbox/types.js";
import { Session } from "./session.js";

export { SandboxError } from "./sandbox/child.js";
export type { SandboxClock } from "./sandbox/clock.js";
export type * from "./sandbox/types.js";

/** The line that the binary prints when it is ready. */
interface Facts {
  readonly samco_url: string;
  readonly angelone_url: string;
  readonly dashboard_url: string;
  readonly control_url: string;
  readonly control_token: string;
  readonly ca_file: string | null;
  readonly accounts: readonly Readonly<Record<string, string>>[];
}

/** Settings of a session on the sandbox. */
export interface SandboxSessionOptions extends Omit<SessionOptions, "baseUrl"> {
  /** Which of the broker's accounts, from 0. */
  readonly account?: number;
  /** Other credentials than the account's own, for example wrong ones. */
  readonly credentials?: Credentials;
}

/**
 * A broker on this machine that behaves as Samco and SmartAPI do, with a clock that you move. It runs the `preopen`
 * binary: the one that `PREOPEN_BIN` names, else the one of the package `preopen-cli` if that is installed too, else the one
 * on the search path. Like a server it keeps the process alive until it is stopped, and it ends with its parent.
 *
 * ```ts
 * await using broker = await Sandbox.start();
 * const session = broker.session("samco");
 * await session.token();
 * await broker.clock.advanceTo("08:00 IST"); // the session is over; the next call logs in
 * ```
 *
 * Its methods reject with `SandboxError` when the sandbox refuses a call or is gone.
 */
export class Sandbox implements AsyncDisposable, Disposable {
  /** Its clock, which its sessions follow. */
  readonly clock: SandboxClock;
  /** Its accounts, with their made-up credentials. */
  readonly accounts: readonly (SamcoAccount | AngelOneAccount)[];
  /** The base URL of Samco's API. */
  readonly samcoUrl: string;
  /** The base URL of SmartAPI. */
  readonly angeloneUrl: string;
  /** The status page, for a browser. */
  readonly dashboardUrl: string;
  /** The control API. */
  readonly controlUrl: string;
  /** The PEM file of its certificate authority, with `tls`. */
  readonly caFile: string | undefined;
  readonly #child: Child;
  readonly #control: Control;

  private constructor(child: Child, facts: Facts, control: Control) {
    this.#child = child;
    this.#control = control;
    this.clock = new SandboxClock(control);
    this.accounts = facts.accounts.map((account) => renamed(account, camel) as unknown as SamcoAccount | AngelOneAccount);
    this.samcoUrl = facts.samco_url;
    this.angeloneUrl = facts.angelone_url;
    this.dashboardUrl = facts.dashboard_url;
    this.controlUrl = facts.control_url;
    this.caFile = facts.ca_file ?? undefined;
  }

  /**
   * Starts a sandbox; resolves when it answers requests. Rejects with `SandboxError` within 20 seconds, and with
   * `InvalidInputError` for an option that does not exist.
   */
  static async start(options: SandboxOptions = {}): Promise<Sandbox> {
    checkStart(options);
    const child = await Child.start([
      ...(options.port === undefined ? [] : ["--port", String(options.port)]),
      ...(options.tls === true ? ["--tls"] : []),
      ...(options.data === undefined ? [] : [`--data=${options.data}`]),
      ...(options.startAt === undefined ? [] : [`--start-at=${rfc3339(options.startAt)}`]),
      ...(options.rate === undefined ? [] : [`--rate=${options.rate}`]),
      ...(options.script === undefined ? [] : [`--script=${options.script}`]),
    ]);
    try {
      const facts = JSON.parse(child.ready) as Facts;
      const control = await Control.at(facts.control_url, facts.control_token, facts.ca_file);
      const sandbox = new Sandbox(child, facts, control);
      await sandbox.clock.now();
      return sandbox;
    } catch (error) {
      await child.stop();
      throw error;
    }
  }

  /** Credentials of its Samco account with this number, from 0; with parts replaced, for example by wrong ones. */
  samcoCredentials(index = 0, replaced: Partial<SamcoCredentials> = {}): Credentials {
    const { apiKey, apiSecret } = this.#account("samco", index);
    return samco({ apiKey, apiSecret, ...replaced });
  }

  /** Credentials of its SmartAPI account with this number, likewise. `totp` takes the place of the TOTP secret. */
  angeloneCredentials(index = 0, replaced: Partial<AngelOneCredentials> = {}): Credentials {
    const { apiKey, clientCode, pin, totpSecret } = this.#account("angelone", index);
    const code = replaced.totp === undefined ? { totpSecret } : {};
    return angelOne({ apiKey, clientCode, pin, ...code, ...replaced } as AngelOneCredentials);
  }

  /**
   * A session on it, which follows its clock.
   *
   * @throws InvalidInputError naming the `field` that is wrong.
   * @throws SandboxError when the sandbox is not running.
   */
  session(broker: BrokerName, options: SandboxSessionOptions = {}): Session {
    this.#child.assertRunning();
    if (!BROKERS.includes(broker)) throw invalidInput("broker", `must be ${BROKERS.join(" or ")}`);
    const { account = 0, credentials, ...rest } = options;
    const [baseUrl, own] =
      broker === "samco"
        ? [this.samcoUrl, (): Credentials => this.samcoCredentials(account)]
        : [this.angeloneUrl, (): Credentials => this.angeloneCredentials(account)];
    const settings: SessionOptions = { caFile: this.caFile, ...rest, baseUrl };
    const clock = this.clock.native();
    if (clock !== undefined) clocks.set(settings, clock);
    return new Session(credentials ?? own(), settings);
  }

  /** Makes a broker fail at a path; one that ends in `*` is a prefix. */
  async fault(broker: BrokerName, path: string, spec: FaultSpec): Promise<void> {
    checkFault(broker, path, spec);
    await this.#control.call("POST", "/faults", { ...renamed(spec, snake), broker, path }); // dates become RFC 3339
  }

  /** Takes all faults away. */
  async clearFaults(): Promise<void> {
    await this.#control.call("DELETE", "/faults");
  }

  /** What arrived since the start or the last clearing. */
  async requests(filter: RequestFilter = {}): Promise<RequestReport> {
    checkRequests(filter);
    const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== undefined));
    const report = (await this.#control.call("GET", `/requests?${query.toString()}`)) as { count: number; requests: object[] };
    return { count: report.count, requests: report.requests.map((one) => renamed(one, camel)) } as unknown as RequestReport;
  }

  /** Forgets what arrived. */
  async clearRequests(): Promise<void> {
    await this.#control.call("DELETE", "/requests");
  }

  /** Changes an account, by its id or client code. {@link Sandbox.accounts} keeps what the sandbox started with. */
  async changeAccount(account: string, changes: AccountChanges): Promise<void> {
    await this.#control.call("PATCH", `/accounts/${encodeURIComponent(account)}`, renamed(changes, snake));
  }

  /**
   * Plays the person at the browser that a client sends to `url`, Samco's authorize page or SmartAPI's publisher login,
   * and gives the address that the browser is sent to, without following it. Rejects with `SandboxError` when the page
   * sends it nowhere.
   */
  async consent(url: string, options: ConsentOptions = {}): Promise<string> {
    checkConsent(options);
    const { approve = true, account = null } = options;
    const wanted = { url, decision: approve ? "approve" : "cancel", account };
    return ((await this.#control.call("POST", "/consent", wanted)) as { redirect_to: string }).redirect_to;
  }

  /** The emails and SMS that the brokers sent, oldest first. */
  async inbox(): Promise<readonly Message[]> {
    const { messages } = (await this.#control.call("GET", "/inbox")) as { messages: readonly Message[] };
    return messages;
  }

  /** What address the brokers see: this one, `"home"` for each account's own primary one, or `null` for the real one. */
  async setSourceIp(ip: string | null): Promise<void> {
    await this.#control.call("PUT", "/source-ip", { ip });
  }

  /** How far the script has come; `null` without one. */
  async script(): Promise<ScriptReport | null> {
    const report = renamed((await this.#control.call("GET", "/script")) as object, camel);
    return report["script"] === null ? null : (report as unknown as ScriptReport);
  }

  /** Sets switches by name; {@link Sandbox.switches} lists them. */
  async switch(values: Readonly<Record<string, SwitchValue>>): Promise<void> {
    await this.#control.call("PATCH", "/switches", values);
  }

  /** All switches: behaviour that the brokers' documents leave open, as the sandbox describes it. */
  async switches(): Promise<unknown> {
    return this.#control.call("GET", "/switches");
  }

  /** Ends it, within a second. */
  async stop(): Promise<void> {
    this.#control.close();
    await this.#child.stop();
  }

  /** Ends it, within a second. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Begins to end it; it is gone within a second. */
  [Symbol.dispose](): void {
    void this.stop();
  }

  #account<B extends BrokerName>(broker: B, index: number): Extract<SamcoAccount | AngelOneAccount, { broker: B }> {
    this.#child.assertRunning();
    const account = this.accounts.filter((one) => one.broker === broker)[index];
    if (account === undefined) throw invalidInput("account", `${index} does not exist at ${broker}`);
    return account as Extract<SamcoAccount | AngelOneAccount, { broker: B }>;
  }
}

function rfc3339(at: Date | string): string {
  return typeof at === "string" ? at : at.toISOString();
}

function renamed(values: object, rename: (name: string) => string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [rename(name), value]));
}
