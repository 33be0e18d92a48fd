"""The iterators over a session's events: what comes, when they end, and that waiting and giving up costs
nothing."""

import asyncio
import copy
import gc
import pickle
import signal
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pytest
from conftest import logins, run_script, script
from test_concurrency import IGNORE_WARNINGS, program
from test_stubs import literals

import preopen
from preopen import _native

#: How many events a listener may fall behind.
KEPT = 64


def offline(kind=preopen.Session):
    """A session whose broker nobody reaches."""
    return kind(preopen.Samco(api_key="a-key", api_secret="a-secret"), base_url="http://127.0.0.1:9")


def happens(session, times):
    """Has the session end and renewed by turns."""
    for _ in range(times):
        session.invalidate(session.state().generation)
        session.token()


def test_an_event_is_a_plain_record(sandbox):
    session = sandbox.session("samco")
    with session.events() as events:
        token = session.token()
        event = next(events)
    assert (event.name, event.generation, event.missed, event.error) == ("renewed", 1, 0, None)
    assert event.expires_at == token.expires_at
    assert event.at.tzinfo is timezone.utc
    assert abs((event.at - datetime.now(timezone.utc)).total_seconds()) < 60
    assert event.reason.startswith("a new session, until ")
    for change in (lambda: setattr(event, "name", "x"), lambda: delattr(event, "name")):
        with pytest.raises(AttributeError, match="cannot be changed"):
            change()
    assert event == pickle.loads(pickle.dumps(event)) == copy.copy(event) == copy.deepcopy(event)
    assert token.expose() not in repr(event)


def test_an_event_carries_the_error(sandbox):
    session = sandbox.session("samco", credentials=preopen.Samco(api_key="k", api_secret="s"))
    events = session.events()
    with pytest.raises(preopen.CredentialsRejectedError) as caught:
        session.token()
    event = next(events)
    assert (event.name, type(event.error)) == ("blocked", type(caught.value))
    assert event.error.which == caught.value.which
    assert type(pickle.loads(pickle.dumps(event)).error) is preopen.CredentialsRejectedError


def test_the_names_are_those_of_the_core():
    assert literals(preopen.SessionEvent.__annotations__["name"]) == set(_native.event_catalogue())


def test_a_listener_that_falls_behind_is_told(sandbox):
    session = sandbox.session("samco")
    session.token()
    events, quick = session.events(), session.events()
    happens(session, 40)
    first = next(events)
    assert (first.name, first.missed, first.generation) == ("lagged", 2 * 40 - KEPT, 0)
    rest = [next(events) for _ in range(KEPT)]
    assert [event.name for event in rest] == ["expired", "renewed"] * (KEPT // 2)
    assert rest[-1].generation == session.state().generation == 41
    session.close()
    assert list(events) == []
    # Each listener has a memory of its own.
    assert next(quick).name == "lagged"


def test_every_listener_hears_every_event_and_threads_share_one(sandbox):
    session = sandbox.session("samco")
    session.token()
    one, other = session.events(), session.events()
    with ThreadPoolExecutor(4) as pool:
        heard = [pool.submit(list, one) for _ in range(4)]
        happens(session, 10)
        assert [next(other).name for _ in range(20)] == ["expired", "renewed"] * 10
        session.close()
        heard = [event for call in heard for event in call.result(timeout=10)]
    # Each event goes to one of the threads; those that were not taken before the end are still theirs.
    assert sorted(event.at for event in heard) == [event.at for event in sorted(heard, key=lambda e: e.at)]
    assert len(heard) == 20
    assert {(event.name, event.generation) for event in heard} == {
        (name, generation + (name == "renewed"))
        for name in ("expired", "renewed")
        for generation in range(1, 11)
    }


def waiting(iterate):
    """Starts iterating on a thread of its own and gives it time to wait."""
    thread = threading.Thread(target=iterate)
    thread.start()
    time.sleep(0.2)
    assert thread.is_alive()
    return thread


@pytest.mark.parametrize("end", ["close the session", "close the iterator", "drop the session"])
def test_a_blocked_wait_ends(end):
    session = offline()
    events = session.events()
    found = []
    thread = waiting(lambda: found.append(list(events)))
    if end == "close the session":
        session.close()
    elif end == "close the iterator":
        events.close()
    else:
        del session
        gc.collect()
    thread.join(5)
    assert (found, thread.is_alive()) == ([[]], False)
    with pytest.raises(StopIteration):
        next(events)
    assert repr(events) == "Events(ended)"


@pytest.mark.parametrize("end", ["close the session", "close the iterator", "drop the session"])
def test_a_waiting_task_ends(end):
    async def main():
        session = offline(preopen.AsyncSession)
        events = session.events()

        async def listen():
            return [event async for event in events]

        task = asyncio.ensure_future(listen())
        await asyncio.sleep(0.1)
        assert not task.done()
        if end == "close the session":
            await session.close()
        elif end == "close the iterator":
            await events.close()
        else:
            del session
            gc.collect()
        assert await asyncio.wait_for(task, 5) == []
        with pytest.raises(StopAsyncIteration):
            await events.__anext__()

    asyncio.run(main())


def test_an_iterator_does_not_keep_its_session_alive_and_ends_with_its_block():
    session = offline()
    gone = weakref.ref(session)
    with session.events() as events:
        assert iter(events) is events
        del session
        gc.collect()
        assert gone() is None
        assert list(events) == []
    session = offline()
    with session.events() as events:
        pass
    assert list(events) == []

    async def main():
        session = offline(preopen.AsyncSession)
        async with session.events() as events:
            assert events.__aiter__() is events
        assert [event async for event in events] == []

    asyncio.run(main())


def test_a_closed_session_has_no_events():
    session = offline()
    session.close()
    assert list(session.events()) == []


@pytest.mark.parametrize("kind", [preopen.Session, preopen.AsyncSession])
def test_iterators_are_not_copied(kind):
    events = offline(kind).events()
    for refused in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="listen again"):
            refused(events)


def test_control_c_ends_a_wait_and_the_iterator_goes_on(sandbox):
    text = """
s = session()
events = s.events()
say("ready")
try:
    next(events)
except KeyboardInterrupt:
    say(time.monotonic())
s.token()
say(next(events).name)
"""
    with script(*program(sandbox, text)) as child:
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.3)
        sent = time.monotonic()
        child.send_signal(signal.SIGINT)
        caught = float(child.stdout.readline())
        assert 0 <= caught - sent <= 0.5
        out, err = child.communicate(timeout=30)
    assert (out, err, child.returncode) == ("renewed\n", "", 0)


def test_other_threads_run_while_one_waits():
    session = offline()
    events = session.events()
    thread = waiting(lambda: list(events))
    began, turns = time.monotonic(), 0
    while time.monotonic() < began + 0.5:
        session.state()
        turns += 1
    # Were the lock held between two looks at signals, there would be about twenty turns in a second.
    assert turns > 200
    events.close()
    thread.join(5)


def test_cancelling_loses_no_event(sandbox):
    session = sandbox.async_session("samco")

    async def main():
        await session.token()
        # Two sessions by turns: one that was just refused is not taken over.
        records = [await one.export_exposed() for one in (sandbox.async_session("samco"), session)]
        events = session.events()
        seen, given_up = [], 0
        for turn in range(100):
            wait = asyncio.ensure_future(events.__anext__())
            # Cancelled before it began, while it waits, when the event is on its way, and when it has come.
            for _ in range(turn % 4):
                await asyncio.sleep(0)
            session.invalidate(session.state().generation)
            session.prime(records[turn % 2])
            if turn % 3:
                await asyncio.sleep(0.0005 * (turn % 5))
            wait.cancel()
            try:
                seen.append(await wait)
            except asyncio.CancelledError:
                given_up += 1
            while len(seen) < 2 * (turn + 1):
                seen.append(await asyncio.wait_for(events.__anext__(), 5))
        await session.close()
        assert [event async for event in events] == []
        return seen, given_up

    seen, given_up = asyncio.run(main())
    assert [event.name for event in seen] == ["expired", "renewed"] * 100
    assert [event.generation for event in seen] == [n for turn in range(1, 101) for n in (turn, turn + 1)]
    assert given_up > 10


def test_a_timeout_of_asyncio_leaves_the_iterator_as_it_was(sandbox):
    session = sandbox.async_session("samco")

    async def main():
        events = session.events()
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(events.__anext__(), 0.01)
        await session.token()
        return await events.__anext__()

    assert asyncio.run(main()).name == "renewed"


LEAKS = """
import asyncio, gc, os, sys, threading
import preopen

def counted():
    gc.collect()
    with open("/proc/self/status") as status:
        memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), len(gc.get_objects()), memory

session = preopen.Session(preopen.Samco(api_key="k", api_secret="s"), base_url="http://127.0.0.1:9")
later = preopen.AsyncSession(preopen.Samco(api_key="k", api_secret="s"), base_url="http://127.0.0.1:9")

def dropped(times):
    for _ in range(times):
        session.events()
        with session.events():
            pass

async def cancelled(times):
    for _ in range(times):
        wait = asyncio.ensure_future(later.events().__anext__())
        await asyncio.sleep(0)
        wait.cancel()
        await asyncio.wait([wait])

loop = asyncio.new_event_loop()
for times in (50, 1000):
    dropped(times)
    loop.run_until_complete(cancelled(times))
    print(*counted())
loop.close()
"""


def test_a_thousand_iterators_leave_nothing_behind():
    code, out, err = run_script(LEAKS, seconds=60)
    assert (code, err) == (0, "")
    few, many = ([int(number) for number in line.split()] for line in out.splitlines())
    assert few[:2] == many[:2]
    assert many[2] - few[2] < 100
    # A kept stream of 64 places alone would be more than 10 KB.
    assert many[3] - few[3] < 4096


def test_a_forked_child_hears_nothing_of_its_parents_listeners(sandbox):
    text = """
s = session()
events, blocked = s.events(), s.events()
threading.Thread(target=lambda: list(blocked), daemon=True).start()
s.token()
assert next(events).name == "renewed"
child = os.fork()
if child:
    assert os.waitpid(child, 0)[1] == 0
    s.invalidate(1)
    say(next(events).name)
else:
    assert list(events) == list(blocked) == []
    own = s.events()
    s.invalidate(1)
    assert next(own).name == "expired"
    del events, blocked
    gc.collect()
    os._exit(0)
"""
    code, out, err = run_script(*program(sandbox, IGNORE_WARNINGS + text))
    assert (code, out, err) == (0, "expired\n", "")


EXITS = {
    "a daemon thread waits": """
threading.Thread(target=lambda: list(s.events()), daemon=True).start()
time.sleep(0.2)
""",
    "an event loop ends while a task waits": """
async def main():
    a = session(preopen.AsyncSession)
    asyncio.ensure_future(a.events().__anext__())
    await asyncio.sleep(0.1)
asyncio.run(main())
""",
    "a loop is closed under a task that waits": """
a = session(preopen.AsyncSession)
loop = asyncio.new_event_loop()
task = loop.create_task(a.events().__anext__())
loop.run_until_complete(asyncio.sleep(0.1))
task._log_destroy_pending = False
loop.close()
""",
    "an iterator is left over": "events = s.events(); s.token(); next(events)",
}


@pytest.mark.parametrize("how", EXITS)
def test_the_process_ends_cleanly_while_somebody_listens(sandbox, how):
    code, _, err = run_script(*program(sandbox, "s = session()\n" + EXITS[how]))
    assert (code, err) == (0, "")


def test_a_warm_session_renews_itself(sandbox):
    sandbox.clock.set("2026-11-23T10:00:00+05:30")
    session = sandbox.session("samco", keep_warm=True)
    idle = sandbox.session("samco", keep_warm=True)
    events = session.events()
    session.token()
    sandbox.clock.advance_to("08:00 IST")
    sandbox.clock.advance(seconds=125)
    names = [next(events).name for _ in range(3)]
    assert names == ["renewed", "expired", "renewed"]
    assert session.token().generation == 2
    # What nobody asked for is not begun.
    assert idle.state().name == "signed_out"
    assert logins(sandbox) == 2
    with pytest.raises(preopen.InvalidInputError) as caught:
        sandbox.session("samco", keep_warm="yes")
    assert caught.value.field == "keep_warm"


def test_listening_sends_nothing(sandbox):
    with sandbox.session("samco").events() as events:
        assert events._native.take() is None
    assert sandbox.requests().count == 0
