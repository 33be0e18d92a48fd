"""Static IPs: which addresses a broker can register, and when a registered one may be changed.

Nothing here sends anything: the broker does not tell the history of changes, so you supply it.

    from preopen import static_ip

    history = [{"at": "2026-11-16T10:00:00+05:30", "app": "bot", "primary": "1.1.1.1"}]
    answer = static_ip.may_change("samco", {"app": "bot", "primary": "8.8.8.8"}, history)
    print(answer.allowed, answer.at, answer.reason)
"""

from __future__ import annotations

from . import _native as native
from ._types import _Value
from .errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any, Literal, Mapping, Optional, Sequence, Union

    Rule = Literal["rolling_7_days", "calendar_week"]
    """How a broker counts: one change in any 7 days, or one between Monday 00:00 IST and the next."""

__all__ = ["ChangeAnswer", "check_address", "may_change"]


class ChangeAnswer(_Value):
    """Whether a change of a static IP may be made now, and if not, when."""

    __slots__ = ("allowed", "at", "free", "last_counted", "reason", "rule")

    allowed: bool
    """Whether it may be made now."""

    free: bool
    """Whether it does not count as a change: no address is new to the account and none is deleted."""

    at: Optional[datetime]
    """The first moment at which it may be made, when that is not now: aware, in UTC. ``None`` also when
    waiting does not help."""

    last_counted: Optional[datetime]
    """The last change in the history that counts: aware, in UTC."""

    reason: str
    """Why, for a person, with the source of the rule."""

    rule: Rule
    """The rule that was counted by."""


def may_change(
    broker: Literal["samco", "angelone"],
    wanted: Optional[Mapping[str, Optional[str]]] = None,
    history: Sequence[Mapping[str, Any]] = (),
    *,
    rule: Optional[Rule] = None,
    now: Union[datetime, str, None] = None,
) -> ChangeAnswer:
    """Whether the addresses registered at `broker` may be changed now, and if not, when.

    Samco takes one change in any 7 days per account, over all apps, also those that are deactivated by now;
    a deletion counts, and registering an address that the account has already is free (its dashboard's page,
    documented; an error text of its API says calendar week). That a first registration counts is inferred.
    Angel One takes one in a calendar week (told by a third party, not confirmed; counted from Monday 00:00
    IST), and an address for one app of an account only (observed by users).

    - `wanted`: ``app`` (any name; left out for the account's only app), ``primary`` and ``secondary``: a
      public IPv4 address, ``None`` to delete it, left out to keep it. Without `wanted` it is any change that
      counts.
    - `history`: the changes so far in any order, each with ``at`` (an aware datetime, or RFC 3339 text) and
      the same keys as `wanted`, or with ``deactivated=True`` for an app that was deactivated, which releases
      its addresses.
    - `rule`: count in another way than the broker is believed to.
    - `now`: another time than now.

    Raises `InvalidInputError` with the field that is wrong, for example ``primary`` for a private address or
    ``history[1].at``.
    """
    from datetime import datetime
    from json import dumps

    def text(value: object) -> str:
        if isinstance(value, datetime):
            return value.isoformat()
        raise TypeError(f"{type(value).__name__} is not JSON")

    asked: dict[str, Any] = {"broker": broker, "rule": rule, "now": now, "wanted": wanted}
    try:
        asked["history"] = list(history)
        written = dumps(asked, default=text, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        problem = str(error)
    else:
        answer: dict[str, Any] = native.static_ip_may_change(written)
        for name in ("at", "last_counted"):
            if answer[name] is not None:
                answer[name] = _time(answer[name])
        return ChangeAnswer(**answer)
    raise InvalidInputError(f"history cannot be written as JSON: {problem}", field="history")


def check_address(address: str) -> str:
    """The address in its usual form, if a broker can register it: a public IPv4 address (Samco: documented).

    Raises `InvalidInputError` (field ``address``) that says what is wrong: private, loopback, link-local,
    carrier NAT, multicast, reserved, documentation, benchmarking, broadcast, IPv6, or no address at all.
    """
    return native.static_ip_check(address)


def _time(text: str) -> datetime:
    """RFC 3339 in UTC, with milliseconds or without, as an aware datetime."""
    from datetime import datetime, timezone

    pattern = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in text else "%Y-%m-%dT%H:%M:%SZ"
    return datetime.strptime(text, pattern).replace(tzinfo=timezone.utc)
