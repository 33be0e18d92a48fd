// Callbacks that know a secret: calling them, and telling a session that one of them is calling it. Nothing here is public
// but the type.

import { AsyncLocalStorage } from "node:async_hooks";

import { unicode } from "./convert.js";
import type { NativeQuestion } from "./native.js";

/**
 * Gives a secret when a login needs it, and is not called otherwise; the answer is used for that login and then forgotten.
 * It may take up to 5 minutes: a person may have to type. All callers of the session wait for the one answer.
 *
 * - `null` or `undefined`: nobody is there to answer. The callers' calls reject with `LoginRequiredError` (reason
 *   `not_answered`), and the next call asks again.
 * - It throws, rejects or gives anything but text: they reject with `InvalidInputError` that names the field and the
 *   error's class. The error's message is left out: it may hold the secret.
 * - It calls the session that waits for it: that call rejects with `InvalidInputError` (field `session`).
 *
 * Credentials with callbacks keep no process alive. A process that nothing else keeps alive ends without an answer.
 */
export type SecretCallback = () => string | null | undefined | PromiseLike<string | null | undefined>;

/** The question that a callback answers; taken away when it has answered, for what the callback left running. */
interface Asked {
  question: NativeQuestion | undefined;
}

// Made with the first callback: it has a price for the whole process.
let asked: AsyncLocalStorage<Asked> | undefined;

/** The callback as the addon calls it. */
export function answerer(callback: SecretCallback): (question: NativeQuestion) => void {
  const storage = (asked ??= new AsyncLocalStorage<Asked>());
  return (question) => void answer(storage, question, callback);
}

/** The question whose callback runs here, if one does. */
export function questionHere(): NativeQuestion | undefined {
  return asked?.getStore()?.question;
}

async function answer(storage: AsyncLocalStorage<Asked>, question: NativeQuestion, callback: SecretCallback): Promise<void> {
  const context: Asked = { question };
  try {
    const secret: unknown = await storage.run(context, callback);
    if (secret === null || secret === undefined) question.answer(null);
    else if (typeof secret !== "string") question.fail(`gave ${kind(secret)}, not text`);
    else if (unicode(secret) !== undefined) question.fail("gave text that is not valid Unicode");
    else question.answer(secret);
  } catch (error) {
    question.fail(`threw ${kind(error)}`);
  } finally {
    context.question = undefined;
  }
}

/** The class of a value, and nothing of its content. */
export function kind(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  try {
    const name: unknown = value.constructor.name;
    if (typeof name === "string" && /^[A-Za-z_$][\w$]{0,63}$/.test(name)) return name;
  } catch {
    // A getter of the value's own, or no constructor at all.
  }
  return "an object";
}
