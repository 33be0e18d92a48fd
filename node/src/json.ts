// A body as JSON text. What `JSON.stringify` would lose or change without a word is refused. Nothing here is public.

import { invalidInput } from "./convert.js";

/** The longest path that an error shows. */
const PATH_LIMIT = 200;

/** Writes the option `json`. Throws `InvalidInputError` that names the key of what cannot be written. */
export function json(value: unknown): string {
  // The path of every object on the way down. One that comes twice is walked twice, each time under its path.
  const paths = new Map<unknown, string>();
  let refused: string | undefined;
  function check(this: unknown, key: string, given: unknown): unknown {
    const above = paths.get(this);
    const path = above === undefined ? "json" : above + step(this, key);
    const one = unboxed(given);
    // An object's undefined member is left out, as JavaScript has it.
    const mayBeAbsent = above !== undefined && !Array.isArray(this);
    let problem = key.isWellFormed() ? wrong(one, mayBeAbsent) : "has a key that is not valid Unicode";
    if (one === null && (this as Record<string, unknown>)[key] instanceof Date) problem = "is an invalid Date";
    if (problem !== undefined) {
      refused = `${shown(path)} ${problem}`;
      throw new TypeError(refused);
    }
    if (typeof one === "object" && one !== null) paths.set(one, path);
    return one;
  }
  let problem: string;
  try {
    return JSON.stringify(value, check);
  } catch (error) {
    if (refused !== undefined) problem = refused;
    else if (error instanceof RangeError) problem = "it is nested too deeply";
    else if (error instanceof TypeError && error.message.includes("circular structure")) problem = "it contains itself";
    else problem = `a toJSON failed: ${error instanceof Error ? error.message : "with no Error"}`;
  }
  throw invalidInput("json", `cannot be written as JSON: ${problem}`);
}

/** What is wrong with one value, if anything is. */
function wrong(value: unknown, mayBeAbsent: boolean): string | undefined {
  switch (typeof value) {
    case "string":
      return value.isWellFormed() ? undefined : "is text that is not valid Unicode";
    case "number":
      return Number.isFinite(value) ? undefined : `is ${value}, which JSON does not have`;
    case "boolean":
      return undefined;
    case "undefined":
      return mayBeAbsent ? undefined : "is undefined";
    case "object": {
      if (value === null || Array.isArray(value)) return undefined;
      const kind = Object.prototype.toString.call(value).slice("[object ".length, -1);
      return kind === "Object" ? undefined : `is a ${kind}: give a plain object or a list`;
    }
    default:
      return `is a ${typeof value}, which JSON does not have`;
  }
}

/** `new Number(1)` and the like as what they hold. */
function unboxed(value: unknown): unknown {
  const boxed = value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof BigInt;
  return boxed ? value.valueOf() : value;
}

function step(holder: unknown, key: string): string {
  if (Array.isArray(holder)) return `[${key}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function shown(path: string): string {
  return path.length <= PATH_LIMIT ? path : `${path.slice(0, PATH_LIMIT)}…`;
}
