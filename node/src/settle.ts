// Waiting for the addon. Nothing here is public.

import { questionHere } from "./ask.js";
import { unwrap } from "./convert.js";
import { native } from "./native.js";
import type { NativeCancel, Outcome } from "./native.js";

/** Waits for a call of the addon; an aborted signal rejects at once and stops the call, not its login. */
export async function settle<T>(
  signal: AbortSignal | undefined,
  start: (cancel?: NativeCancel) => Promise<Outcome<T>>,
): Promise<T> {
  signal?.throwIfAborted();
  const question = questionHere();
  if (signal === undefined && question === undefined) return unwrap(await start());
  const cancel = new (native().NativeCancel)(question);
  if (signal === undefined) return unwrap(await start(cancel));
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => {
    reject(signal.reason);
    cancel.abort();
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    return unwrap(await Promise.race([start(cancel), aborted]));
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
