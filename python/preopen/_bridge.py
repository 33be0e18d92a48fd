"""From the native module's background thread to asyncio: futures of an event loop, settled in batches."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Awaitable, Optional

    from ._ask import Callbacks

__all__ = ["bridge", "run", "while_shown"]


class _Bridge:
    """The calls that one event loop waits for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        #: Whether nobody wakes the loop once the interpreter exits.
        self._looks = False
        try:
            self._completions = _native.Completions(None)
            loop.add_reader(self._completions.fileno(), self._settle)
        except (NotImplementedError, OSError):
            # No sockets, no loop that watches them, or none left.
            self._completions = _native.Completions(self._wake)
            self._looks = True

    def _wake(self) -> None:
        # Called on another thread, once for all calls that finish until the loop looks. A closed loop raises,
        # which is taken as nobody waiting.
        self.loop.call_soon_threadsafe(self._settle)

    def _look(self) -> None:
        # What runs in an exit handler is woken by nobody: it looks for itself.
        self._settle()
        if self._waiting:
            self.loop.call_later(0.005, self._look)

    def _settle(self) -> None:
        for number, result, failed in self._completions.drain():
            future = self._waiting.pop(number, None)
            if future is None or future.done():
                continue
            if failed:
                future.set_exception(result)
            else:
                future.set_result(result)

    async def run(self, work: _native.Work) -> Any:
        self._number = number = self._number + 1
        self._waiting[number] = future = self.loop.create_future()
        task = work.start(self._completions, number)
        if self._looks and _native.exiting():
            self._look()
        try:
            return await future
        except BaseException:
            if self._waiting.pop(number, None) is not None:
                task.abort()
            elif not future.cancelled():
                # A task that is cancelled just now never looks: mark the error as seen.
                future.exception()
            raise


#: The bridge that was used last, and all that there are: a loop has what wakes it for as long as it lives.
_last: Optional[_Bridge] = None
_bridges: WeakValueDictionary[int, _Bridge] = WeakValueDictionary()


def bridge(loop: asyncio.AbstractEventLoop) -> _Bridge:
    """The bridge of this loop, which runs on this thread."""
    global _last
    found = _last
    if found is None or found.loop is not loop:
        found = _bridges.get(id(loop))
        if found is None or found.loop is not loop:
            _bridges[id(loop)] = found = _Bridge(loop)
        _last = found
    return found


def run(work: _native.Work, callbacks: Optional[Callbacks] = None) -> Awaitable[Any]:
    """Awaits a call of the native module. Cancelling gives it up; a login that it waited for goes on. What
    the session's `callbacks` have to await is awaited on this event loop."""
    loop = asyncio.get_running_loop()
    if callbacks is not None:
        callbacks.use(loop)
    return bridge(loop).run(work)


async def while_shown(shown: Awaitable[object], outcome: Awaitable[Any]) -> None:
    """Awaits the outcome of a login and, beside it, what shows its page. What that raises ends the wait; it
    is cancelled when it is not over before the outcome is known."""
    shows, ends = asyncio.ensure_future(shown), asyncio.ensure_future(outcome)
    try:
        await asyncio.wait((shows, ends), return_when=asyncio.FIRST_COMPLETED)
        if shows.done():
            shows.result()
        await ends
    finally:
        shows.cancel()
        ends.cancel()
        # Nothing of either is left when this is over.
        await asyncio.gather(shows, ends, return_exceptions=True)
