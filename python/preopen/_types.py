"""What a session returns: small immutable objects. Tokens, codes and begun logins are native ones, whose
texts stay in Rust."""

from __future__ import annotations

from ._native import LoginCode, LoginStart, Token
from .errors import from_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any, Literal, Mapping, Optional

    from .errors import PreopenError

__all__ = [
    "ExpiryEvidence",
    "LoginCode",
    "LoginStart",
    "Logout",
    "Profile",
    "Rejection",
    "Reply",
    "SessionEvent",
    "SessionState",
    "Token",
    "WhoAmI",
]


class _Value:
    """An immutable object with named fields, compared by value."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, **fields: Any) -> None:
        if fields.keys() != set(self.__slots__):
            raise TypeError("{} takes: {}".format(type(self).__name__, ", ".join(self.__slots__)))
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # some fields are lists and dicts

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({fields})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), {name: getattr(self, name) for name in self.__slots__})


def _rebuild(kind: type[_Value], fields: Mapping[str, Any]) -> _Value:
    return kind(**fields)


class Rejection(_Value):
    """One part of a request that the broker refused in a reply that is a success.

    An order that it rejected at once, one of several, a position that was not squared off (Samco,
    documented), or a symbol without a quote (SmartAPI, documented). An order that is rejected later is in the
    order book only.
    """

    __slots__ = ("at", "order_id", "reason")

    #: Where it stands in the data, as a JSON pointer: ``"/orders/0"``, or ``""`` for the whole of it.
    at: str
    #: The order's number, if it was given one.
    order_id: Optional[str]
    #: The broker's reason on one line, ``""`` if it gave none.
    reason: str


class Reply(_Value):
    """A broker's reply, out of its envelope.

    It says that the broker took the call, not that it did what was asked: look at `rejections`, and later at
    the order book.

    The envelopes are as documented by the brokers: Samco puts its data beside ``status``, ``statusMessage``,
    ``serverTime`` and ``msgId``, a few calls under ``data``; SmartAPI puts it under ``data`` beside
    ``status``, ``message``, ``errorcode``.
    """

    __slots__ = (
        "data",
        "http_status",
        "message",
        "message_id",
        "rejections",
        "server_time",
        "status",
        "text",
        "validation_errors",
    )

    #: The data: dicts, lists, str, int, float, bool and None, keys in the broker's order.
    data: Any
    #: The broker's message, if there is one.
    message: Optional[str]
    #: The broker's time, if it tells it: aware, in UTC. Samco prints it in Indian time (documented).
    server_time: Optional[datetime]
    #: Samco's ``msgId``, if there is one.
    message_id: Optional[str]
    #: What the broker found wrong with the request although it took it.
    validation_errors: list[str]
    #: The broker's own word for success, ``"Success"`` or ``"true"``; ``None`` where the reply has none.
    status: Optional[str]
    #: The parts of an accepted request that the broker refused.
    rejections: list[Rejection]
    #: HTTP status.
    http_status: int
    #: The body exactly as the broker sent it; ``json.loads(reply.text, parse_float=Decimal)`` has every
    #: number as it was written. It may hold what the data holds, so it is not in the ``repr``.
    text: str

    def __repr__(self) -> str:
        # The data may be long and private: it is shown when it is asked for.
        data = type(self.data).__name__
        if isinstance(self.data, (dict, list)):
            data += f" of {len(self.data)}"
        refused = f", rejections={self.rejections!r}" if self.rejections else ""
        return f"Reply(http_status={self.http_status}, message={self.message!r}{refused}, data=<{data}>)"


class WhoAmI(_Value):
    """Which address the broker sees, which are registered, and whether orders from here will be accepted."""

    __slots__ = ("matched_as", "message", "primary_ip", "secondary_ip", "source_ip", "verdict")

    #: The address that the broker sees.
    source_ip: Optional[str]
    #: The registered primary address, ``None`` if there is none.
    primary_ip: Optional[str]
    #: The registered secondary address, ``None`` if there is none.
    secondary_ip: Optional[str]
    #: ``"primary"`` or ``"secondary"`` when one matched.
    matched_as: Optional[Literal["primary", "secondary"]]
    #: ``"match"``, ``"mismatch"``, ``"unregistered"``, or ``"unsupported"`` where the broker has no such call
    #: (SmartAPI).
    verdict: Literal["match", "mismatch", "unregistered", "unsupported"]
    #: One line for a person.
    message: str


class Profile(_Value):
    """Who the session belongs to."""

    __slots__ = ("account_id", "exchanges", "name", "order_types", "products")

    #: Client id at the broker.
    account_id: Optional[str]
    #: Name of the account's owner.
    name: Optional[str]
    #: Exchanges that the account may trade on.
    exchanges: list[str]
    #: Products that the account may use.
    products: list[str]
    #: Order types that the account may use. Samco tells them, SmartAPI does not.
    order_types: list[str]


class ExpiryEvidence(_Value):
    """One reason to believe that the session ends at a time."""

    __slots__ = ("at", "source")

    #: Where it comes from, for example the broker's daily boundary or the token's own claim.
    source: str
    #: When: aware, in UTC.
    at: datetime


class SessionState(_Value):
    """What a session is doing."""

    __slots__ = (
        "blocked_by",
        "clock_skew",
        "expires_at",
        "expiry_evidence",
        "expiry_source",
        "generation",
        "issued_at",
        "name",
        "reason",
        "renewable_until",
    )

    #: ``"signed_out"``, ``"opening"``, ``"active"``, ``"expired"``; ``"blocked"`` until `reset()`;
    #: ``"closed"`` for good, after `close()`.
    name: Literal["signed_out", "opening", "active", "expired", "blocked", "closed"]
    #: The number of the last login, from 1; 0 before the first.
    generation: int
    #: When the login was sent: aware, in UTC.
    issued_at: Optional[datetime]
    #: When the session ends, at the latest: aware, in UTC.
    expires_at: Optional[datetime]
    #: The source of the evidence that decides `expires_at`: the earliest one.
    expiry_source: Optional[str]
    #: All evidence for `expires_at`.
    expiry_evidence: list[ExpiryEvidence]
    #: Until when a refresh token opens the next session without a person, where that outlives the session
    #: (`SamcoOAuth`: seven days, documented): aware, in UTC.
    renewable_until: Optional[datetime]
    #: Seconds that the broker's clock was ahead of this machine's at the login (negative: behind), where its
    #: reply told; the network's delay is taken out, so that 0.0 means no difference that can be seen.
    clock_skew: Optional[float]
    #: The error that blocks the session until `reset()`.
    blocked_by: Optional[PreopenError]
    #: One line for a person.
    reason: str


class SessionEvent(_Value):
    """What happened to a session. No secret is in it."""

    __slots__ = ("at", "error", "expires_at", "generation", "missed", "name", "reason")

    #: ``"renewed"``: a login, a refresh or `prime` gave a new token;
    #: ``"expiring"``: the session ends within 15 minutes;
    #: ``"expired"``: its time came, or the broker refused its token;
    #: ``"login_needed"``: only a person can log in again;
    #: ``"blocked"``: the broker refused the login for good, nothing is sent until `reset()`;
    #: ``"failing"``: logins have failed three times in a row, and trying goes on;
    #: ``"ip_mismatch"``: the broker saw an address that is not registered;
    #: ``"signed_out"``: `logout()` was called;
    #: ``"lagged"``: this listener fell behind and missed events.
    name: Literal[
        "renewed", "expiring", "expired", "login_needed", "blocked", "failing", "ip_mismatch", "signed_out", "lagged"
    ]
    #: When, by the session's clock: aware, in UTC.
    at: datetime
    #: The number of the login that it is about (`Token.generation`); 0 when there was none yet.
    generation: int
    #: When that login's session ends, while it is known: aware, in UTC.
    expires_at: Optional[datetime]
    #: Why, for ``"blocked"``, ``"failing"``, ``"login_needed"`` and ``"ip_mismatch"``.
    error: Optional[PreopenError]
    #: How many events were missed, for ``"lagged"``; 0 otherwise.
    missed: int
    #: One line for a person.
    reason: str


class Logout(_Value):
    """What came of a logout. The token is forgotten in any case."""

    __slots__ = ("acknowledged", "error", "message")

    #: Whether the broker said that it logged out. It is no proof that the token is dead: at SmartAPI, calls
    #: with the old token have been seen to work on (observed by users).
    acknowledged: bool
    #: One line for a person.
    message: str
    #: Why the broker did not acknowledge, if it was asked; or, when it did, why other programs that share the
    #: session may not know.
    error: Optional[PreopenError]


def _time(millis: Optional[int]) -> Optional[datetime]:
    """An aware datetime from milliseconds since the Unix epoch."""
    if millis is None:
        return None
    from datetime import datetime, timezone

    return datetime.fromtimestamp(millis / 1000, timezone.utc)


def _error(info: Optional[Mapping[str, Any]]) -> Optional[PreopenError]:
    return None if info is None else from_info(info)


def read_reply(info: dict[str, Any]) -> Reply:
    """A reply of the native module."""
    info["server_time"] = _time(info.pop("server_time_ms"))
    info["rejections"] = [Rejection(**one) for one in info["rejections"]]
    return Reply(**info)


def read_state(info: dict[str, Any]) -> SessionState:
    """A state of the native module."""
    evidence = [
        ExpiryEvidence(source=one["source"], at=_time(one["at_ms"])) for one in info["expiry_evidence"]
    ]
    info["expiry_evidence"] = evidence
    info["issued_at"] = _time(info.pop("issued_at_ms"))
    info["expires_at"] = _time(info.pop("expires_at_ms"))
    info["renewable_until"] = _time(info.pop("renewable_until_ms"))
    info["blocked_by"] = _error(info["blocked_by"])
    return SessionState(**info)


def read_event(info: dict[str, Any]) -> SessionEvent:
    """An event of the native module."""
    info["at"] = _time(info.pop("at_ms"))
    info["expires_at"] = _time(info.pop("expires_at_ms"))
    info["error"] = _error(info["error"])
    return SessionEvent(**info)


def read_logout(info: dict[str, Any]) -> Logout:
    """A logout of the native module."""
    info["error"] = _error(info["error"])
    return Logout(**info)
