// Compiled, never run: the drop-ins fit the types of the clients, without a cast and without importing those.

import { channel, subscribe } from "node:diagnostics_channel";

import { metrics as api } from "@opentelemetry/api";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import axios from "axios";
import { Agent, Client, request } from "undici";
import type { Dispatcher } from "undici";
import * as floor from "undici-floor";

import { AddonError, Session, logs, metrics, samco } from "preopen";
import type { AddonErrorCode, AuditEntry, LogLevel, LogRecord, Metric } from "preopen";
import { attach } from "preopen/axios";
import { createFetch } from "preopen/fetch";
import type { Fetch } from "preopen/fetch";
import { instrument } from "preopen/opentelemetry";
import { createInterceptor } from "preopen/undici";
import type { Interceptor } from "preopen/undici";

const session = new Session(samco.fromEnv());

export async function fetches(signal: AbortSignal): Promise<void> {
  const own: Fetch = createFetch(session);
  const same: typeof fetch = createFetch(session, { fetch: own });
  const reply: Response = await same(`${session.baseUrl}/limit/getLimits`, { signal, method: "GET" });
  await own(new Request(new URL("/x", session.baseUrl)));
  // @ts-expect-error no such option
  createFetch(session, { retries: 3 });
  // @ts-expect-error a session is needed
  createFetch({});
  void reply;
}

export async function clients(): Promise<void> {
  const detach: () => void = attach(axios.create({ timeout: 1000 }), session);
  attach(axios, session);
  // @ts-expect-error no instance
  attach({}, session);
  const interceptor: Interceptor = createInterceptor(session);
  const composed: Dispatcher.DispatcherComposeInterceptor = interceptor;
  const dispatcher = new Agent().compose(interceptor);
  await request(session.baseUrl, { dispatcher });
  new Client(session.baseUrl).compose(composed);
  new floor.Agent().compose(createInterceptor(session));
  detach();
}

export function observing(): void {
  subscribe("preopen:log", (message) => {
    const { level, fields } = message as LogRecord;
    // @ts-expect-error not a level
    if (level === "verbose") return;
    void fields["broker"];
  });
  channel("preopen:audit").subscribe((message) => void (message as AuditEntry).durationMs.toFixed());
  logs.enable({ level: "debug" });
  const level: LogLevel | undefined = logs.level;
  // @ts-expect-error no such level
  logs.enable({ level: "verbose" });
  logs.disable();
  for (const metric of metrics() satisfies Metric[]) {
    const value: number = metric.kind === "histogram" ? metric.sum : metric.value;
    // @ts-expect-error a counter has no buckets
    if (metric.kind === "counter") void metric.buckets;
    void value;
  }
  const stop: () => void = instrument({ meterProvider: api.getMeterProvider() });
  instrument({ meterProvider: new MeterProvider() })();
  // @ts-expect-error a provider is needed
  instrument({});
  void [level, stop];
}

export function loading(error: unknown): string {
  if (!(error instanceof AddonError)) return "";
  const code: AddonErrorCode = error.code;
  // @ts-expect-error not public
  new AddonError("addon_missing", "linux", "problem");
  return `${code} ${error.platform}`;
}
