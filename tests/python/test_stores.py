"""Sessions that are shared through a store: the options, and stores of a program's own."""

import asyncio
import gc
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import QUOTE, READ, ROOT, logins, run_script, until
from renderings import assert_no_secret
from stores import WRONG, Asynchronous, MemoryClaim, MemoryStore, NoExclusion, with_claim
from test_secrets import assert_frames_hide, secrets_of

import preopen
from preopen.testing import StoreViolationError, check_async_store, check_store

SAMCO = preopen.Samco(api_key="a-key", api_secret="a-secret")
KINDS = ["session", "async_session"]
KEY = preopen.generate_key()


def type_and_length(value):
    """A name for a test that is the same in every process: keys are random."""
    return f"{type(value).__name__}{len(value) if hasattr(value, '__len__') else ''}"


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("PREOPEN_KEY", raising=False)


def do(session, name, *arguments, **options):
    """A call of either kind of session."""
    result = getattr(session, name)(*arguments, **options)
    return asyncio.run(awaited(result)) if asyncio.iscoroutine(result) else result


async def awaited(coroutine):
    return await coroutine


def refused(field, kind=preopen.Session, **options):
    with pytest.raises(preopen.InvalidInputError) as caught:
        kind(SAMCO, **options)
    assert caught.value.field == field
    return str(caught.value)


class NoCoroutine:
    """Has every name, and nothing that can be called."""

    read = claim = None


class Describes(MemoryStore):
    def __init__(self, said):
        super().__init__()
        self.said = said

    def describe(self):
        return self.said() if callable(self.said) else self.said


def raising(error):
    def fail(*_):
        raise error

    return fail


@pytest.mark.parametrize("kind", [preopen.Session, preopen.AsyncSession])
class TestOptions:
    @pytest.mark.parametrize("value", [5, b"memory", True, object(), [], MemoryStore, NoCoroutine()])
    def test_what_is_no_store(self, kind, value):
        assert "an object with read and claim, not" in refused("store", kind, store=value, store_key=KEY)

    @pytest.mark.parametrize("value", ["", "memcached", "http://127.0.0.1", "memory:x"])
    def test_what_is_no_address(self, kind, value):
        assert "memory" in refused("store", kind, store=value)

    @pytest.mark.parametrize("store", ["memory", MemoryStore()])
    @pytest.mark.parametrize("value", ["short", "", 5, b"k", KEY[:-2], KEY + KEY], ids=type_and_length)
    def test_what_is_no_key(self, kind, store, value):
        text = refused("store_key", kind, store=store, store_key=value)
        assert not isinstance(value, str) or not value or value not in text

    def test_a_store_of_ones_own_knows_no_keyring(self, kind):
        assert "PREOPEN_KEY" in refused("store_key", kind, store=MemoryStore(), store_key="keyring")
        kind(SAMCO, store="memory", store_key="keyring")

    def test_a_key_there_must_be(self, kind, monkeypatch):
        store = MemoryStore()
        assert "PREOPEN_KEY" in refused("store_key", kind, store=store)
        monkeypatch.setenv("PREOPEN_KEY", "CANARY-no-key")
        assert "CANARY" not in refused("store_key", kind, store=store)
        monkeypatch.setenv("PREOPEN_KEY", KEY)
        assert kind(SAMCO, store=store).store == "a store of the tests"
        assert store.calls == []

    @pytest.mark.parametrize("value", ["", "log in", "LOGIN", 5, True, None])
    def test_what_to_do_on_loss(self, kind, value):
        if value is None:
            # As all options: nothing is the default.
            assert kind(SAMCO, on_store_loss=None).store is None
        else:
            assert "on_store_loss" in refused("on_store_loss", kind, on_store_loss=value)

    def test_the_default_is_no_store(self, kind):
        for options in (
            {},
            {"store": None},
            {"store": "memory"},
            {"store": " memory ", "on_store_loss": "login"},
        ):
            assert kind(SAMCO, **options).store is None

    def test_a_store_may_describe_itself(self, kind):
        class Plain:
            def __init__(self):
                self.read = self.claim = lambda account: None

        assert kind(SAMCO, store=Plain(), store_key=KEY).store == "Plain"
        assert kind(SAMCO, store=Describes("rows of ops@db1"), store_key=KEY).store == "rows of ops@db1"
        session = kind(SAMCO, store=Describes("é" * 200), store_key=KEY)
        with pytest.raises(AttributeError):
            session.store = "another"

    @pytest.mark.parametrize(
        ("said", "told"),
        [
            ("", "one line"),
            ("two\nlines", "one line"),
            ("x" * 201, "one line"),
            (5, "gave int, not str"),
            (None, "gave NoneType, not str"),
            (raising(KeyError("CANARY")), "raised KeyError"),
            (lambda: awaited(None), "gave coroutine, not str"),
        ],
    )
    def test_a_description_is_one_line(self, kind, said, told):
        text = refused("store", kind, store=Describes(said), store_key=KEY)
        assert told in text
        assert "CANARY" not in text

    def test_nothing_is_done_before_the_first_call(self, kind):
        store = MemoryStore()
        session = kind(SAMCO, store=store, store_key=KEY)
        repr(session), session.state(), session.store, session.reset()
        assert store.calls == []


def share(sandbox, store, kind="session", **options):
    return getattr(sandbox, kind)("samco", store=store, **{"store_key": KEY, **options})


@pytest.mark.parametrize("made", [lambda store: store, Asynchronous], ids=["plain", "async"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_session_is_found_by_the_next_program(sandbox, kind, made):
    store = MemoryStore()
    first = share(sandbox, made(store), kind)
    token = do(first, "token")
    assert first.store == "a store of the tests"
    second = share(sandbox, made(store), kind)
    assert do(second, "token").expose() == token.expose()
    do(first, "get", READ["samco"], params=QUOTE)
    do(second, "get", READ["samco"], params=QUOTE)
    assert logins(sandbox) == 1
    # Whoever is told of the end first renews it for both.
    sandbox.clock.advance_to("08:00 IST")
    assert {do(session, "token").generation for session in (first, second)} == {2}
    assert logins(sandbox) == 2
    assert store.claimed == set()
    # The key of another program, or none of it.
    (text,) = store.kept.values()
    assert token.expose() not in text
    other = share(sandbox, made(store), kind, store_key=preopen.generate_key())
    with pytest.raises(preopen.LoginRequiredError):
        do(other, "token")
    assert logins(sandbox) == 2


def test_the_key_of_the_environment_is_known_to_all_programs(sandbox, monkeypatch):
    monkeypatch.setenv("PREOPEN_KEY", KEY)
    store = MemoryStore()
    first = share(sandbox, store, store_key=None)
    token = first.token().expose()
    assert share(sandbox, store, store_key=None).token().expose() == token
    # However a program got it.
    monkeypatch.delenv("PREOPEN_KEY")
    given = share(sandbox, store, store_key=KEY)
    assert given.token().expose() == token
    with pytest.raises(preopen.LoginRequiredError):
        share(sandbox, store, store_key=preopen.generate_key()).token()
    handed = MemoryStore()
    token = share(sandbox, handed, store_key=KEY).token().expose()
    monkeypatch.setenv("PREOPEN_KEY", KEY)
    assert share(sandbox, handed, store_key=None).token().expose() == token


@pytest.mark.parametrize("made", [lambda store: store, Asynchronous], ids=["plain", "async"])
def test_many_threads_with_sessions_of_their_own_log_in_once(sandbox, made):
    store = MemoryStore()
    sessions = [share(sandbox, made(store)) for _ in range(16)]
    barrier = threading.Barrier(len(sessions))

    def token(session):
        barrier.wait()
        return session.token().generation

    with ThreadPoolExecutor(len(sessions)) as pool:
        assert set(pool.map(token, sessions)) == {1}
    assert logins(sandbox) == 1
    until(lambda: store.claimed == set())


def test_many_tasks_with_sessions_of_their_own_log_in_once(sandbox):
    async def main():
        store = MemoryStore()
        shared = Asynchronous(store)
        sessions = [share(sandbox, shared, "async_session") for _ in range(16)]
        tokens = await asyncio.gather(*(session.token() for session in sessions))
        assert {token.generation for token in tokens} == {1}
        # All of it ran here.
        assert shared.loops == {asyncio.get_running_loop()}

    asyncio.run(main())
    assert logins(sandbox) == 1


WITH_LOCK_FILE = """
import fcntl, os, pathlib
class Folder:
    def __init__(self, path):
        self.path = pathlib.Path(path)
    def read(self, account):
        file = self.path / account
        return file.read_text() if file.exists() else None
    def claim(self, account):
        lock = open(self.path / (account + ".lock"), "a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return None
        return Held(self, account, lock)
class Held:
    def __init__(self, store, account, lock):
        self.store, self.account, self.lock = store, account, lock
        self.value = store.read(account)
    def write(self, value):
        part = self.store.path / (self.account + ".part")
        part.write_text(value)
        os.replace(part, self.store.path / self.account)
        return True
    def release(self):
        self.lock.close()
"""


def programs(sandbox, count, text, *arguments):
    """Runs as many programs at the same time; what each printed."""
    account = next(one for one in sandbox.accounts if one["broker"] == "samco")
    given = [sandbox.samco_url, account["api_key"], account["api_secret"], *arguments]
    with ThreadPoolExecutor(count) as pool:
        ran = [pool.submit(run_script, text, *given, seconds=60) for _ in range(count)]
        results = [one.result() for one in ran]
    assert [(code, err) for code, _, err in results] == [(0, "")] * count
    return [out.strip() for _, out, _ in results]


@pytest.mark.skipif(sys.platform == "win32", reason="flock is of Unix; the file store is for Windows too")
def test_many_processes_log_in_once(sandbox, tmp_path):
    text = f"""
{WITH_LOCK_FILE}
import sys, preopen
session = preopen.Session(preopen.Samco(api_key=sys.argv[2], api_secret=sys.argv[3]), base_url=sys.argv[1],
    store=Folder(sys.argv[4]), store_key=sys.argv[5])
print(session.token().generation)
"""
    assert programs(sandbox, 8, text, tmp_path, KEY) == ["1"] * 8
    assert logins(sandbox) == 1


SECRET = "CANARY-of-a-store"


class Failing:
    """A store with one method that does something else."""

    def __new__(cls, method, instead, within=MemoryStore):
        if method in ("read", "claim"):
            store = within()
            setattr(store, method, instead)
            return store
        return with_claim(**{method: lambda claim, *arguments: instead(*arguments)})()


METHODS = ["read", "claim", "write", "good_for"]


@pytest.mark.parametrize("later", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [KeyError(SECRET), SystemExit(SECRET), KeyboardInterrupt(SECRET)], ids=repr)
@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_raises(sandbox, kind, method, error, later):
    async def fails(*_):
        raise error

    store = Failing(method, fails if later else raising(error))
    session = share(sandbox, store, kind)
    with pytest.raises(preopen.StoreUnavailableError) as caught:
        do(session, "token")
    assert f"its {method}() raised {type(error).__name__}" in str(caught.value)
    assert "a store of the tests" in str(caught.value)
    assert caught.value.broker == "samco"
    assert_no_secret(caught.value.with_traceback(None), [SECRET, KEY])
    # Nothing was sent before others could know of it, and nobody is locked out.
    assert logins(sandbox) == 0
    until(lambda: store.claimed == set())


@pytest.mark.parametrize("later", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize(
    ("method", "value", "told"),
    [
        ("read", 5, "its read() gave int, not str or None"),
        ("read", b"text", "its read() gave bytes, not str or None"),
        ("claim", True, "its claim() gave bool without a method write"),
        ("claim", object(), "its claim() gave object without a method write"),
        ("write", None, "its write() gave NoneType, not bool"),
        ("write", 1, "its write() gave int, not bool"),
        ("good_for", None, "its good_for() gave NoneType, not float"),
        ("good_for", True, "its good_for() gave bool, not float"),
        ("good_for", "30", "its good_for() gave str, not float"),
        ("good_for", -1, "its good_for() gave what is no number of seconds"),
        ("good_for", float("nan"), "its good_for() gave what is no number of seconds"),
    ],
)
def test_a_method_that_gives_something_else(sandbox, method, value, told, later):
    async def gives(*_):
        return value

    store = Failing(method, gives if later else lambda *_: value)
    with pytest.raises(preopen.StoreUnavailableError) as caught:
        share(sandbox, store).token()
    assert told in str(caught.value)
    assert logins(sandbox) == 0
    until(lambda: store.claimed == set())


@pytest.mark.parametrize("value", [5, b"text", "half \ud800"])
def test_a_claim_whose_value_is_something_else_is_released(sandbox, value):
    class Odd(MemoryStore):
        def make_claim(self, account):
            return MemoryClaim(self, account, value)

    store = Odd()
    with pytest.raises(preopen.StoreUnavailableError, match=r"its claim\(\) gave MemoryClaim whose value is"):
        share(sandbox, store).token()
    until(lambda: store.claimed == set())


def test_a_claim_whose_value_raises_is_released(sandbox):
    class Claim(MemoryClaim):
        value = property(raising(ValueError(SECRET)), lambda self, value: None)

    class Odd(MemoryStore):
        def make_claim(self, account):
            return Claim(self, account, None)

    store = Odd()
    with pytest.raises(preopen.StoreUnavailableError, match="whose value raised ValueError") as caught:
        share(sandbox, store).token()
    assert SECRET not in str(caught.value)
    until(lambda: store.claimed == set())


def test_a_claim_that_is_lost_is_not_used(sandbox):
    store = with_claim(write=lambda claim, value: False)()
    with pytest.raises(preopen.StoreUnavailableError, match="lost"):
        share(sandbox, store).token()
    assert logins(sandbox) == 0


def test_a_login_is_not_sent_with_a_lease_that_is_too_short_for_it(sandbox):
    store = with_claim(good_for=lambda claim: 1.0)()
    with pytest.raises(preopen.StoreUnavailableError, match="lost"):
        share(sandbox, store).token()
    assert logins(sandbox) == 0
    for lasting in (60, float("inf"), 1e300):
        store = with_claim(good_for=lambda claim, lasting=lasting: lasting)()
        assert share(sandbox, store).token().generation == 1


def test_a_live_session_is_served_while_its_store_is_away(sandbox):
    store = MemoryStore()
    session = share(sandbox, store)
    token = session.token().expose()
    store.read = store.claim = raising(OSError())
    assert session.token().expose() == token
    session.get(READ["samco"], params=QUOTE)
    with pytest.raises(preopen.StoreUnavailableError, match="raised OSError"):
        share(sandbox, store).token()
    # Unless it is asked for on purpose.
    assert share(sandbox, store, on_store_loss="login").token().generation
    assert logins(sandbox) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_method_that_hangs_holds_up_nobody_else(sandbox, kind):
    wait = threading.Event()

    async def hangs(account):
        await asyncio.sleep(1000)

    store = MemoryStore()
    store.read = hangs if kind == "async_session" else lambda account: wait.wait(60) and None
    session = share(sandbox, store, kind)

    async def closed_meanwhile():
        waiting = asyncio.ensure_future(session.token())
        await asyncio.sleep(0.2)
        await session.close()
        with pytest.raises(preopen.InvalidInputError):
            await waiting

    if kind == "async_session":
        asyncio.run(closed_meanwhile())
    else:
        closing = threading.Timer(0.2, session.close)
        closing.start()
        with pytest.raises(preopen.InvalidInputError) as caught:
            session.token()
        assert caught.value.field == "session"
        closing.join()
    assert share(sandbox, MemoryStore()).token().generation == 1
    wait.set()


def test_a_method_that_hangs_is_given_up_after_30_seconds(sandbox):
    wait = threading.Event()
    store = MemoryStore()
    store.read = lambda account: wait.wait(60) and None
    began = time.monotonic()
    with pytest.raises(preopen.StoreUnavailableError, match=r"its read\(\) gave no answer within 30 s"):
        share(sandbox, store).token()
    assert time.monotonic() - began >= 30
    wait.set()


def test_a_session_that_is_closed_in_a_login_gives_its_claim_back(sandbox):
    store = MemoryStore()
    sandbox.fault("samco", "/session/token", delay_ms=1000)
    session = share(sandbox, store)

    def token():
        with pytest.raises(preopen.InvalidInputError):
            session.token()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(token)
        until(lambda: store.claimed != set())
        session.close()
        waiting.result()
    until(lambda: store.claimed == set())


def test_a_store_that_refers_to_its_session_is_collected(sandbox):
    class Strategy(MemoryStore):
        def __init__(self):
            super().__init__()
            self.session = share(sandbox, self)

    strategy = Strategy()
    strategy.session.token()
    strategy.session.invalidate(1)
    strategy.session.token()
    gone, claimed = weakref.ref(strategy), strategy.claimed
    until(lambda: claimed == set())
    del strategy
    # A claim was kept until it was released; its thread may still be on its way out.
    until(lambda: gc.collect() is None or gone() is None)


def test_claims_are_not_kept(sandbox):
    claims = []

    class Noting(MemoryStore):
        def make_claim(self, account):
            claim = super().make_claim(account)
            claims.append(weakref.ref(claim))
            return claim

    session = share(sandbox, Noting())
    for generation in (1, 2, 3):
        assert session.token().generation == generation
        session.invalidate(generation)

    def gone():
        # What is let go on a thread without Python's lock is counted down at the next call of the module.
        session.state()
        gc.collect()
        return all(claim() is None for claim in claims)

    until(gone)
    assert len(claims) >= 3


EXITS = {
    "a method sleeps": "store.read = lambda account: time.sleep(60)",
    "a method waits in a task": """
async def read(account):
    await asyncio.sleep(60)
store.read = read
""",
    "a claim is held": """
def write(value):
    time.sleep(60)
claim = type("Claim", (), dict(value=None, write=staticmethod(write), release=lambda self: None))()
store.claim = lambda account: claim
""",
}


@pytest.mark.parametrize("body", EXITS.values(), ids=EXITS)
def test_the_interpreter_ends_while_a_method_runs(sandbox, body):
    text = f"""
import asyncio, sys, threading, time, types
import preopen
store = types.SimpleNamespace(read=lambda account: None, claim=None)
store.claim = lambda account: None
{body}
session = preopen.Session(preopen.Samco(api_key="k", api_secret="s"), base_url=sys.argv[1], store=store,
    store_key=sys.argv[2])
threading.Thread(target=session.token, daemon=True).start()
time.sleep(0.3)
print("end")
"""
    began = time.monotonic()
    assert run_script(text, sandbox.samco_url, KEY) == (0, "end\n", "")
    assert time.monotonic() - began < 20


def test_secrets_of_a_store_show_nowhere(sandbox):
    class Secretive(MemoryStore):
        password = SECRET

        def __repr__(self):
            return f"Secretive({SECRET})"

    store = Secretive()
    session = share(sandbox, store)
    token = session.token()
    secrets = [SECRET, KEY, token.expose(), *secrets_of(sandbox, session)]
    for thing in (session, session._native, session._callbacks, session.state(), session.store):
        assert_no_secret(thing, secrets)
    # What the store was given, in every call.
    (text,) = store.kept.values()
    for secret in [KEY, *secrets_of(sandbox, session)]:
        assert secret not in text
    store.read = store.claim = raising(OSError(SECRET))
    with pytest.raises(preopen.StoreUnavailableError) as caught:
        share(sandbox, store).token()
    assert_no_secret(caught.value.with_traceback(None), secrets)


ADDRESS = f"redis://user:{SECRET}@127.0.0.1:1/0/no/such/path"


@pytest.mark.parametrize("kind", [preopen.Session, preopen.AsyncSession])
@pytest.mark.parametrize(
    "options",
    [
        {"store": ADDRESS, "timeout": -1},
        {"store": f"memcached://user:{SECRET}@127.0.0.1"},
        {"store": SECRET},
        {"store": SECRET + "\ud800"},
        {"store": SECRET.encode()},
        {"store": "memory", "store_key": SECRET},
        {"store": "memory", "store_key": SECRET.encode()},
        {"store": MemoryStore(), "store_key": SECRET},
        {"store": [SECRET]},
        {"on_store_loss": SECRET},
    ],
)
def test_addresses_and_keys_show_nowhere(kind, options):
    with pytest.raises(preopen.InvalidInputError) as caught:
        kind(SAMCO, **options)
    if "on_store_loss" not in options:
        assert "__init__" in assert_frames_hide(caught.value, [SECRET])
    assert_no_secret(caught.value.with_traceback(None), [SECRET])


class TestConformance:
    def test_a_right_store_passes(self):
        check_store(MemoryStore())
        check_store(with_claim(good_for=lambda claim: 30)())
        check_store(Asynchronous(MemoryStore()))

    def test_a_right_store_of_an_event_loop_passes_on_it(self):
        store = Asynchronous(MemoryStore())

        async def main():
            await check_async_store(store)
            assert store.loops == {asyncio.get_running_loop()}
            with pytest.raises(StoreViolationError):
                await check_async_store(Asynchronous(NoExclusion()))

        asyncio.run(main())

    @pytest.fixture(scope="class")
    def checked(self):
        """What came of each wrong store; all are checked at the same time, since some take half a minute."""

        def check(make):
            with pytest.raises(AssertionError) as caught:
                check_store(make())
            return caught.value

        with ThreadPoolExecutor(len(WRONG)) as pool:
            return dict(zip(WRONG, pool.map(check, [make for make, _ in WRONG.values()])))

    @pytest.mark.parametrize("bug", WRONG)
    def test_a_wrong_store_does_not_pass(self, checked, bug):
        error, (_, checks) = checked[bug], WRONG[bug]
        assert isinstance(error, StoreViolationError)
        found = {violation.split(": ", 1)[0] for violation in error.violations}
        assert checks <= found, str(error)
        for violation in error.violations:
            assert f"- {violation}" in str(error)

    def test_a_store_that_raises_is_told_of_each_check(self):
        store = MemoryStore()
        store.claim = raising(OSError(SECRET))
        with pytest.raises(StoreViolationError) as caught:
            check_store(store)
        assert len(caught.value.violations) >= 13
        assert "its claim() raised OSError" in str(caught.value)
        assert SECRET not in str(caught.value)

    @pytest.mark.parametrize("value", ["memory", None, object(), MemoryStore])
    def test_what_is_no_store(self, value):
        with pytest.raises(preopen.InvalidInputError) as caught:
            check_store(value)
        assert caught.value.field == "store"

    def test_it_is_not_imported_with_the_package(self):
        code, out, _ = run_script("import preopen, sys; print('preopen.testing' in sys.modules)")
        assert (code, out) == (0, "False\n")


def test_the_protocols_are_there_when_they_are_asked_for():
    assert preopen.Store in type("Mine", (preopen.Store,), {}).__mro__
    assert preopen.Claim.__doc__
    assert {"Claim", "Store"} <= set(dir(preopen))
    with pytest.raises(AttributeError, match="no attribute 'store'"):
        preopen.store  # noqa: B018


TYPED = """
from typing import Optional
import preopen
from preopen.testing import check_store

class Claim:
    value: Optional[str] = None
    def write(self, value: str) -> bool: return True
    def release(self) -> None: ...

class Plain:
    def read(self, account: str) -> Optional[str]: return account
    def claim(self, account: str) -> Optional[Claim]: return Claim()

class AwaitedClaim:
    value = "text"
    async def write(self, value: str) -> bool: return True
    async def release(self) -> None: ...
    def good_for(self) -> float: return 1.0

class Awaited(preopen.Store):
    async def read(self, account: str) -> Optional[str]: return None
    async def claim(self, account: str) -> Optional[preopen.Claim]: return AwaitedClaim()

class NoStore:
    def read(self, account: str) -> bytes: return b""
    def claim(self, account: str) -> None: return None

credentials = preopen.Samco(api_key="k", api_secret="s")
for store in (Plain(), Awaited()):
    preopen.Session(credentials, store=store, on_store_loss="login")
preopen.AsyncSession(credentials, store="file", store_key="keyring")
check_store(Plain())
reveal_type(preopen.Session(credentials).store)
check_store(NoStore())  # an error
preopen.Session(credentials, on_store_loss="ignore")  # an error
"""


def test_types(tmp_path, monkeypatch):
    from mypy import api

    file = tmp_path / "typed.py"
    file.write_text(TYPED)
    monkeypatch.setenv("MYPYPATH", str(ROOT / "python"))
    out, _, _ = api.run(["--strict", "--cache-dir", str(tmp_path), str(file)])
    told = [line for line in out.splitlines() if "error:" in line or "note: Revealed" in line]
    lines = TYPED.splitlines()
    wrong = [number for number, line in enumerate(lines, 1) if line.endswith("# an error")]
    errors = [int(line.split(":")[1]) for line in told if "error:" in line]
    assert sorted(set(errors)) == wrong, out
    (revealed,) = (line for line in told if "Revealed" in line)
    assert "str" in revealed and "None" in revealed
