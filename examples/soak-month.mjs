// Soaks a strategy: it lives through a month of market days on the embedded broker in a minute or so, with the logout of every
// morning, outages, and an address that changes. The clock stands still and is moved from one look of the strategy to the next,
// so that every run is the same.
//
//   node examples/soak-month.mjs month
//
// Scripts: ordinary-day, bad-day, month, or a TOML file of your own (docs/sandbox.md).

import { pathToFileURL } from "node:url";

import { PreopenError } from "preopen";
import { Sandbox } from "preopen/sandbox";

/** One look at the market: yours goes here. */
async function look(session) {
  await session.get("/quote/getQuote", { params: { symbolName: "INFY", exchange: "NSE" } });
}

const ist = (now) => new Date(now.getTime() + 330 * 60_000);

/** Calls the strategy every so many minutes, but not in the night: what went well, and what went wrong how often. */
export async function soak({ script = "month", minutes = 5, strategy = look, tell = console.log } = {}) {
  const seen = { ok: 0 };
  const broker = await Sandbox.start({ script, rate: 0 });
  try {
    const endsAt = Date.parse((await broker.script()).endsAt);
    const session = broker.session("samco");
    let now = await broker.clock.now();
    while (now.getTime() < endsAt) {
      try {
        await strategy(session, now);
        seen.ok += 1;
      } catch (error) {
        if (!(error instanceof PreopenError)) throw error;
        seen[error.code] = (seen[error.code] ?? 0) + 1;
        tell(`${ist(now).toISOString().slice(0, 16)} IST ${error.message}`);
      }
      const closed = ist(now).getUTCHours() >= 16;
      now = closed ? await broker.clock.advanceTo("07:30 IST") : await broker.clock.advance(60 * minutes);
    }
    const { count: logins } = await broker.requests({ broker: "samco", path: "/session/token" });
    return { seen, logins };
  } finally {
    await broker.stop();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { seen, logins } = await soak({ script: process.argv[2] });
  console.log(`${logins} logins;`, seen);
}
