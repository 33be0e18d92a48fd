// Takes over a session from the environment and uses it; makes no login of its own.
import { Session, samco } from "preopen";

const { PREOPEN_TEST_URL: baseUrl, PREOPEN_TEST_KEY: apiKey, PREOPEN_TEST_SECRET: apiSecret, PREOPEN_TEST_RECORD: record } = process.env;
const session = new Session(samco({ apiKey, apiSecret }), { baseUrl });
session.prime(record); // sealed with the key in PREOPEN_KEY
const reply = await session.get("/quote/getQuote", { params: { symbolName: "INFY", exchange: "NSE" } });
console.log((await session.token()).expose() === process.env.PREOPEN_TEST_TOKEN, reply.httpStatus);
