// `preopen/opentelemetry`: the metrics as observable instruments of OpenTelemetry. Its packages are not imported.

import "./floor.js";

import { invalidInput } from "./convert.js";
import { metrics } from "./logs.js";
import type { Metric } from "./logs.js";
import { native } from "./native.js";
import type { NativeMetricFamily } from "./native.js";
import { VERSION } from "./version.js";

/** What is used of a `MeterProvider` of `@opentelemetry/api`. */
export interface MeterProviderLike {
  getMeter(name: string, version?: string): MeterLike;
}

/** What is used of a `Meter`. */
export interface MeterLike {
  createObservableCounter(name: string, options?: InstrumentOptions): InstrumentLike;
  createObservableGauge(name: string, options?: InstrumentOptions): InstrumentLike;
  // Only `any` fits the API's own types: callbacks are compared by what they take.
  addBatchObservableCallback(callback: (result: any) => void, observables: any[]): void;
  removeBatchObservableCallback(callback: (result: any) => void, observables: any[]): void;
}

/** What an instrument is made of. */
export interface InstrumentOptions {
  description?: string;
  unit?: string;
}

/** An instrument; nothing of it is used but itself. */
export type InstrumentLike = object;

/** What is used of what a callback is given. */
interface Result {
  observe(instrument: InstrumentLike, value: number, attributes: Record<string, string>): void;
}

/** Where the metrics go. */
export interface InstrumentationOptions {
  /** For example `metrics.getMeterProvider()` of `@opentelemetry/api`, or a `MeterProvider` of the SDK. */
  readonly meterProvider: MeterProviderLike;
}

/** What a sample observes: which of its instruments, the number, and further attributes. */
type Observe = (sample: Metric) => Iterable<readonly [part: string, value: number, more?: Record<string, string>]>;

/**
 * Registers an observable instrument for each of {@link metrics}, by the same name and with its labels as attributes; they
 * are read when OpenTelemetry collects. A histogram is three counters, as in Prometheus: `..._count`, `..._sum`, and
 * `..._bucket` with the attribute `le`. Gives a function that ends it.
 *
 * ```ts
 * import { metrics } from "@opentelemetry/api";
 * import { instrument } from "preopen/opentelemetry";
 *
 * const stop = instrument({ meterProvider: metrics.getMeterProvider() });
 * ```
 *
 * @throws InvalidInputError (field `meterProvider`).
 */
export function instrument(options: InstrumentationOptions): () => void {
  const provider = options?.meterProvider as MeterProviderLike | undefined;
  if (typeof provider?.getMeter !== "function") throw invalidInput("meterProvider", "must be a MeterProvider of OpenTelemetry");
  const meter = provider.getMeter("preopen", VERSION);
  const instruments = new Map<string, InstrumentLike>();
  for (const { name, kind, unit, help } of JSON.parse(native().metricFamilies()) as NativeMetricFamily[]) {
    const settings = { description: help, unit };
    if (kind === "counter") instruments.set(name, meter.createObservableCounter(name, settings));
    else if (kind === "gauge") instruments.set(name, meter.createObservableGauge(name, settings));
    else {
      instruments.set(`${name}_count`, meter.createObservableCounter(`${name}_count`, { ...settings, unit: "1" }));
      instruments.set(`${name}_sum`, meter.createObservableCounter(`${name}_sum`, settings));
      instruments.set(`${name}_bucket`, meter.createObservableCounter(`${name}_bucket`, { ...settings, unit: "1" }));
    }
  }
  const callback = (result: Result): void => {
    for (const sample of metrics()) {
      for (const [part, value, more] of observed(sample)) {
        const one = instruments.get(sample.name + part);
        if (one !== undefined) result.observe(one, value, { ...sample.labels, ...more });
      }
    }
  };
  const all = [...instruments.values()];
  meter.addBatchObservableCallback(callback, all);
  return () => meter.removeBatchObservableCallback(callback, all);
}

const observed: Observe = (sample) => {
  if (sample.kind !== "histogram") return [["", sample.value]];
  const { count, sum, buckets } = sample;
  const bounds = buckets.map(([bound, below]) => ["_bucket", below, { le: String(bound) }] as const);
  return [["_count", count], ["_sum", sum], ...bounds, ["_bucket", count, { le: "+Inf" }]];
};
