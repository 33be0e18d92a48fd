// A strategy under `preopen run samco -- node run_child.mjs`: it reads its session from the endpoint that the command opens,
// without a package. No secret is in its environment, and after the daily end it finds the new token.
import { readFile } from "node:fs/promises";
import { get } from "node:http";
import { json } from "node:stream/consumers";

/** The live session: broker, token, headers, generation, expires_at. `after` is a generation that the broker refused. */
export async function session(after) {
  const { PREOPEN_CREDENTIALS_URL: url, PREOPEN_CREDENTIALS_AUTH_FILE: file } = process.env;
  const [name, value] = (await readFile(file, "ascii")).trim().split(": ");
  // node:http takes no proxy from the environment: the endpoint is on this machine.
  const reply = await new Promise((resolve, reject) => {
    get(after ? `${url}?after=${after}` : url, { headers: { [name]: value }, timeout: 90_000 }, resolve).on("error", reject);
  });
  const answer = await json(reply);
  // 503: worth another try after Retry-After seconds; 502: a person must act. Nothing in it is secret.
  if (reply.statusCode !== 200) throw new Error(answer.error.message);
  return answer;
}

const now = await session(); // ask again before every call: the answer is always of the live session
console.log(`${now.broker} ${now.environment}: login ${now.generation}, until ${now.expires_at}`);
console.log("headers:", Object.keys(now.headers).join(", "));
