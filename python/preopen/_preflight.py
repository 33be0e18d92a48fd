"""What `Session.preflight` answers."""

from __future__ import annotations

from ._types import _error, _time, _Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any, Literal, Optional

    from .errors import PreopenError

__all__ = ["Check", "Preflight", "read_preflight"]


class Check(_Value):
    """One finding of a preflight. It holds no secret."""

    __slots__ = ("error", "fix", "message", "name", "status")

    name: Literal["session", "broker", "static_ip", "clock", "session_end", "network", "store"]
    """What was looked at."""

    status: Literal["pass", "warn", "fail", "unknown"]
    """What came of it; ``"unknown"`` when it cannot be told from here."""

    message: str
    """One line for a person."""

    fix: Optional[str]
    """What to do about it."""

    error: Optional[PreopenError]
    """The error behind it."""

    def _line(self) -> str:
        fix = f" Fix: {self.fix}" if self.fix else ""
        return f"{self.status} {self.name}: {self.message}{fix}"


class Preflight(_Value):
    """Whether this host can place orders now.

        found = session.preflight()
        for check in found.checks:
            print(check.status, check.message, check.fix or "")

    `Session.preflight` gives it.
    """

    __slots__ = ("at", "broker", "checks", "primary_ip", "ready", "secondary_ip", "source_ip")

    broker: str
    """``"samco"`` or ``"angelone"``."""

    at: datetime
    """When it was looked at: aware, in UTC."""

    ready: bool
    """Whether no check failed; with ``strict=True`` whether every check passed."""

    checks: list[Check]
    """What was found, in the order in which things are needed."""

    source_ip: Optional[str]
    """The address that the broker sees, where it tells."""

    primary_ip: Optional[str]
    """The registered primary address, where the broker tells."""

    secondary_ip: Optional[str]
    """The registered secondary address, where the broker tells."""


def read_preflight(info: dict[str, Any]) -> Preflight:
    """A preflight of the native module."""
    info["at"] = _time(info.pop("at_ms"))
    info["checks"] = [Check(**{**check, "error": _error(check["error"])}) for check in info["checks"]]
    return Preflight(**info)
