"""The iterators over a session's events, blocking and for asyncio."""

from __future__ import annotations

from ._types import read_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import NoReturn, Optional, TypeVar

    from . import _native
    from ._types import SessionEvent

    Listener = TypeVar("Listener", bound="_Listener")

__all__ = ["AsyncEvents", "Events"]


class _Listener:
    """The part that never waits."""

    __slots__ = ("__weakref__", "_native")

    if TYPE_CHECKING:
        _native: _native.Events

    def __init__(self) -> None:
        raise TypeError(f"{type(self).__name__} are made by a session: call its events()")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'ended' if self._native.over else 'listening'})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be pickled or copied: listen again")


def listening(kind: type[Listener], native: _native.Events) -> Listener:
    """An iterator of this kind."""
    events = kind.__new__(kind)
    events._native = native
    return events


class Events(_Listener):
    """The events of a session, from `Session.events` on. Threads may share it: each event goes to one of
    them.

        with session.events() as events:
            for event in events:
                print(event.name, event.reason)

    ``with`` closes it at the end, and so does dropping it.
    """

    __slots__ = ()

    def __iter__(self) -> Events:
        return self

    def __next__(self) -> SessionEvent:
        while True:
            info = self._native.take()
            if info is not None:
                return read_event(info)
            if self._native.over:
                raise StopIteration
            self._native.ready().wait()

    def close(self) -> None:
        """Stops listening: a thread that waits for the next event, and every later wait, finds the end."""
        self._native.close()

    def __enter__(self) -> Events:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


class AsyncEvents(_Listener):
    """The events of a session, from `AsyncSession.events` on. Tasks may share it: each event goes to one of
    them.

        async with session.events() as events:
            async for event in events:
                print(event.name, event.reason)

    ``async with`` closes it at the end, and so does dropping it.
    """

    __slots__ = ()

    def __aiter__(self) -> AsyncEvents:
        return self

    async def __anext__(self) -> SessionEvent:
        # Imported on the first wait: whoever gets here has asyncio loaded.
        from ._bridge import run

        while True:
            # Taken only when nothing is left to wait for, so that cancelling the wait loses nothing.
            info = self._native.take()
            if info is not None:
                return read_event(info)
            if self._native.over:
                raise StopAsyncIteration
            await run(self._native.ready())

    async def close(self) -> None:
        """Stops listening: a task that waits for the next event, and every later wait, finds the end."""
        self._native.close()

    aclose = close
    """The name that asynchronous iterators have for it."""

    async def __aenter__(self) -> AsyncEvents:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._native.close()
