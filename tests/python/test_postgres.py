"""The example of a store in PostgreSQL, against a real server."""

import importlib.util
import os
import signal
import threading

import psycopg
import pytest
from conftest import ROOT, logins, script, until
from postgres import server
from test_stores import programs

import preopen
from preopen.testing import check_store

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the server of the tests listens on a Unix socket")

KEY = preopen.generate_key()
PATH = ROOT / "examples" / "postgres_store.py"


def load():
    spec = importlib.util.spec_from_file_location(PATH.stem, PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def conninfo():
    with server() as found:
        yield found


@pytest.fixture
def example():
    return load()


@pytest.fixture
def store(example, conninfo):
    store = example.PostgresStore(conninfo)
    store.create_tables()
    yield store
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("TRUNCATE preopen_claims, preopen_values")
    store.close()


PROGRAM = """
import importlib.util, sys, preopen
path, conninfo, key = sys.argv[4:]
spec = importlib.util.spec_from_file_location("postgres_store", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
store = module.PostgresStore(conninfo)
credentials = preopen.Samco(api_key=sys.argv[2], api_secret=sys.argv[3])
session = preopen.Session(credentials, base_url=sys.argv[1], store=store, store_key=key)
print(session.token().generation, flush=True)
"""


def test_it_conforms(store):
    check_store(store)


def test_many_processes_log_in_once(sandbox, store, conninfo):
    assert programs(sandbox, 8, PROGRAM, PATH, conninfo, KEY) == ["1"] * 8
    assert logins(sandbox) == 1
    # And after the daily end, beside a session of this process.
    sandbox.clock.advance_to("08:00 IST")
    with sandbox.session("samco", store=store, store_key=KEY) as session:
        assert session.token().generation == 2
    assert logins(sandbox) == 2


def test_a_program_that_is_killed_while_it_logs_in_leaves_the_claim_free(sandbox, store, conninfo):
    sandbox.fault("samco", "/session/token", delay_ms=60_000, times=1)
    account = next(one for one in sandbox.accounts if one["broker"] == "samco")
    given = [sandbox.samco_url, account["api_key"], account["api_secret"], PATH, conninfo, KEY]
    with script(PROGRAM, *given) as child:
        until(lambda: logins(sandbox) == 1)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    with psycopg.connect(conninfo) as connection:
        (guard,) = connection.execute("SELECT value FROM preopen_values").fetchone()
    # The guard was durable before the login was sent; there is no session yet.
    assert guard.startswith("|")
    assert len(guard) > 100
    with sandbox.session("samco", store=store, store_key=KEY) as session:
        assert session.token().generation
    assert logins(sandbox) == 2


def end_claims(conninfo):
    """Ends the connections that hold a claim, as a server that is restarted or a network that breaks does."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        return connection.execute(
            "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity "
            "WHERE application_name = 'preopen' AND state = 'idle in transaction'"
        ).fetchone()[0]


def test_a_claim_whose_connection_is_lost_writes_nothing_any_more(store, conninfo):
    claim = store.claim("a")
    assert claim.write("before")
    assert store.claim("a") is None
    assert end_claims(conninfo) == 1
    until(lambda: store.read("a") == "before")
    assert claim.write("after") is False
    claim.release()
    second = store.claim("a")
    assert second.value == "before"
    # The first one knows an old fence even if it did not notice.
    claim._holder = second._holder
    assert claim.write("late") is False
    assert store.read("a") == "before"
    second.release()


def test_a_login_whose_claim_is_lost_is_not_published(sandbox, store, conninfo):
    sandbox.fault("samco", "/session/token", delay_ms=1500, times=1)
    session = sandbox.session("samco", store=store, store_key=KEY)
    tokens = []
    thread = threading.Thread(target=lambda: tokens.append(session.token()))
    thread.start()
    until(lambda: logins(sandbox) == 1)
    assert end_claims(conninfo) == 1
    thread.join()
    # It was tried again under a claim of its own, and what is stored is what is served.
    other = sandbox.session("samco", store=store, store_key=KEY)
    assert {one.token().expose() for one in (session, other)} == {token.expose() for token in tokens}
    session.close(), other.close()


def test_connections_that_broke_are_replaced(store, conninfo):
    claims = [store.claim(account) for account in ("a", "b", "c")]
    for claim in claims:
        claim.release()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        end = (
            "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity "
            "WHERE application_name = 'preopen'"
        )
        assert connection.execute(end).fetchone()[0] >= 3
    with pytest.raises(psycopg.OperationalError):
        store.read("a")
    assert store.read("a") is None


def test_a_server_that_goes_away_is_a_typed_error_and_comes_back(sandbox, example):
    with server() as conninfo:
        store = example.PostgresStore(conninfo)
        store.create_tables()
        session = sandbox.session("samco", store=store, store_key=KEY)
        token = session.token().expose()
    assert session.token().expose() == token
    session.invalidate(1)
    with pytest.raises(
        preopen.StoreUnavailableError, match=r"its \w+\(\) raised (Operational|AdminShutdown)"
    ) as caught:
        session.token()
    assert "PostgreSQL postgres on /tmp/" in str(caught.value)
    assert logins(sandbox) == 1
    store.close()


def test_the_example_runs(sandbox, example, conninfo, monkeypatch, capsys):
    account = next(one for one in sandbox.accounts if one["broker"] == "samco")
    monkeypatch.setenv("SAMCO_API_KEY", account["api_key"])
    monkeypatch.setenv("SAMCO_API_SECRET", account["api_secret"])
    monkeypatch.setenv("PREOPEN_KEY", KEY)
    made = preopen.Session
    monkeypatch.setattr(preopen, "Session", lambda *given, **o: made(*given, base_url=sandbox.samco_url, **o))
    example.main("samco", conninfo)
    assert capsys.readouterr().out.startswith("generation 1, until ")
    monkeypatch.setattr(example, "psycopg", None)
    with pytest.raises(SystemExit, match="pip install"):
        example.main("samco", conninfo)
