// A session that is shared through PostgreSQL, in a process of its own: says its generation.
import { Session, samco } from "preopen";

import { PostgresStore } from "../../../examples/postgres-store.mjs";

const { PREOPEN_TEST_URL: baseUrl, PREOPEN_TEST_KEY: apiKey, PREOPEN_TEST_SECRET: apiSecret, PREOPEN_TEST_POSTGRES: config } = process.env;
const store = new PostgresStore(JSON.parse(config));
const session = new Session(samco({ apiKey, apiSecret }), { baseUrl, store });
console.log((await session.token()).generation);
await store.close();
