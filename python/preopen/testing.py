"""Checks for a session store of your own."""

from __future__ import annotations

from . import _native as native
from ._ask import Callbacks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._store import Store

__all__ = ["StoreViolationError", "check_async_store", "check_store"]


class StoreViolationError(AssertionError):
    """A store does not do what every store must do. `violations` are the checks that it did not pass, each
    with what happened instead."""

    def __init__(self, *violations: str) -> None:
        super().__init__(*violations)
        self.violations = violations

    def __str__(self) -> str:
        return "the store does not do what every store must do:\n" + "\n".join(
            f"- {one}" for one in self.violations
        )


def check_store(store: Store) -> None:
    """Runs every check against `store`, in a few seconds: that one program at a time holds a claim, that no
    update is lost, that values are kept as they are, and so on. It leaves values of accounts whose names
    begin with ``conformance-`` behind. No broker, network or key is needed beside what the store itself uses.

        def test_my_store():
            check_store(MyStore())

    What several processes or hosts do to each other is not seen from one: try that too.

    Raises `StoreViolationError`, an `AssertionError`, with all violations; `InvalidInputError` (field
    ``store``) when it is no store.
    """
    callbacks = Callbacks(None, store)
    violations: list[str] = native.check_store(store, callbacks).wait()
    if violations:
        raise StoreViolationError(*violations)


async def check_async_store(store: Store) -> None:
    """As `check_store`, for a `store` that belongs to an event loop: its coroutines run on this one."""
    from ._bridge import run

    callbacks = Callbacks(None, store)
    violations: list[str] = await run(native.check_store(store, callbacks), callbacks)
    if violations:
        raise StoreViolationError(*violations)
