"""A session store in PostgreSQL: every program that uses the same database shares one broker session, and
exactly one of them logs in.

    PREOPEN_KEY=... SAMCO_API_KEY=... SAMCO_API_SECRET=... \\
        python examples/postgres_store.py samco "host=db.internal dbname=trading user=preopen"

It needs the package ``psycopg`` (3.1 or newer). `preopen.testing.check_store` finds it right, and
``tests/python/test_postgres.py`` tries it with several processes.
"""

import contextlib
import sys
import threading

import preopen

try:
    import psycopg
except ImportError:
    psycopg = None

# The claim is a row that is locked for as long as it is held, in a transaction of a connection of its own:
# the server frees it as soon as that connection ends, however its program died. Values are in another table
# and written over another connection, so that each write is durable while the claim goes on.
TABLES = """
CREATE TABLE IF NOT EXISTS preopen_claims (account text PRIMARY KEY);
CREATE TABLE IF NOT EXISTS preopen_values (account text PRIMARY KEY, fence bigint NOT NULL, value text);
"""

# Every claim raises the fence. Who lost his claim knows an old number, and changes nothing any more.
RAISE_FENCE = """
INSERT INTO preopen_values (account, fence) VALUES (%s, 1)
ON CONFLICT (account) DO UPDATE SET fence = preopen_values.fence + 1
RETURNING fence, value
"""

#: A host that vanished is noticed by the server after about 25 seconds; a query has 10.
KEEPALIVES = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
OPTIONS = "-c statement_timeout=10s " + KEEPALIVES


class PostgresStore:
    """A `preopen.Store`. Connections are made when they are needed and used again; a forked child makes a
    store of its own."""

    def __init__(self, conninfo):
        self._conninfo = conninfo
        self._idle, self._lock = [], threading.Lock()

    def describe(self):
        facts = psycopg.conninfo.conninfo_to_dict(self._conninfo)
        return f"PostgreSQL {facts.get('dbname', 'default')} on {facts.get('host', 'this machine')}"

    def create_tables(self):
        """Makes the tables, once; this may be another user's right."""
        with self.connection() as connection:
            connection.execute(TABLES)

    def read(self, account):
        with self.connection() as connection:
            row = connection.execute(
                "SELECT value FROM preopen_values WHERE account = %s", [account]
            ).fetchone()
            return row and row[0]

    def claim(self, account):
        with contextlib.ExitStack() as stack:
            holder = stack.enter_context(self.connection())
            holder.execute("INSERT INTO preopen_claims VALUES (%s) ON CONFLICT DO NOTHING", [account])
            holder.execute("BEGIN")
            # Another program's lock is skipped: waiting is the session's business.
            take = "SELECT FROM preopen_claims WHERE account = %s FOR UPDATE SKIP LOCKED"
            if holder.execute(take, [account]).fetchone() is None:
                holder.execute("ROLLBACK")
                return None
            with self.connection() as writer:
                fence, value = writer.execute(RAISE_FENCE, [account]).fetchone()
            return PostgresClaim(self, account, fence, value, holder, stack.pop_all())

    @contextlib.contextmanager
    def connection(self):
        """A connection for this block; one in which something failed is closed, and its lock is free."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = psycopg.connect(
                self._conninfo,
                autocommit=True,
                connect_timeout=10,
                options=OPTIONS,
                application_name="preopen",
            )
        try:
            yield connection
        except BaseException:
            connection.close()
            # The others have not been used for longer, and may be broken too.
            self.close()
            raise
        with self._lock:
            self._idle.append(connection)

    def close(self):
        """Closes the connections that nobody uses."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()


class PostgresClaim:
    """A `preopen.Claim`."""

    def __init__(self, store, account, fence, value, holder, stack):
        self.value = value
        self._store, self._account, self._fence = store, account, fence
        self._holder, self._stack = holder, stack

    def write(self, value):
        try:
            # Whether the transaction that holds the row goes on: the server or the network may have ended it.
            self._holder.execute("SELECT")
        except psycopg.Error:
            return False
        update = "UPDATE preopen_values SET value = %s WHERE account = %s AND fence = %s"
        with self._store.connection() as writer:
            return writer.execute(update, [value, self._account, self._fence]).rowcount == 1

    def release(self):
        with contextlib.suppress(psycopg.Error), self._stack:
            self._holder.execute("ROLLBACK")


def main(broker, conninfo):
    if psycopg is None:
        sys.exit('this example needs the package psycopg: pip install "psycopg[binary]"')
    credentials = {"samco": preopen.Samco, "angelone": preopen.AngelOne}[broker].from_env()
    with contextlib.closing(PostgresStore(conninfo)) as store, preopen.Session(
        credentials, store=store
    ) as session:
        store.create_tables()
        token = session.token()
        print(f"generation {token.generation}, until {token.expires_at}, shared through {session.store}")


if __name__ == "__main__":
    main(*sys.argv[1:])
