"""What a session store of your own must do. Stores that come with Preopen are named by their address."""

from __future__ import annotations

from typing import Awaitable, Optional, Protocol, Union

__all__ = ["Claim", "Store"]


class Claim(Protocol):
    """The right to write an account's value, for one program at a time. `Store.claim` gives it.

    It must become free without anybody's help when its program dies: at once, or when its lease is over. A
    claim with a lease has one more method, ``good_for() -> float``: the seconds for which it is certain to
    hold. It renews the lease by itself, and notices by itself that it could not.

        class MyClaim:
            value = None
            def write(self, value): ...
            def release(self): ...
    """

    @property
    def value(self) -> Optional[str]:
        """What was stored when the claim began, or ``None``. Nobody else can have changed it since."""

    def write(self, value: str, /) -> Union[bool, Awaitable[bool]]:
        """Stores `value` durably, while the claim goes on; ``False``, and nothing is stored, when the claim
        does not hold any more. Exactly this text must be read afterwards, by everybody."""
        raise NotImplementedError

    def release(self) -> Union[Awaitable[None], None]:
        """Gives the claim back. One that was lost to another program meanwhile is left to it."""


class Store(Protocol):
    """A place that several programs share: it keeps one text for each account, and lets one program at a time
    change it. Hand an object with these methods to a session as its `store`; no base class is needed.

    The texts are sealed, so that a store never sees a token. They are one line of ASCII, a few thousand
    characters; `account` is a short name of lower-case letters, digits and hyphens without a secret in it.

    Methods may be plain or ``async def``. A plain one runs on a thread of its own, and several may run at the
    same time; a coroutine runs on the event loop that the `AsyncSession` was used on last, while that runs,
    and otherwise, and for a `Session`, in a new loop on that thread. Each has 30 seconds. An exception is
    `StoreUnavailableError` for the callers, with the name of its type and nothing else.

    One more method is optional: ``describe() -> str`` tells what the store is in one line without a password,
    for messages; it is called once, when the session is made.

        class MyStore:
            def read(self, account): ...
            def claim(self, account): ...

        session = Session(Samco.from_env(), store=MyStore())

    `preopen.testing.check_store` checks an implementation. The key comes from ``PREOPEN_KEY`` or `store_key`.
    """

    def read(self, account: str, /) -> Union[Optional[str], Awaitable[Optional[str]]]:
        """What is stored for `account`, or ``None``. It does not wait for a claim that somebody holds."""

    def claim(self, account: str, /) -> Union[Optional[Claim], Awaitable[Optional[Claim]]]:
        """Tries to become the only program that may write for `account`; ``None``, at once, when another
        one is. Waiting is the session's business."""
