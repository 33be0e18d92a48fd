"""Preopen's log records in the standard library's `logging`, for a program that asks for them.

    import logging
    import preopen.logging

    logging.basicConfig(level=logging.INFO)
    preopen.logging.enable()

Nothing is collected before `enable`, and no thread is there. Records wait in a queue of 1,024; one thread
hands them to `logging`, so that no handler ever holds up a login or a call. No secret is in any record.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, Optional, Union

__all__ = ["disable", "enable"]

#: The native module's names of levels, and those of `logging`; it has none for the lowest.
_LEVELS = {"trace": 5, "debug": 10, "info": 20, "warn": 30, "error": 40}

#: Seconds that the end of the program, or `disable`, waits for handlers.
_PATIENCE = 3.0


class _Feed:
    """One thread that hands records over."""

    def __init__(self, level: str, logger: str, logs: Optional[_native.Logs]) -> None:
        self.level, self.logger, self.logs, self.over = level, logger, logs, False
        self.thread = threading.Thread(target=self.run, name="preopen logging", daemon=True)

    def run(self) -> None:
        # A forked child opens its own here: should that have to wait, the child does not.
        logs = self.logs = self.logs or _native.Logs(self.level)
        if self.over:
            logs.close()
        while True:
            record = logs.next()
            if record is not None:
                _hand_over(record, self.logger)
            elif logs.closed:
                return

    def close(self) -> None:
        self.over = True
        if self.logs is not None:
            self.logs.close()

    def finish(self) -> None:
        """Waits for what is waiting to be handed over."""
        if self.thread is not threading.current_thread():
            self.thread.join(_PATIENCE)


_current: Optional[_Feed] = None
_change = threading.RLock()


def enable(level: Union[int, str] = logging.INFO, logger: str = "preopen") -> None:
    """Hands the log records of this process to `logging` from now on; a second call replaces the first.
    Children of a fork go on with records of their own.

    - `level`: records of this level and above, as `logging` names or numbers it: ``logging.INFO`` tells of
      logins, renewals and logouts, ``logging.WARNING`` of what went wrong, ``logging.DEBUG`` of every call.
      The rest is not even made.
    - `logger`: the name of the logger. Audit entries, one for each login, refusal and logout, go to the one
      below it: ``"preopen.audit"``.

    What a record says beside its text is in its attribute ``preopen``, a dict, and at the end of the text as
    ``name=value``.

    Raises `InvalidInputError` (fields ``level`` and ``logger``); `InternalError` when other code of this
    process collects the events of Rust's ``tracing`` itself.
    """
    from .errors import InvalidInputError

    if not isinstance(logger, str):
        raise InvalidInputError("logger must be the name of a logger", field="logger")
    name = _name_of(level)
    if name is None:
        raise InvalidInputError("level must be one of logging: a number or a name", field="level")
    global _current
    with _change:
        before = _current
        if before is not None:
            before.close()
        _current = _Feed(name, logger, _native.Logs(name))
        _current.thread.start()
    if before is not None:
        before.finish()


def disable() -> None:
    """Hands over what has come so far, and collects no more. A handler may call it. It waits at most three
    seconds for handlers."""
    global _current
    with _change:
        feed, _current = _current, None
    if feed is not None:
        feed.close()
        feed.finish()


def _name_of(level: object) -> Optional[str]:
    number = logging.getLevelName(level.upper()) if isinstance(level, str) else level
    if isinstance(number, bool) or not isinstance(number, int):
        return None
    # Nothing is told above an error: of those levels the errors are handed over, and `logging` drops them.
    return next((name for name, value in _LEVELS.items() if number <= value), "error")


def _hand_over(told: Mapping[str, Any], root: str) -> None:
    level = _LEVELS[told["level"]]
    logger = logging.getLogger(root + told["target"][len("preopen") :])
    if not logger.isEnabledFor(level):
        return
    fields = told["fields"]
    text = " ".join([told["message"], *(f"{name}={value}" for name, value in fields.items())])
    record = logging.getLogRecordFactory()(logger.name, level, __file__, 0, text, (), None)
    # When it happened, not when it was handed over.
    record.relativeCreated += (told["at"] - record.created) * 1000
    record.created = told["at"]
    record.msecs = int(told["at"] * 1000) % 1000
    record.preopen = fields
    try:
        logger.handle(record)
    except Exception as error:
        # Handlers report their own errors; what else fails, such as a filter, ends no more than this record.
        import sys

        sys.excepthook(type(error), error, error.__traceback__)


def _in_child() -> None:
    """Goes on in a forked child, where the parent's thread and queue are not."""
    global _current, _change
    _change = threading.RLock()
    if _current is not None:
        _current = _Feed(_current.level, _current.logger, None)
        _current.thread.start()


atexit.register(disable)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
