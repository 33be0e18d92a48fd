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

    #: What was looked at.
    name: Literal["session", "broker", "static_ip", "clock", "session_end", "network", "store"]
    #: What came of it; ``"unknown"`` when it cannot be told from here.
    status: Literal["pass", "warn", "fail", "unknown"]
    #: One line for a person.
    message: str
    #: What to do about it.
    fix: Optional[str]
    #: The error behind it.
    error: Optional[PreopenError]

    def _line(self) -> str:
        fix = f" Fix: {self.fix}" if self.fix else ""
        return f"{self.status} {self.name}: {self.message}{fix}"


class Preflight(_Value):
    """Whether this host can place orders now."""

    __slots__ = ("at", "broker", "checks", "primary_ip", "ready", "secondary_ip", "source_ip")

    #: ``"samco"`` or ``"angelone"``.
    broker: str
    #: When it was looked at: aware, in UTC.
    at: datetime
    #: Whether no check failed; with ``strict=True`` whether every check passed.
    ready: bool
    #: What was found, in the order in which things are needed.
    checks: list[Check]
    #: The address that the broker sees, where it tells.
    source_ip: Optional[str]
    #: The registered primary address, where the broker tells.
    primary_ip: Optional[str]
    #: The registered secondary address, where the broker tells.
    secondary_ip: Optional[str]


def read_preflight(info: dict[str, Any]) -> Preflight:
    """A preflight of the native module."""
    info["at"] = _time(info.pop("at_ms"))
    info["checks"] = [Check(**{**check, "error": _error(check["error"])}) for check in info["checks"]]
    return Preflight(**info)
