"""Marks what brokers are about to remove: for type checkers, and with a warning at run time."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import deprecated
else:

    def deprecated(_text):
        # The decorator of PEP 702 needs Python 3.13 or a package. Type checkers know it without either, if
        # its text is a literal.
        return lambda thing: thing


__all__ = ["deprecated", "warn"]


def warn(text: str) -> None:
    """Warns, and names the line that called whoever calls this."""
    import warnings

    warnings.warn(text, DeprecationWarning, stacklevel=3)
