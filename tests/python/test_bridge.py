"""How results come back to an event loop: by a socket that it watches, or by a callback where it watches
none."""

import asyncio
import gc
import pathlib
import weakref

import pytest
from conftest import QUOTE, READ, run_script
from test_concurrency import program

from preopen import _bridge

DESCRIPTORS = pathlib.Path("/proc/self/fd")


class Unwatching(asyncio.SelectorEventLoop):
    """A loop that watches no sockets of others, as the one of Windows."""

    def add_reader(self, fd, callback, *args):
        raise NotImplementedError


@pytest.mark.parametrize("kind", [asyncio.SelectorEventLoop, Unwatching])
def test_many_calls_come_back_each_to_its_caller(sandbox, kind):
    session = sandbox.async_session("samco")

    async def one(symbol):
        reply = await session.get(READ["samco"], params={**QUOTE, "symbolName": symbol})
        assert reply.data["quoteDetails"]["symbolName"] == symbol

    async def main():
        await asyncio.gather(*(one(symbol) for symbol in ["INFY", "TCS", "SBIN"] * 20))
        bridge = _bridge.bridge(asyncio.get_running_loop())
        assert bridge._waiting == {}
        assert (bridge._completions.fileno() == -1) == (kind is Unwatching)

    loop = kind()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_loops_that_take_turns_have_one_bridge_each(sandbox):
    session = sandbox.async_session("samco")
    loops = [asyncio.SelectorEventLoop() for _ in range(2)]

    async def bridged():
        await session.get(READ["samco"], params=QUOTE)
        return _bridge.bridge(asyncio.get_running_loop())

    try:
        first = [loop.run_until_complete(bridged()) for loop in loops]
        for _ in range(3):
            assert [loop.run_until_complete(bridged()) for loop in loops] == first
        assert first[0] is not first[1]
    finally:
        for loop in loops:
            loop.close()


def held():
    gc.collect()
    return len(list(DESCRIPTORS.iterdir())) if DESCRIPTORS.exists() else 0


def test_a_loop_that_is_gone_leaves_nothing(sandbox):
    session = sandbox.async_session("samco")
    loops = []

    async def call():
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await session.get(READ["samco"], params=QUOTE)

    for _ in range(2):
        asyncio.run(call())
    before = held()
    for _ in range(5):
        asyncio.run(call())
    assert held() <= before
    # The last one is kept, in case that it is used again.
    assert [loop() for loop in loops[:-1]] == [None] * 6


# What runs last at exit is what was registered first: after Preopen's own handler, when no thread calls back.
LATE = """
import atexit
@atexit.register
def late():
    class Unwatching(asyncio.SelectorEventLoop):
        def add_reader(self, *_):
            raise NotImplementedError
    loop = Unwatching()
    say(loop.run_until_complete(s.get("/limit/getLimits")).http_status)
    loop.close()
"""


def test_a_loop_that_watches_nothing_works_while_the_interpreter_exits(sandbox):
    text, *arguments = program(sandbox, "s = session(preopen.AsyncSession)")
    assert run_script(LATE + text, *arguments, seconds=20) == (0, "200\n", "")
