"""Threads, tasks, signals, forks, and the end of the interpreter."""

import asyncio
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import LOGIN, QUOTE, READ, logins, run_script, script, until

import preopen

# A program that makes the same kind of session as the test, from the sandbox's addresses.
PROGRAM = """
import asyncio, atexit, gc, os, signal, sys, threading, time
import preopen
# Whoever runs the tests in the background may have had Ctrl-C ignored for all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
samco = preopen.Samco(api_key=sys.argv[2], api_secret=sys.argv[3])
def session(kind=preopen.Session, **options):
    return kind(samco, base_url=sys.argv[1], **options)
def say(*words):
    print(*words, flush=True)
"""

# Newer Pythons warn of forks with threads, which is what is tested.
IGNORE_WARNINGS = "import warnings; warnings.simplefilter('ignore')\n"


def program(sandbox, text):
    account = next(one for one in sandbox.accounts if one["broker"] == "samco")
    return PROGRAM + text, sandbox.samco_url, account["api_key"], account["api_secret"]


@pytest.mark.parametrize("broker", ["samco", "angelone"])
def test_64_cold_threads_share_one_login(sandbox, broker):
    sandbox.fault(broker, LOGIN[broker], delay_ms=100)
    session = sandbox.session(broker)
    barrier = threading.Barrier(64)

    def token():
        barrier.wait()
        return session.token()

    with ThreadPoolExecutor(64) as pool:
        tokens = [call.result() for call in [pool.submit(token) for _ in range(64)]]
    assert {token.generation for token in tokens} == {1}
    assert len({token.expose() for token in tokens}) == 1
    assert logins(sandbox, broker) == 1


@pytest.mark.parametrize("broker", ["samco", "angelone"])
def test_a_thousand_cold_tasks_share_one_login(sandbox, broker):
    session = sandbox.async_session(broker)

    async def main():
        return await asyncio.gather(*[session.token() for _ in range(1000)])

    tokens = asyncio.run(main())
    assert {token.generation for token in tokens} == {1}
    assert logins(sandbox, broker) == 1


def test_a_thousand_calls_at_once(sandbox):
    session = sandbox.async_session("samco", timeout=60)

    async def main():
        return await asyncio.gather(*[session.get(READ["samco"], params=QUOTE) for _ in range(1000)])

    assert {reply.http_status for reply in asyncio.run(main())} == {200}
    assert logins(sandbox) == 1
    assert sandbox.requests("samco", READ["samco"]).count == 1000


def test_threads_and_tasks_share_one_failure(sandbox):
    sandbox.fault("samco", LOGIN["samco"], status=500, body="down", delay_ms=1500)
    session = sandbox.session("samco")
    with ThreadPoolExecutor(32) as pool:
        calls = [pool.submit(session.token) for _ in range(32)]
    assert {str(call.exception()) for call in calls} == {str(calls[0].exception())}
    assert type(calls[0].exception()) is preopen.BrokerUnavailableError
    assert logins(sandbox) == 1
    assert session.token().generation == 1


def test_closing_during_a_login_tells_all_who_wait(sandbox):
    sandbox.fault("samco", LOGIN["samco"], delay_ms=2000)
    session = sandbox.session("samco")
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(session.token) for _ in range(4)]
        until(lambda: session.state().name == "opening")
        session.close()
        errors = [one.exception() for one in waiting]
    assert {(type(error), error.field) for error in errors} == {(preopen.InvalidInputError, "session")}
    assert session.state().name == "closed"


def test_other_threads_run_during_a_stalled_call(sandbox):
    session = sandbox.session("samco")
    session.token()
    sandbox.fault("samco", READ["samco"], stall="before", times=2)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(session.get, READ["samco"], params=QUOTE, timeout=60)
        # These questions are asked by this thread, which must not wait for the other one.
        until(lambda: sandbox.requests("samco", READ["samco"]).count == 1)
        assert not call.done()
        assert session.token().generation == 1
        sandbox.stop()
        assert type(call.exception(timeout=10)) is preopen.NetworkError


def test_an_event_loop_runs_during_a_stalled_call(sandbox):
    session = sandbox.async_session("samco")

    async def main():
        await session.token()
        sandbox.fault("samco", READ["samco"], stall="before")
        call = asyncio.ensure_future(session.get(READ["samco"], params=QUOTE))
        loop = asyncio.get_running_loop()
        seen = 0
        while seen == 0:
            seen = await loop.run_in_executor(None, lambda: sandbox.requests("samco", READ["samco"]).count)
        assert not call.done()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return await session.get(READ["samco"], params=QUOTE)

    assert asyncio.run(main()).http_status == 200


@pytest.mark.parametrize("stalled", ["read", "login"])
def test_control_c_ends_a_stalled_call_and_the_session_stays_usable(sandbox, stalled):
    text = """
s = session(timeout=60)
stalled = sys.stdin.readline().strip()
if stalled == "read":
    s.token()
say("ready")
sys.stdin.readline()
try:
    s.token()
    s.get("/quote/getQuote", params={"symbolName": "INFY", "exchange": "NSE"})
except KeyboardInterrupt:
    say(time.monotonic())
sys.stdin.readline()
s.invalidate(1)
say(s.state().name, s.get("/limit/getLimits").http_status if stalled == "read" else "")
"""
    path = LOGIN["samco"] if stalled == "login" else READ["samco"]
    with script(*program(sandbox, text)) as child:
        say = lambda text: print(text, file=child.stdin, flush=True)  # noqa: E731
        say(stalled)
        assert child.stdout.readline() == "ready\n"
        sandbox.fault("samco", path, stall="before")
        say("go")
        until(lambda: sandbox.requests("samco", path).count == 1)
        sent = time.monotonic()
        child.send_signal(signal.SIGINT)
        caught = float(child.stdout.readline())
        assert 0 <= caught - sent <= 0.5
        out, err = child.communicate("on\n", timeout=30)
    # The login that was waited for goes on; a read was given up.
    assert (out, err, child.returncode) == ({"read": "expired 200\n", "login": "opening \n"}[stalled], "", 0)


def test_cancelling_a_task_leaves_the_login_alive(sandbox):
    sandbox.fault("samco", LOGIN["samco"], delay_ms=1500)
    session = sandbox.async_session("samco")

    async def main():
        first = asyncio.ensure_future(session.token())
        await asyncio.sleep(0)
        until(lambda: logins(sandbox) == 1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert session.state().name == "opening"
        return await asyncio.wait_for(session.token(), 10)

    assert asyncio.run(main()).generation == 1
    assert logins(sandbox) == 1


def test_a_timeout_of_asyncio_is_asyncios(sandbox):
    sandbox.fault("samco", LOGIN["samco"], stall="before")
    session = sandbox.async_session("samco")

    async def main():
        with pytest.raises(asyncio.TimeoutError) as caught:
            await asyncio.wait_for(session.token(), 0.1)
        assert not isinstance(caught.value, preopen.PreopenError)

    asyncio.run(main())


def test_one_session_serves_many_event_loops_one_after_another_and_at_once(sandbox):
    session = sandbox.async_session("samco")

    async def main():
        reply = await session.get(READ["samco"], params=QUOTE)
        return reply.http_status, (await session.token()).generation

    assert [asyncio.run(main()) for _ in range(3)] == [(200, 1)] * 3
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(lambda: asyncio.run(main())) for _ in range(8)]
    assert [call.result() for call in calls] == [(200, 1)] * 8
    assert logins(sandbox) == 1


EXITS = {
    "tasks are cancelled": """
async def main():
    s = session(preopen.AsyncSession)
    for _ in range(50):
        asyncio.ensure_future(s.token())
    await asyncio.sleep(0)
asyncio.run(main())
""",
    "the program ends in the middle of a loop": """
async def main():
    s = session(preopen.AsyncSession)
    for _ in range(50):
        asyncio.ensure_future(s.token())
    await asyncio.sleep(0)
    sys.exit(0)
asyncio.run(main())
""",
    "a loop is closed under its calls": """
s = session(preopen.AsyncSession)
loop = asyncio.new_event_loop()
tasks = [loop.create_task(s.token()) for _ in range(50)]
loop.run_until_complete(asyncio.sleep(0))
for task in tasks:
    task._log_destroy_pending = False
loop.close()
# The login ends after the loop did, and is found by the next call.
say(session().token().generation, s._native.token().wait().generation)
del tasks, task
gc.collect()
""",
    "daemon threads are blocked": """
s = session()
for _ in range(20):
    threading.Thread(target=s.token, daemon=True).start()
while s.state().name == "signed_out":
    pass
""",
    "a daemon thread's call ends while the interpreter does": """
s = session()
s.token()
def forever():
    while True:
        s.get("/quote/getQuote", params={"symbolName": "INFY", "exchange": "NSE"})
for _ in range(8):
    threading.Thread(target=forever, daemon=True).start()
s.get("/limit/getLimits")
""",
    "an exit handler uses the session": """
s = session()
s.token()
@atexit.register
def end():
    say(s.logout().acknowledged)
    async def late():
        return await session(preopen.AsyncSession).token()
    say(asyncio.run(late()).generation)
""",
}


@pytest.mark.parametrize("how", EXITS)
def test_the_process_ends_cleanly_with_calls_in_flight(sandbox, how):
    sandbox.fault("samco", LOGIN["samco"], delay_ms=200, times=100)
    for _ in range(3):
        code, _, err = run_script(*program(sandbox, EXITS[how]))
        assert (code, err) == (0, "")


def test_an_exit_handler_still_reaches_the_broker(sandbox):
    code, out, err = run_script(*program(sandbox, EXITS["an exit handler uses the session"]))
    assert (code, out.split(), err) == (0, ["True", "1"], "")
    assert sandbox.requests("samco", "/logout").count == 1


def test_a_forked_child_works_and_so_does_its_parent(sandbox):
    text = """
s, cold = session(), session()
first = s.token()
reply = s.get("/limit/getLimits")
async def later():
    return await session(preopen.AsyncSession).token()
asyncio.run(later())
child = os.fork()
assert s.token().expose() == first.expose()
assert s.get("/limit/getLimits").http_status == 200
assert cold.token().generation == 1
assert asyncio.run(later()).generation == 1
if child:
    assert os.waitpid(child, 0)[1] == 0
say("parent" if child else "child")
"""
    # Both processes log in anew below: that must not end the session that they share.
    sandbox.switch(samco_second_login_revokes_first=False)
    code, out, err = run_script(*program(sandbox, IGNORE_WARNINGS + text))
    assert (code, sorted(out.split()), err) == (0, ["child", "parent"], "")
    # Two before the fork, and two in each process after it: the session that was warm needed none.
    assert logins(sandbox) == 6


def test_a_child_forked_during_a_login_logs_in_by_itself(sandbox):
    text = """
s = session()
thread = threading.Thread(target=s.token)
thread.start()
sys.stdin.readline()
child = os.fork()
assert s.token().generation >= 1
if child:
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    say("done")
else:
    os._exit(0)
"""
    sandbox.fault("samco", LOGIN["samco"], delay_ms=500)
    with script(*program(sandbox, IGNORE_WARNINGS + text)) as child:
        until(lambda: logins(sandbox) == 1)
        out, err = child.communicate("fork\n", timeout=30)
        assert (child.returncode, out, err) == (0, "done\n", "")
    assert logins(sandbox) == 2
