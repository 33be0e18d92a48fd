// Compiled, never run: what users may write, and what the compiler must refuse.

import { CredentialsRejectedError, InvalidInputError, PreopenError, Session, angelOne, samco } from "preopen";
import type { Advice, Credentials, ErrorCode, Logout, Profile, Reply, SessionState, Token, WhoAmI } from "preopen";
import { Sandbox, SandboxError } from "preopen/sandbox";

const credentials: Credentials = samco({ apiKey: "key", apiSecret: "secret" });
const account: Credentials = angelOne({ apiKey: "key", clientCode: "A1", pin: "0000", totpSecret: "JBSWY3DP" });
samco.fromEnv() satisfies Credentials;

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
  const profile: Profile = await session.profile({ signal });
  const reply: Reply = await session.get("/quote/getQuote", { params: { symbolName: "INFY", count: 3, all: true, list: [1, 2] }, signal });
  // @ts-expect-error unknown data must be looked at first
  reply.data.quoteDetails;
  const typed: Reply<{ price: string }> = await session.get<{ price: string }>("/x", { params: new URLSearchParams() });
  const price: string = typed.data.price;
  await session.post("/order/placeOrder", { json: { quantity: 1 }, headers: { "x-tag": "a" }, replaySafe: false, timeout: 3 });
  await session.put("/x", { json: {} });
  await session.delete("/x");
  // @ts-expect-error no such option
  await session.get("/x", { retries: 3 });
  const state: SessionState = session.state();
  const name: "signed_out" | "opening" | "active" | "expired" | "blocked" | "closed" = state.name;
  const logout: Logout = await session.logout();
  session.invalidate(token.generation);
  session.reset();
  session.close();
  void [text, name, end, headers, verdict, profile, price, state.expiresAt?.getTime(), logout.error?.code];
}

export async function sandbox(): Promise<void> {
  await using broker = await Sandbox.start({ tls: true });
  const session: Session = broker.session("samco", { account: 1, timeout: 2 });
  // @ts-expect-error no such broker
  broker.session("kite");
  await broker.fault("samco", "/session/token", { status: 503, times: 2, bodyKind: "html", delayMs: 5 });
  // @ts-expect-error no such body
  await broker.fault("samco", "/session/token", { bodyKind: "pdf" });
  const now: Date = await broker.clock.advanceTo("08:00 IST");
  const { count, requests } = await broker.requests({ broker: "samco" });
  void [session, now, count, requests[0]?.path, broker.samcoCredentials(0), broker.angeloneCredentials()];
}

export function handle(error: unknown): string {
  if (error instanceof SandboxError) return error.message;
  if (!(error instanceof PreopenError)) return "not ours";
  const code: ErrorCode = error.code;
  const advice: Advice = error.advice;
  if (error instanceof CredentialsRejectedError) return `${error.which ?? "?"} ${error.retryable}`;
  if (error instanceof InvalidInputError) return error.field ?? "";
  // @ts-expect-error not a code
  if (error.code === "nonsense") return "";
  return `${code} ${advice} ${error.serverTime?.toISOString() ?? ""} ${(error.validationErrors ?? []).join()}`;
}
