// The main job, from a login to its end, for whatever runs JavaScript: Node in every test run, others by hand (docs/node.md).
import { inspect } from "node:util";

import { Session, metrics, samco } from "preopen";
import { createFetch } from "preopen/fetch";
import { Sandbox } from "preopen/sandbox";

const broker = await Sandbox.start({ startAt: "2026-11-23T10:00:00+05:30", rate: 0 });
try {
  const session = broker.session("samco");
  const token = await session.token();
  console.log("token", inspect(token).includes("**redacted**"), token.generation);
  console.log("whoami", (await session.whoami()).verdict);
  console.log("get", (await session.get("/limit/getLimits")).httpStatus);
  const events = session.events();
  await broker.clock.advanceTo("08:00 IST");
  console.log("event", (await events.next()).value.name);
  console.log("again", (await session.token()).generation);
  const signal = AbortSignal.abort(new Error("enough"));
  console.log("aborted", await session.token({ signal }).catch(({ message }) => message));
  const fetch = createFetch(session);
  console.log("fetch", (await fetch("/limit/getLimits")).status);
  // Another login of the account ends the session.
  await broker.session("samco").token();
  console.log("renewed", (await fetch("/limit/getLimits")).status, (await session.token()).generation);
  const { apiKey, apiSecret } = broker.accounts[0];
  const asked = new Session(samco({ apiKey, apiSecret: async () => apiSecret }), { baseUrl: broker.samcoUrl });
  console.log("asked", (await asked.token()).generation);
  const wrong = broker.session("samco", { credentials: broker.samcoCredentials(0, { apiSecret: "wrong" }) });
  console.log("refused", await wrong.token().catch(({ name, code, which }) => [name, code, which].join(" ")));
  console.log("metrics", metrics().length > 0);
  session.close();
  console.log("closed", session.state().name);
} finally {
  await broker.stop();
}
