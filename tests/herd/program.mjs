// One Node program of a herd: makes its session, waits for the start, asks for the token.
import { readSync, writeSync } from "node:fs";
import { createHash } from "node:crypto";

import { Session, samco } from "preopen";

const { SAMCO_API_KEY: apiKey, SAMCO_API_SECRET: apiSecret, HERD_URL: baseUrl, HERD_STORE: store } = process.env;
const session = new Session(samco({ apiKey, apiSecret }), { baseUrl, store });
writeSync(1, "ready\n");
readSync(0, Buffer.alloc(1));
const began = performance.now();
const token = await session.token();
const waited = Math.round(performance.now() - began);
const digest = createHash("sha256").update(token.expose()).digest("hex");
writeSync(1, `${JSON.stringify({ digest, generation: token.generation, waited })}\n`);
