// Compiled, never run: what users may write, and what the compiler must refuse.

import {
  CredentialsRejectedError,
  InvalidInputError,
  LoginRequiredError,
  PreopenError,
  Session,
  angelOne,
  angelOnePublisher,
  checkStaticIp,
  generateKey,
  mayChangeStaticIp,
  samco,
  samcoLegacy,
  samcoLoginCode,
  samcoOAuth,
} from "preopen";
import type {
  Advice,
  AngelOneCredentials,
  AngelOnePublisherCredentials,
  Claim,
  Credentials,
  ErrorCode,
  EventName,
  LoginCode,
  LoginOptions,
  LoginStart,
  Logout,
  Preflight,
  Profile,
  Rejection,
  Reply,
  SamcoLegacyCalls,
  SamcoLegacyCredentials,
  SamcoOAuthCredentials,
  SecretCallback,
  SessionEvent,
  SessionEvents,
  SessionState,
  StaticIpAnswer,
  Store,
  Token,
  WhoAmI,
} from "preopen";
import test from "node:test";

import { Sandbox, SandboxError } from "preopen/sandbox";
import { sandboxFixture, useSandbox } from "preopen/sandbox/test";
import { StoreViolationError, checkStore } from "preopen/testing";

const credentials: Credentials = samco({ apiKey: "key", apiSecret: "secret" });
const account: Credentials = angelOne({ apiKey: "key", clientCode: "A1", pin: "0000", totpSecret: "JBSWY3DP" });
samco.fromEnv() satisfies Credentials;

const prompt: SecretCallback = async () => (process.stdin.isTTY ? "typed" : null);
samco({ apiKey: "key", apiSecret: prompt });
samco({ apiKey: "key", apiSecret: () => process.env["SECRET"] });
angelOne({ apiKey: "key", clientCode: "A1", pin: () => "0000", totpSecret: prompt });
angelOne({ apiKey: "key", clientCode: "A1", pin: "0000", totp: () => "123456" });
const typed: AngelOneCredentials = { apiKey: "key", clientCode: "A1", pin: "0000", totp: prompt };
// @ts-expect-error a code is used once: it must be asked for
angelOne({ apiKey: "key", clientCode: "A1", pin: "0000", totp: "123456" });
// @ts-expect-error one source of codes, not two
angelOne({ apiKey: "key", clientCode: "A1", pin: "0000", totp: prompt, totpSecret: "JBSWY3DP" });
// @ts-expect-error one source of codes, not none
angelOne({ apiKey: "key", clientCode: "A1", pin: "0000" });
// @ts-expect-error a secret is text
samco({ apiKey: "key", apiSecret: () => 4711 });
// @ts-expect-error a callback gets nothing
samco({ apiKey: "key", apiSecret: (field: string) => field });
// @ts-expect-error the key is no secret to ask for
samco({ apiKey: prompt, apiSecret: "secret" });

// @ts-expect-error a secret is missing
samco({ apiKey: "key" });
// @ts-expect-error a PIN is text: it may begin with 0
angelOne({ apiKey: "key", clientCode: "A1", pin: 1234, totpSecret: "JBSWY3DP" });
// @ts-expect-error plain objects are no credentials
new Session({ apiKey: "key", apiSecret: "secret" });
// @ts-expect-error there is no such option
new Session(credentials, { baseURL: "http://127.0.0.1:8800" });
// @ts-expect-error seconds, not text
new Session(credentials, { timeout: "10" });
// @ts-expect-error there is no IPv5
new Session(credentials, { ipVersion: 5 });
// @ts-expect-error the token's constructor is not public
new (null as unknown as typeof Token)();

void typed;

export async function use(signal: AbortSignal): Promise<void> {
  using session = new Session(account, { baseUrl: "http://127.0.0.1:8800", timeout: 5, ipVersion: 6, allowedHosts: ["proxy.example"] });
  const token: Token = await session.token({ signal });
  const text: string = token.expose();
  const end: Date = token.expiresAt;
  // @ts-expect-error read-only
  token.generation = 2;
  const headers: Record<string, string> = await session.headers();
  const who: WhoAmI = await session.whoami();
  const verdict: "match" | "mismatch" | "unregistered" | "unsupported" = who.verdict;
  const preflight: Preflight = await session.preflight({ strict: true, signal });
  const status: "pass" | "warn" | "fail" | "unknown" | undefined = preflight.checks[0]?.status;
  // @ts-expect-error no such option
  await session.preflight({ strictly: true });
  const change: StaticIpAnswer = mayChangeStaticIp({ broker: "samco", history: [{ at: new Date(), primary: "1.1.1.1", secondary: null }] });
  const next: Date | undefined = change.at;
  // @ts-expect-error a change has a time
  mayChangeStaticIp({ broker: "samco", history: [{ primary: "1.1.1.1" }] });
  const address: string = checkStaticIp("1.1.1.1");
  const profile: Profile = await session.profile({ signal });
  const reply: Reply = await session.get("/quote/getQuote", { params: { symbolName: "INFY", count: 3, all: true, list: [1, 2] }, signal });
  // @ts-expect-error unknown data must be looked at first
  reply.data.quoteDetails;
  const typed: Reply<{ price: string }> = await session.get<{ price: string }>("/x", { params: new URLSearchParams() });
  const price: string = typed.data.price;
  const body: string = reply.text;
  const refused: readonly Rejection[] = reply.rejections;
  const reasons: [string, string | undefined, string][] = refused.map(({ at, orderId, reason }) => [at, orderId, reason]);
  await session.post("/order/placeOrder", { json: { quantity: 1 }, headers: { "x-tag": "a" }, replaySafe: false, timeout: 3 });
  await session.put("/x", { json: {} });
  await session.delete("/x");
  // @ts-expect-error no such option
  await session.get("/x", { retries: 3 });
  const record: string = await session.export({ key: generateKey(), signal });
  session.prime(record, { key: "key" });
  session.prime(await session.exportExposed({ signal }));
  await session.export();
  // @ts-expect-error a record is text
  session.prime(new Uint8Array());
  const state: SessionState = session.state();
  const skew: number | undefined = state.clockSkew;
  const name: "signed_out" | "opening" | "active" | "expired" | "blocked" | "closed" = state.name;
  const logout: Logout = await session.logout();
  session.invalidate(token.generation);
  session.reset();
  session.close();
  void [status, next, address, skew, text, name, end, headers, verdict, profile, price, body, reasons];
  void [state.expiresAt?.getTime(), logout.error?.code];
}

const oauth: SamcoOAuthCredentials = { apiKey: "key", redirectUrl: "http://127.0.0.1:8765/callback" };
const publisher: AngelOnePublisherCredentials = { apiKey: "key", clientCode: "A1" };
const old: SamcoLegacyCredentials = { userId: "AB1", password: prompt, secretApiKey: "key", yearOfBirth: "1990" };
angelOnePublisher({ ...publisher, redirectUrl: "https://app.example/callback", trustMissingState: true });
samcoLoginCode({ account: "AB1", code: prompt }) satisfies Credentials;
samcoOAuth.fromEnv() satisfies Credentials;
angelOnePublisher.fromEnv() satisfies Credentials;
samcoLegacy.fromEnv() satisfies Credentials;
// @ts-expect-error where does the browser come back to?
samcoOAuth({ apiKey: "key" });
// @ts-expect-error a code lives two minutes: it must be asked for
samcoLoginCode({ account: "AB1", code: "QX7P2M9K" });
// @ts-expect-error a year is text
samcoLegacy({ ...old, yearOfBirth: 1990 });
// @ts-expect-error true or false
angelOnePublisher({ ...publisher, trustMissingState: "yes" });
// @ts-expect-error a login code comes from a session, not from the environment
samcoLoginCode.fromEnv();

export async function logIn(signal: AbortSignal): Promise<void> {
  using session = new Session(samcoOAuth(oauth));
  const start: LoginStart = await session.beginLogin({ signal });
  const texts: string[] = [start.url, start.expiresAt.toISOString(), start.toJSON().url];
  await session.completeLogin("https://app.example/callback?code=c&state=s", { signal });
  // @ts-expect-error an address is text
  await session.completeLogin(new URL("https://app.example/callback"));
  // @ts-expect-error read-only
  start.url = "";
  const options: LoginOptions = { openBrowser: false, timeout: 60, signal, show: ({ url }) => console.log(url) };
  await session.login(options);
  await session.login({ show: async (start) => void start.url });
  // @ts-expect-error no such option
  await session.login({ port: 8765 });
  const code: LoginCode = await session.webLoginCode({ signal });
  const legacy: SamcoLegacyCalls = new Session(samcoLegacy(old)).samcoLegacy();
  const reply: Reply = await legacy.generateOtp({ signal });
  await legacy.generateSecretKey("123456");
  await legacy.registerIps("8.8.8.8", "8.8.4.4", { signal });
  await legacy.updateIps("8.8.8.8");
  // @ts-expect-error the code is missing
  await legacy.generateSecretKey();
  // @ts-expect-error a code is made by a session
  new (null as unknown as typeof LoginCode)();
  void [texts, code.expose(), code.expiresAt.getTime(), reply.httpStatus];
}

export async function listen(session: Session, signal: AbortSignal): Promise<void> {
  await using events: SessionEvents = session.events({ signal });
  const first: IteratorResult<SessionEvent, undefined> = await events.next();
  for await (const event of session.events()) {
    const name: EventName = event.name;
    const at: Date = event.at;
    const ends: Date | null = event.expiresAt;
    const error: PreopenError | null = event.error;
    const numbers: number[] = [event.generation, event.missed];
    // @ts-expect-error not the name of an event
    if (event.name === "renewal") return;
    // @ts-expect-error it may not be known
    event.expiresAt.getTime();
    // @ts-expect-error read-only
    event.missed = 1;
    void [name, at, ends, error, numbers, event.reason];
  }
  // @ts-expect-error no such option
  session.events({ limit: 3 });
  void first;
}

export async function calls(credentials: Credentials): Promise<void> {
  const session = new Session(credentials, { rateLimits: { orders: { perSecond: 5, perHour: null } } });
  const headers: Record<string, string> = await session.streamHeaders({ stream: "smart-order-update" });
  const feed: string = await session.feedToken({ signal: AbortSignal.timeout(100) });
  // @ts-expect-error no stream of a broker
  await session.streamHeaders({ stream: "quotes" });
  // @ts-expect-error a number for each span
  new Session(credentials, { rateLimits: { orders: 5 } });
  angelOne({ apiKey: "k", clientCode: "c", pin: "0", totpSecret: "s", localIp: "192.168.1.7", macAddress: "02:00:5e:10:00:01" });
  // @ts-expect-error not a number
  angelOne({ apiKey: "k", clientCode: "c", pin: "0", totpSecret: "s", publicIp: 5 });
  void [headers, feed];
}

class OwnStore implements Store {
  read(account: string): string | undefined {
    return account;
  }
  async claim(): Promise<Claim | null> {
    return { value: null, write: async (value) => value.length > 0, release: () => undefined, goodFor: () => 30 };
  }
}

export async function stores(credentials: Credentials): Promise<void> {
  const session = new Session(credentials, { store: "file", storeKey: "keyring", onStoreLoss: "login" });
  new Session(credentials, { store: new OwnStore() });
  const where: string | null = session.store;
  // @ts-expect-error no promise of a claim, but of a text
  new Session(credentials, { store: { read: () => null, claim: async () => "text" } });
  // @ts-expect-error a claim that cannot be released
  new Session(credentials, { store: { read: () => null, claim: () => ({ value: null, write: () => true }) } });
  // @ts-expect-error neither refuse nor login
  new Session(credentials, { onStoreLoss: "ignore" });
  // @ts-expect-error read-only
  session.store = null;
  await checkStore(new OwnStore());
  void [where, new StoreViolationError(["one"]).violations[0]?.length];
}

export async function sandbox(): Promise<void> {
  await using broker = await Sandbox.start({ tls: true });
  const session: Session = broker.session("samco", { account: 1, timeout: 2, keepWarm: true });
  broker.samcoCredentials(0, { apiSecret: prompt });
  broker.angeloneCredentials(0, { totp: () => "123456" });
  // @ts-expect-error no such broker
  broker.session("kite");
  await broker.fault("samco", "/session/token", { status: 503, times: 2, bodyKind: "html", delayMs: 5 });
  // @ts-expect-error no such body
  await broker.fault("samco", "/session/token", { bodyKind: "pdf" });
  const now: Date = await broker.clock.advanceTo("08:00 IST");
  const { count, requests } = await broker.requests({ broker: "samco" });
  void [session, now, count, requests[0]?.path, broker.samcoCredentials(0), broker.angeloneCredentials()];
}

test("with a broker", async (t) => {
  const broker = await useSandbox(t, { script: "bad-day", startAt: new Date(), rate: 0, tls: true });
  const script = await broker.script();
  const next: string | undefined = script?.next?.ist;
  await broker.fault("samco", "/*", { from: new Date(), until: "2026-11-23T11:05:00+05:30", status: 503 });
  // @ts-expect-error no such option
  await useSandbox(t, { speed: 5 });
  void [next, sandboxFixture({ rate: 1 })];
});

export function handle(error: unknown): string {
  if (error instanceof SandboxError) return error.message;
  if (!(error instanceof PreopenError)) return "not ours";
  const code: ErrorCode = error.code;
  const advice: Advice = error.advice;
  if (error instanceof CredentialsRejectedError) return `${error.which ?? "?"} ${error.retryable}`;
  if (error instanceof LoginRequiredError) return `${error.reason ?? ""} ${(error.clockSkew ?? 0).toFixed(0)}`;
  if (error instanceof InvalidInputError) return error.field ?? "";
  // @ts-expect-error not a code
  if (error.code === "nonsense") return "";
  return `${code} ${advice} ${error.serverTime?.toISOString() ?? ""} ${(error.validationErrors ?? []).join()}`;
}
