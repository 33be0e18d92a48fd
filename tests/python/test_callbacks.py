"""Secrets from callbacks: when they are called, where they run, and that nothing they do harms the session,
the event loop or the interpreter."""

import asyncio
import functools
import gc
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import LOGIN, QUOTE, READ, logins, one_time_code, run_script, script, until
from test_concurrency import IGNORE_WARNINGS, PROGRAM

import preopen

KINDS = ["session", "async_session"]


def account_of(sandbox, broker="samco"):
    return next(one for one in sandbox.accounts if one["broker"] == broker)


def samco(sandbox, callback):
    return preopen.Samco(api_key=account_of(sandbox)["api_key"], api_secret=callback)


def angel_one(sandbox, **callbacks):
    account = account_of(sandbox, "angelone")
    names = ["api_key", "client_code", "pin", *([] if "totp" in callbacks else ["totp_secret"])]
    return preopen.AngelOne(**{**{name: account[name] for name in names}, **callbacks})


def do(session, name, *arguments):
    """A call of either kind of session."""
    result = getattr(session, name)(*arguments)
    return asyncio.run(awaited(result)) if asyncio.iscoroutine(result) else result


async def awaited(coroutine):
    return await coroutine


def counting(value):
    calls = []

    def callback():
        calls.append(threading.current_thread())
        return value() if callable(value) else value

    return callback, calls


def later(callback):
    """The same callback as a coroutine function."""

    async def asynchronous():
        await asyncio.sleep(0.01)
        return callback()

    return asynchronous


@pytest.mark.parametrize("made", [lambda f: f, later, lambda f: functools.partial(later(f))])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_called_once_for_a_login_and_at_no_other_time(sandbox, kind, made):
    callback, calls = counting(account_of(sandbox)["api_secret"])
    session = getattr(sandbox, kind)("samco", credentials=samco(sandbox, made(callback)))
    repr(session), session.state(), session.events(), session.reset()
    assert calls == []
    for _ in range(3):
        assert do(session, "token").generation == 1
        do(session, "headers")
        do(session, "whoami")
    assert len(calls) == 1
    session.invalidate(1)
    assert len(calls) == 1
    assert do(session, "token").generation == 2
    assert len(calls) == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("made", [lambda f: f, later])
def test_smartapi_asks_for_all_three_and_not_for_a_refresh(sandbox, kind, made):
    account = account_of(sandbox, "angelone")
    pin, pins = counting(account["pin"])
    code, codes = counting(lambda: one_time_code(account["totp_secret"], sandbox.clock))
    secret, secrets = counting(account["totp_secret"])
    typed = getattr(sandbox, kind)("angelone", credentials=angel_one(sandbox, pin=made(pin), totp=made(code)))
    assert do(typed, "token").generation == 1
    typed.invalidate(1)
    assert do(typed, "token").generation == 2
    assert (len(pins), len(codes)) == (1, 1)
    assert logins(sandbox, "angelone") == 1
    sandbox.clock.advance(seconds=60)
    made_here = getattr(sandbox, kind)("angelone", credentials=angel_one(sandbox, totp_secret=made(secret)))
    assert do(made_here, "token").generation == 1
    assert len(secrets) == 1


def test_64_threads_ask_once(sandbox):
    callback, calls = counting(account_of(sandbox)["api_secret"])

    def slow():
        time.sleep(0.2)
        return callback()

    session = sandbox.session("samco", credentials=samco(sandbox, slow))
    barrier = threading.Barrier(64)

    def token():
        barrier.wait()
        return session.token().generation

    with ThreadPoolExecutor(64) as pool:
        assert {call.result() for call in [pool.submit(token) for _ in range(64)]} == {1}
    assert (len(calls), logins(sandbox)) == (1, 1)


@pytest.mark.parametrize("made", [lambda f: f, later])
def test_a_thousand_tasks_ask_once(sandbox, made):
    callback, calls = counting(account_of(sandbox)["api_secret"])
    session = sandbox.async_session("samco", credentials=samco(sandbox, made(callback)))

    async def main():
        return await asyncio.gather(*[session.token() for _ in range(1000)])

    assert {token.generation for token in asyncio.run(main())} == {1}
    assert len(calls) == 1


def test_a_plain_callback_runs_on_a_thread_of_its_own(sandbox):
    callback, calls = counting(account_of(sandbox)["api_secret"])
    sandbox.session("samco", credentials=samco(sandbox, callback)).token()

    async def main():
        await sandbox.async_session("samco", credentials=samco(sandbox, callback)).token()

    asyncio.run(main())
    assert len(calls) == 2
    for thread in calls:
        assert thread is not threading.main_thread()
        assert (thread.name, thread.daemon) == ("preopen callback", True)
        thread.join(5)
        assert not thread.is_alive()


def test_a_coroutine_runs_on_the_loop_that_the_session_is_used_on(sandbox):
    where = []
    secret = account_of(sandbox)["api_secret"]

    async def callback():
        where.append((asyncio.get_running_loop(), threading.current_thread()))
        return secret

    session = sandbox.async_session("samco", credentials=samco(sandbox, callback))

    async def main():
        await session.token()
        return asyncio.get_running_loop(), threading.current_thread()

    for generation in (1, 2):
        assert asyncio.run(main()) == where[-1]
        session.invalidate(generation)
    # Its loops are closed by now: it gets one of its own, as with a blocking session.
    blocking = sandbox.session("samco", credentials=samco(sandbox, callback))
    blocking.token()
    loop, thread = where[-1]
    assert (thread.name, loop.is_closed()) == ("preopen callback", True)
    assert len({loop for loop, _ in where}) == 3


def test_a_warm_session_asks_without_a_running_loop(sandbox):
    where = []
    secret = account_of(sandbox)["api_secret"]

    async def callback():
        where.append(threading.current_thread().name)
        return secret

    sandbox.clock.set("2026-11-23T10:00:00+05:30")
    session = sandbox.async_session("samco", credentials=samco(sandbox, callback), keep_warm=True)

    async def main():
        await session.token()

    asyncio.run(main())
    sandbox.clock.advance_to("08:00 IST")
    sandbox.clock.advance(seconds=125)
    until(lambda: sandbox.requests("samco", LOGIN["samco"]).count == 2)
    assert where == [threading.main_thread().name, "preopen callback"]


class StrangeError(Exception):
    """An error whose text cannot be had."""

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


RAISED = [KeyError, ValueError, StrangeError, KeyboardInterrupt, SystemExit, GeneratorExit, BaseException]


@pytest.mark.parametrize("error", [*RAISED, asyncio.CancelledError], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("made", [lambda f: f, later], ids=["plain", "asynchronous"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_it_raises_is_named_and_not_quoted(sandbox, capfd, kind, made, error):
    secret = account_of(sandbox)["api_secret"]
    answers = [secret]

    def callback():
        if answers:
            raise error(answers.pop())
        return secret

    session = getattr(sandbox, kind)("samco", credentials=samco(sandbox, made(callback)))
    with pytest.raises(preopen.InvalidInputError) as caught:
        do(session, "token")
    raised = caught.value
    assert raised.message == f"the callback for api_secret raised {error.__name__}: nothing was sent"
    assert (raised.field, raised.broker, raised.__cause__, raised.__context__) == (
        "api_secret",
        "samco",
        None,
        None,
    )
    assert logins(sandbox) == 0
    # The slot is free, and everything goes on.
    assert do(session, "token").generation == 1
    sys.stdout.flush()
    assert capfd.readouterr() == ("", "")


def test_a_loop_survives_what_its_callback_raises(sandbox):
    async def callback():
        raise SystemExit("leave")

    session = sandbox.async_session("samco", credentials=samco(sandbox, callback))

    async def main():
        beat = asyncio.ensure_future(asyncio.sleep(0.2, "alive"))
        with pytest.raises(preopen.InvalidInputError, match="raised SystemExit"):
            await session.token()
        return await beat

    assert asyncio.run(main()) == "alive"


@pytest.mark.parametrize("made", [lambda f: f, later], ids=["plain", "asynchronous"])
@pytest.mark.parametrize(
    ("answer", "how"),
    [
        (b"bytes", "gave bytes, not str"),
        (1234, "gave int, not str"),
        (True, "gave bool, not str"),
        (["x"], "gave list, not str"),
        (object(), "gave object, not str"),
        ("\ud800", "gave characters that are not valid Unicode"),
    ],
)
def test_an_answer_of_another_type_is_refused(sandbox, made, answer, how):
    session = sandbox.session("samco", credentials=samco(sandbox, made(lambda: answer)))
    with pytest.raises(preopen.InvalidInputError) as caught:
        session.token()
    assert caught.value.message == f"the callback for api_secret {how}: nothing was sent"
    assert sandbox.requests().count == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("made", [lambda f: f, later], ids=["plain", "asynchronous"])
def test_nobody_there_to_answer(sandbox, kind, made):
    session = getattr(sandbox, kind)("samco", credentials=samco(sandbox, made(lambda: None)))
    events = sandbox.session("samco").events() if kind == "async_session" else session.events()
    with pytest.raises(preopen.LoginRequiredError) as caught:
        do(session, "token")
    assert (caught.value.reason, caught.value.broker) == ("not_answered", "samco")
    if kind == "session":
        event = next(events)
        assert (event.name, event.error.reason) == ("login_needed", "not_answered")
    assert sandbox.requests().count == 0


def test_an_answer_is_checked_before_anything_is_sent(sandbox):
    for field, bad in (("pin", "no digits"), ("pin", ""), ("totp_secret", "1890"), ("totp", "12345")):
        callbacks = {field: lambda bad=bad: bad}
        session = sandbox.session("angelone", credentials=angel_one(sandbox, **callbacks))
        with pytest.raises(preopen.InvalidInputError) as caught:
            session.token()
        assert caught.value.field == field
        assert "no digits" not in str(caught.value)
    assert sandbox.requests().count == 0


def test_what_may_be_a_callback():
    key = {"api_key": "a-key", "client_code": "A1", "pin": "0000"}
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEH"
    for fields, field in (
        ({**key}, "totp_secret"),
        ({**key, "totp_secret": secret, "totp": lambda: "123456"}, "totp"),
        ({**key, "totp": "123456"}, "totp"),
        ({**key, "pin": 1234, "totp_secret": secret}, "pin"),
        ({**key, "client_code": lambda: "A1", "totp_secret": secret}, "client_code"),
        ({**key, "api_key": lambda: "k", "totp_secret": secret}, "api_key"),
    ):
        with pytest.raises(preopen.InvalidInputError) as caught:
            preopen.AngelOne(**fields)
        assert caught.value.field == field
    for kind in (preopen.Session, preopen.AsyncSession):
        kind(preopen.AngelOne(**key, totp=lambda: None))
    with pytest.raises(preopen.InvalidInputError) as caught:
        preopen.Samco(api_key="k", api_secret=None)
    assert caught.value.message == "api_secret must be a str, not NoneType (or a callable)"


def test_a_slow_callback_stops_nobody_else(sandbox):
    release = threading.Event()
    secret = account_of(sandbox)["api_secret"]
    began = threading.Event()

    def callback():
        began.set()
        release.wait(10)
        return secret

    session = sandbox.session("samco", credentials=samco(sandbox, callback))
    other = sandbox.session("angelone")
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(session.token) for _ in range(2)]
        assert began.wait(5)
        assert session.state().name == "opening"
        assert other.token().generation == 1
        assert session._native.try_token() is None
        release.set()
        assert {call.result(10).generation for call in waiting} == {1}


def test_closing_ends_a_wait_for_an_answer_that_does_not_come(sandbox):
    release = threading.Event()
    session = sandbox.session("samco", credentials=samco(sandbox, lambda: release.wait(30) and None))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(session.token)
        until(lambda: session.state().name == "opening")
        session.close()
        error = waiting.exception(5)
    release.set()
    assert (type(error), error.field) == (preopen.InvalidInputError, "session")


@pytest.mark.parametrize("call", ["token", "headers", "get", "profile", "export", "whoami"])
def test_a_callback_that_calls_its_own_session_is_told_at_once(sandbox, call):
    errors, sessions = [], []

    def ask(session):
        arguments = {"get": (READ["samco"],), "export": (preopen.generate_key(),)}.get(call, ())
        return getattr(session, call)(*arguments)

    def callback():
        try:
            ask(sessions[0])
        except preopen.PreopenError as error:
            errors.append(error)
            raise

    async def asynchronous():
        try:
            await asyncio.ensure_future(ask(sessions[0]))
        except preopen.PreopenError as error:
            errors.append(error)
            raise

    for kind, made in (("session", callback), ("async_session", asynchronous)):
        sessions[:] = [getattr(sandbox, kind)("samco", credentials=samco(sandbox, made))]
        began = time.monotonic()
        with pytest.raises(preopen.InvalidInputError) as caught:
            do(sessions[0], "token")
        assert time.monotonic() - began < 2
        assert caught.value.message.startswith("the callback for api_secret raised InvalidInputError")
        error = errors.pop()
        assert (type(error), error.field) == (preopen.InvalidInputError, "session")
        assert "its own login waits" in error.message


def test_a_blocking_callback_of_an_asyncio_session_that_starts_a_loop_is_told_too(sandbox):
    sessions = []

    def callback():
        return asyncio.run(awaited(sessions[0].token())).expose()

    sessions.append(sandbox.async_session("samco", credentials=samco(sandbox, callback)))
    with pytest.raises(preopen.InvalidInputError, match="raised InvalidInputError"):
        do(sessions[0], "token")


def test_a_callback_may_use_other_sessions_and_leave_tasks_behind(sandbox):
    other = sandbox.async_session("angelone")
    secret = account_of(sandbox)["api_secret"]
    left = []

    async def background():
        # It goes on after the answer, in the same context: then the session may be asked again.
        while session._native.try_token() is None:
            await asyncio.sleep(0.01)
        session.invalidate(1)
        return await session.token()

    async def callback():
        await other.token()
        if not left:
            left.append(asyncio.ensure_future(background()))
        return secret

    session = sandbox.async_session("samco", credentials=samco(sandbox, callback))

    async def main():
        await session.token()
        return await asyncio.wait_for(left[0], 5)

    assert asyncio.run(main()).generation == 2


def test_a_callback_works_while_other_threads_are_busy(sandbox):
    callback, calls = counting(account_of(sandbox)["api_secret"])
    session = sandbox.session("samco", credentials=samco(sandbox, callback))
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            sum(range(1000))

    threads = [threading.Thread(target=busy) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        for generation in (1, 2, 3):
            assert session.token().generation == generation
            session.invalidate(generation)
    finally:
        stop.set()
    assert len(calls) == 3


def test_a_loop_that_is_left_with_a_coroutine_does_not_hold_the_session(sandbox, recwarn):
    secret = account_of(sandbox)["api_secret"]
    stuck = [True]

    async def callback():
        if stuck:
            await asyncio.sleep(60)
        return secret

    session = sandbox.async_session("samco", credentials=samco(sandbox, callback))
    loop = asyncio.new_event_loop()
    task = loop.create_task(session.token())
    loop.run_until_complete(asyncio.sleep(0.3))
    # It stands still now, with the callback in it.
    began = time.monotonic()
    with pytest.raises(preopen.InvalidInputError, match="left by its event loop"):
        asyncio.run(awaited(session.token()))
    assert 0.5 < time.monotonic() - began < 5
    stuck.clear()
    assert asyncio.run(awaited(session.token())).generation == 1
    with pytest.raises(preopen.InvalidInputError):
        loop.run_until_complete(task)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []


def test_a_loop_that_ends_cancels_its_callback(sandbox):
    secret = account_of(sandbox)["api_secret"]
    stuck = [True]

    async def callback():
        if stuck:
            await asyncio.sleep(60)
        return secret

    session = sandbox.async_session("samco", credentials=samco(sandbox, callback))

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(session.token(), 0.2)

    asyncio.run(main())
    stuck.clear()
    # The login was given up with its loop, or is about to be: at most one call sees that.
    tokens = []
    for _ in range(2):
        try:
            tokens.append(asyncio.run(awaited(session.token())))
        except preopen.InvalidInputError as error:
            assert "raised CancelledError" in error.message
    assert tokens
    assert tokens[-1].generation == 1


def test_a_session_and_a_callback_that_refers_to_it_are_freed_together(sandbox):
    class Strategy:
        def __init__(self):
            self.session = sandbox.session("samco", credentials=samco(sandbox, self.secret))

        def secret(self):
            return account_of(sandbox)["api_secret"]

    strategy = Strategy()
    strategy.session.token()
    events = strategy.session.events()
    gone = weakref.ref(strategy)
    del strategy
    gc.collect()
    assert gone() is None
    assert list(events) == []


def test_credentials_may_be_dropped_and_shared(sandbox):
    callback, calls = counting(account_of(sandbox)["api_secret"])
    credentials = samco(sandbox, callback)
    sessions = [sandbox.session("samco", credentials=credentials) for _ in range(2)]
    del credentials
    gc.collect()
    sandbox.switch(samco_second_login_revokes_first=False)
    assert [session.token().generation for session in sessions] == [1, 1]
    assert len(calls) == 2


def test_a_program_that_never_heard_of_threads_ends_in_silence(sandbox):
    text = """
import sys, preopen
secret = sys.argv[3]
credentials = preopen.Samco(api_key=sys.argv[2], api_secret=lambda: secret)
print(preopen.Session(credentials, base_url=sys.argv[1]).token().generation)
"""
    account = account_of(sandbox)
    found = run_script(text, sandbox.samco_url, account["api_key"], account["api_secret"])
    assert found == (0, "1\n", "")


# A program whose secret comes from a callback.
ASKED = (
    PROGRAM
    + """
secret = sys.argv[3]
def asking(callback, kind=preopen.Session, **options):
    return kind(preopen.Samco(api_key=sys.argv[2], api_secret=callback), base_url=sys.argv[1], **options)
"""
)

EXITS = {
    "a callback sleeps": """
s = asking(lambda: time.sleep(60))
threading.Thread(target=s.token, daemon=True).start()
while s.state().name != "opening": pass
time.sleep(0.1)
""",
    "a callback runs on": """
def busy():
    while True:
        time.sleep(0.0001)
s = asking(busy)
threading.Thread(target=s.token, daemon=True).start()
while s.state().name != "opening": pass
time.sleep(0.1)
""",
    "a callback ends while the interpreter does": """
s = asking(lambda: time.sleep(0.02) or secret)
threading.Thread(target=s.token, daemon=True).start()
while s.state().name != "opening": pass
""",
    "a coroutine runs in a loop of its own": """
async def wait():
    await asyncio.sleep(60)
s = asking(wait)
threading.Thread(target=s.token, daemon=True).start()
while s.state().name != "opening": pass
time.sleep(0.3)
""",
    "a coroutine is cancelled with its loop": """
async def wait():
    await asyncio.sleep(60)
async def main():
    asyncio.ensure_future(asking(wait, preopen.AsyncSession).token())
    await asyncio.sleep(0.1)
asyncio.run(main())
""",
    "the main thread was interrupted": """
import _thread
s = asking(lambda: time.sleep(60))
threading.Timer(0.3, _thread.interrupt_main).start()
try:
    s.token()
except KeyboardInterrupt:
    pass
""",
    "an exit handler logs in": """
s = asking(lambda: secret)
atexit.register(lambda: say(s.token().generation))
""",
}


@pytest.mark.parametrize("how", EXITS)
def test_the_process_ends_cleanly_with_a_callback_pending(sandbox, how):
    account = account_of(sandbox)
    arguments = (sandbox.samco_url, account["api_key"], account["api_secret"])
    for _ in range(3):
        began = time.monotonic()
        code, out, err = run_script(ASKED + EXITS[how], *arguments)
        assert (code, err) == (0, "")
        assert time.monotonic() - began < 20
        assert out == ("1\n" if "exit handler" in how else "")


def test_a_callback_may_read_from_the_terminal(sandbox):
    account = account_of(sandbox)
    text = 's = asking(lambda: input("secret? "))\nsay(s.token().generation)\n'
    with script(ASKED + text, sandbox.samco_url, account["api_key"], "-") as child:
        out, err = child.communicate(account["api_secret"] + "\n", timeout=30)
    assert (child.returncode, out, err) == (0, "secret? 1\n", "")


def test_a_child_that_is_forked_during_a_callback_asks_by_itself(sandbox):
    account = account_of(sandbox)
    text = """
calls = []
def callback():
    calls.append(os.getpid())
    if len(calls) == 1:
        time.sleep(1)
    return secret
s = asking(callback)
thread = threading.Thread(target=s.token)
thread.start()
while not calls:
    time.sleep(0.01)
child = os.fork()
if not child:
    assert s.token().generation >= 1
    assert calls[-1] == os.getpid()
    os._exit(0)
thread.join()
assert calls == [os.getpid()]
assert os.waitpid(child, 0)[1] == 0
say("done")
"""
    sandbox.switch(samco_second_login_revokes_first=False)
    arguments = (sandbox.samco_url, account["api_key"], account["api_secret"])
    code, out, err = run_script(IGNORE_WARNINGS + ASKED + text, *arguments)
    assert (code, out, err) == (0, "done\n", "")
    assert logins(sandbox) == 2


def test_calls_go_on_with_the_session_that_asked(sandbox):
    callback, _ = counting(account_of(sandbox)["api_secret"])
    session = sandbox.session("samco", credentials=samco(sandbox, callback))
    assert session.get(READ["samco"], params=QUOTE).http_status == 200
    assert session.logout().acknowledged
