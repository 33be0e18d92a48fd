"""Callers that give up: they are told at once, the login lives on, a write is not repeated, nothing is left
behind."""

import asyncio
import gc
import pathlib

import pytest
from conftest import LOGIN, QUOTE, READ, logins, until

import preopen
from preopen import _bridge

ORDER = "/order/placeOrder"
PROFILE = "/rest/secure/angelbroking/user/v1/getProfile"
KEY = preopen.generate_key()

#: Every call that waits, and where.
CALLS = {
    "token": ("samco", LOGIN["samco"], lambda session: session.token()),
    "headers": ("samco", LOGIN["samco"], lambda session: session.headers()),
    "stream_headers": ("samco", LOGIN["samco"], lambda session: session.stream_headers()),
    "feed_token": ("angelone", LOGIN["angelone"], lambda session: session.feed_token()),
    "export": ("samco", LOGIN["samco"], lambda session: session.export(KEY)),
    "export_exposed": ("samco", LOGIN["samco"], lambda session: session.export_exposed()),
    "profile of the login": ("samco", LOGIN["samco"], lambda session: session.profile()),
    "profile": ("angelone", PROFILE, lambda session: session.profile()),
    "whoami": ("samco", "/ip/whoami", lambda session: session.whoami()),
    "get": ("samco", READ["samco"], lambda session: session.get(READ["samco"], params=QUOTE)),
    "post": ("samco", ORDER, lambda session: session.post(ORDER, json={"symbolName": "INFY"})),
    "put": ("samco", "/order/modifyOrder/1", lambda session: session.put("/order/modifyOrder/1", json={})),
    "delete": ("samco", "/order/cancelOrder", lambda session: session.delete("/order/cancelOrder")),
    "logout": ("samco", "/logout", lambda session: session.logout()),
}


async def reached(sandbox, broker, path, times=1):
    """Waits until the broker saw the call."""
    loop = asyncio.get_running_loop()
    ask = lambda: until(lambda: sandbox.requests(broker, path).count >= times)  # noqa: E731
    await loop.run_in_executor(None, ask)


async def cancelled(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        # It is over at once, whatever it waited for.
        await asyncio.wait_for(asyncio.shield(task), 2)


@pytest.mark.parametrize("name", CALLS)
def test_every_call_can_be_given_up(sandbox, name):
    broker, path, call = CALLS[name]
    login = path == LOGIN[broker]
    # A logout goes on without its caller, and no login starts before it is over.
    session = sandbox.async_session(broker, timeout=2 if name == "logout" else 60)

    async def main():
        if not login:
            await session.token()
        sandbox.fault(broker, path, stall="before" if not login else None, delay_ms=1000 if login else None)
        task = asyncio.ensure_future(call(session))
        await reached(sandbox, broker, path)
        await cancelled(task)
        # The login lives on, and a call of one's own is not sent by anybody else.
        assert (await session.token()).generation == (2 if name == "logout" else 1)
        assert _bridge.bridge(asyncio.get_running_loop())._waiting == {}

    asyncio.run(main())
    assert sandbox.requests(broker, path).count == 1
    assert logins(sandbox, broker) == (2 if name == "logout" else 1)


def test_a_write_that_was_given_up_is_not_repeated(sandbox):
    session = sandbox.async_session("samco", timeout=60)

    async def main():
        await session.token()
        # The order is placed; its reply stops half way.
        sandbox.fault("samco", ORDER, stall=True)
        task = asyncio.ensure_future(session.post(ORDER, json={"symbolName": "INFY"}))
        await reached(sandbox, "samco", ORDER)
        await cancelled(task)
        # Whatever could repeat it had its turn when these came back.
        for _ in range(3):
            await session.get(READ["samco"], params=QUOTE)
        assert sandbox.requests("samco", ORDER).count == 1

    asyncio.run(main())


def test_a_caller_who_gives_up_waiting_for_a_slot_sends_nothing_and_holds_up_nobody(sandbox):
    session = sandbox.async_session("samco", rate_limits={"other": {"per_second": 1}})

    async def main():
        await session.get(READ["samco"], params=QUOTE)
        waiting = [asyncio.ensure_future(session.get(READ["samco"], params=QUOTE)) for _ in range(3)]
        await asyncio.sleep(0.05)
        for task in waiting:
            assert not task.done()
            await cancelled(task)
        await session.get(READ["samco"], params=QUOTE)

    asyncio.run(main())
    assert sandbox.requests("samco", READ["samco"]).count == 2


def test_givers_up_leave_nothing_behind(sandbox):
    session = sandbox.async_session("samco", timeout=60)
    descriptors = pathlib.Path("/proc/self/fd")

    def held():
        gc.collect()
        return len(list(descriptors.iterdir())) if descriptors.exists() else 0

    async def round_of(calls):
        sandbox.fault("samco", READ["samco"], stall="before", times=calls)
        seen = sandbox.requests("samco", READ["samco"]).count
        tasks = [asyncio.ensure_future(session.get(READ["samco"], params=QUOTE)) for _ in range(calls)]
        await reached(sandbox, "samco", READ["samco"], seen + calls)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def main():
        await session.token()
        await round_of(20)
        before = held()
        for _ in range(5):
            await round_of(20)
        assert _bridge.bridge(asyncio.get_running_loop())._waiting == {}
        # Connections of given-up calls are closed, not kept.
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, lambda: until(lambda: held() <= before + 5))
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
