// Samco's OAuth login on a web server: /login sends a person to the broker's page, which sends them back to /callback. The
// session and the begun logins are in a store, so that any pod may receive the callback.
//
//   export PREOPEN_KEY=... SAMCO_API_KEY=... SAMCO_REDIRECT_URL=https://app.example/callback
//   node examples/oauth-express.mjs 3000
//
// It needs the package express (5). Put it behind your own sign-in, and https in front of it.

import { once } from "node:events";
import { pathToFileURL } from "node:url";

import express from "express";

import { InvalidInputError, LoginRequiredError, PreopenError, Session, samcoOAuth } from "preopen";

// No cookie is needed for the login to work: the state in the address proves that it was begun here, by any pod, and it is
// used once. It does not prove that it was begun in the same browser: whoever may open /login can begin one and have another
// person's browser end it, so that this server trades on the wrong account. Your own sign-in in front of both paths keeps
// strangers out. Among people who do not trust each other, set a cookie at /login (HttpOnly, Secure, SameSite=Lax) with a
// digest of the state, and compare it in /callback.

/** The web server of a session. */
export function createApp(session) {
  const app = express();
  app.disable("x-powered-by");
  app.use((request, reply, next) => {
    // Addresses of the callback hold the login's code: no cache keeps them, no other site is told, no log should have them.
    reply.set({ "cache-control": "no-store", "referrer-policy": "no-referrer" });
    next();
  });
  app.get("/login", async (request, reply) => {
    const { url } = await session.beginLogin();
    reply.redirect(303, url);
  });
  app.get("/callback", async (request, reply) => {
    // Path and query are enough: Preopen compares path and state, and takes the code out of it.
    await session.completeLogin(request.originalUrl);
    // The code leaves the address bar.
    reply.redirect(303, "/");
  });
  app.get("/", async (request, reply) => {
    try {
      // Looks into the store, where another pod may have left a newer session. What this pod knows by itself may be old.
      await session.token();
    } catch (error) {
      if (!(error instanceof LoginRequiredError)) throw error;
      return reply.json({ session: "nobody is logged in" });
    }
    const { name, generation, expiresAt } = session.state();
    reply.json({ session: name, generation, expiresAt });
  });
  app.use((error, request, reply, next) => {
    if (!(error instanceof PreopenError)) return next(error);
    // A person must do something: begin again, or agree. Everything else is ours or the broker's. The text holds no secret,
    // whatever was in the address.
    const personal = error instanceof InvalidInputError || error instanceof LoginRequiredError;
    reply.status(personal ? 400 : 503).type("text").send(error.message);
  });
  return app;
}

async function main([port = "3000"]) {
  // redis://... where the pods are on several hosts.
  const session = new Session(samcoOAuth.fromEnv(), { store: "file" });
  try {
    const server = createApp(session).listen(Number(port), "127.0.0.1");
    await once(server, "listening");
    console.log(`http://127.0.0.1:${port}/login`);
    await once(server, "close");
  } finally {
    session.close();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main(process.argv.slice(2));
