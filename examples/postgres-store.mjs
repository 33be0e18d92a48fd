// A session store in PostgreSQL: every program that uses the same database shares one broker session, and exactly one of
// them logs in.
//
//   PREOPEN_KEY=... SAMCO_API_KEY=... SAMCO_API_SECRET=... node examples/postgres-store.mjs postgres://preopen@db.internal/trading
//
// It needs the package pg (8). `checkStore` of "preopen/testing" finds it right, and tests/node/postgres.test.mjs tries it
// with several processes.

import { pathToFileURL } from "node:url";

import pg from "pg";

import { Session, samco } from "preopen";

// The claim is a row that is locked for as long as it is held, in a transaction of a connection of its own: the server frees
// it as soon as that connection ends, however its program died. Values are in another table and written over another
// connection, so that each write is durable while the claim goes on.
const TABLES = `
  CREATE TABLE IF NOT EXISTS preopen_claims (account text PRIMARY KEY);
  CREATE TABLE IF NOT EXISTS preopen_values (account text PRIMARY KEY, fence bigint NOT NULL, value text)`;

// Another program's lock is skipped: waiting is the session's business.
const TAKE = "SELECT FROM preopen_claims WHERE account = $1 FOR UPDATE SKIP LOCKED";

// Every claim raises the fence. Who lost his claim knows an old number, and changes nothing any more.
const RAISE_FENCE = `
  INSERT INTO preopen_values (account, fence) VALUES ($1, 1)
  ON CONFLICT (account) DO UPDATE SET fence = preopen_values.fence + 1
  RETURNING fence, value`;

/** A host that vanished is noticed by the server after about 25 seconds; a query has 10. */
const OPTIONS = "-c statement_timeout=10s -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3";

/** A `Store` of "preopen". Connections are made when they are needed and used again. */
export class PostgresStore {
  #values;
  #claims;

  /** `config` as `pg.Pool` takes it. */
  constructor(config) {
    const settings = { connectionTimeoutMillis: 10_000, options: OPTIONS, application_name: "preopen", allowExitOnIdle: true, ...config };
    // Two pools: claims that are held must not use up the connections that values are written over.
    this.#values = new pg.Pool({ ...settings, max: 4 });
    this.#claims = new pg.Pool({ ...settings, max: 20 });
    // An idle connection that breaks is replaced; without a listener it would end the process.
    for (const pool of [this.#values, this.#claims]) pool.on("error", () => undefined);
  }

  describe() {
    const { database, host } = new pg.Client(this.#values.options);
    return `PostgreSQL ${database} on ${host}`;
  }

  /** Makes the tables, once; this may be another user's right. */
  async createTables() {
    await this.#values.query(TABLES);
  }

  async read(account) {
    const { rows } = await this.#values.query("SELECT value FROM preopen_values WHERE account = $1", [account]);
    return rows[0]?.value;
  }

  async claim(account) {
    const holder = await this.#claims.connect();
    holder.on("error", ignore); // told by the next query
    try {
      await holder.query("INSERT INTO preopen_claims VALUES ($1) ON CONFLICT DO NOTHING", [account]);
      await holder.query("BEGIN");
      if ((await holder.query(TAKE, [account])).rowCount === 0) {
        await holder.query("ROLLBACK");
        done(holder);
        return null;
      }
      const { rows } = await this.#values.query(RAISE_FENCE, [account]);
      return new PostgresClaim(this.#values, account, rows[0], holder);
    } catch (error) {
      done(holder, true);
      throw error;
    }
  }

  /** Closes the connections; claims must be released. */
  async close() {
    await Promise.all([this.#values.end(), this.#claims.end()]);
  }
}

function ignore() {}

/** Gives a connection back to its pool; a broken one is closed, and its lock is free. */
function done(holder, broken = false) {
  holder.off("error", ignore);
  holder.release(broken);
}

class PostgresClaim {
  #values;
  #account;
  #fence;
  #holder;

  constructor(values, account, { fence, value }, holder) {
    this.value = value;
    this.#values = values;
    this.#account = account;
    this.#fence = fence;
    this.#holder = holder;
  }

  async write(value) {
    try {
      // Whether the transaction that holds the row goes on: the server or the network may have ended it.
      await this.#holder.query("SELECT");
    } catch {
      return false;
    }
    const update = "UPDATE preopen_values SET value = $1 WHERE account = $2 AND fence = $3";
    return (await this.#values.query(update, [value, this.#account, this.#fence])).rowCount === 1;
  }

  async release() {
    try {
      await this.#holder.query("ROLLBACK");
      done(this.#holder);
    } catch {
      done(this.#holder, true);
    }
  }
}

/** Says which session is shared; `options` are further ones of the session. */
export async function main(connectionString, options) {
  const store = new PostgresStore({ connectionString });
  try {
    await store.createTables();
    const session = new Session(samco.fromEnv(), { ...options, store });
    const { generation, expiresAt } = await session.token();
    console.log(`generation ${generation}, until ${expiresAt.toISOString()}, shared through ${session.store}`);
  } finally {
    await store.close();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main(process.argv[2]);
