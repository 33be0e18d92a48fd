// Goes one path of the Node package so often: node client.mjs PATH TIMES, settings in PREOPEN_INSTRUCTIONS.
import { Session, samco } from "preopen";

const [path, times] = process.argv.slice(2);
const settings = JSON.parse(process.env.PREOPEN_INSTRUCTIONS);
const session = new Session(samco({ apiKey: settings.api_key, apiSecret: settings.api_secret }), { baseUrl: settings.url });
await session.token();

const paths = { token: () => session.token(), headers: () => session.headers() };
const method = paths[path];
for (let n = 0; n < Number(times); n += 1) await method();

// One that was renewed meanwhile went another path.
if ((await session.token()).generation !== 1) throw new Error("the session was renewed meanwhile");
session.close();
