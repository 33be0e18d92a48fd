"""From the native module's background thread to asyncio: futures of an event loop, settled in batches."""

from __future__ import annotations

import asyncio
import threading

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Awaitable, Optional

    from ._ask import Callbacks

__all__ = ["run", "while_shown"]


class _Bridge:
    """The calls that one event loop waits for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._completions = _native.Completions(self._wake)

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
        if _native.exiting():
            self._look()
        try:
            return await future
        finally:
            if self._waiting.pop(number, None) is not None:
                task.abort()
            elif not future.cancelled():
                # A task that is cancelled just now never looks: mark the error as seen.
                future.exception()


_bridges = threading.local()


async def run(work: _native.Work, callbacks: Optional[Callbacks] = None) -> Any:
    """Awaits a call of the native module. Cancelling gives it up; a login that it waited for goes on. What
    the session's `callbacks` have to await is awaited on this event loop."""
    loop = asyncio.get_running_loop()
    if callbacks is not None:
        callbacks.use(loop)
    bridge = getattr(_bridges, "current", None)
    if bridge is None or bridge.loop is not loop:
        _bridges.current = bridge = _Bridge(loop)
    return await bridge.run(work)


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
