"""What a session returns: small immutable objects. Tokens, codes and begun logins are native ones, whose
texts stay in Rust."""

from __future__ import annotations

from ._native import LoginCode, LoginStart, Token
from .errors import from_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from typing import Any, ClassVar, Literal, Mapping, Optional

    from ._display import Printer
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


class _Slots(dict):  # type: ignore[type-arg]  # Python 3.8 has no dict[str, str]
    """The names of a class's fields. `help` asks it what each of them is, which is read from the source."""

    def __init__(self, kind: type[_Value]) -> None:
        super().__init__(dict.fromkeys(kind.__slots__, ""))
        self._of = (kind.__module__, kind.__name__)

    def __getitem__(self, name: str) -> str:
        from ._display import documented

        return documented(*self._of).get(name, "")


class _Value:
    """An immutable object with named fields, compared by value."""

    __slots__: Iterable[str] = ()

    def __init_subclass__(cls) -> None:
        cls.__slots__ = _Slots(cls)

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

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # some fields are lists and dicts

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._shown())
        return f"{type(self).__name__}({fields})"

    def _shown(self) -> list[tuple[str, Any]]:
        """The fields that are shown."""
        return [(name, getattr(self, name)) for name in self.__slots__]

    def _repr_html_(self) -> str:
        """What notebooks show."""
        from ._display import html

        return html(type(self).__name__, self._shown())

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:
        """What IPython shows."""
        from ._display import pretty

        pretty(printer, cycle, type(self).__name__, self._shown())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), {name: getattr(self, name) for name in self.__slots__})


def _rebuild(kind: type[_Value], fields: Mapping[str, Any]) -> _Value:
    return kind(**fields)


class _Unshown:
    """Data that may be long and private: it is shown when it is asked for."""

    __slots__ = ("_told",)

    def __init__(self, data: object) -> None:
        of = f" of {len(data)}" if isinstance(data, (dict, list)) else ""
        self._told = f"<{type(data).__name__}{of}>"

    def __repr__(self) -> str:
        return self._told


class Rejection(_Value):
    """One part of a request that the broker refused in a reply that is a success.

    An order that it rejected at once, one of several, a position that was not squared off (Samco,
    documented), or a symbol without a quote (SmartAPI, documented). An order that is rejected later is in the
    order book only.
    """

    __slots__ = ("at", "order_id", "reason")

    at: str
    """Where it stands in the data, as a JSON pointer: ``"/orders/0"``, or ``""`` for the whole of it."""

    order_id: Optional[str]
    """The order's number, if it was given one."""

    reason: str
    """The broker's reason on one line, ``""`` if it gave none."""

    def _line(self) -> str:
        order = f"order {self.order_id}" if self.order_id else self.at
        return f"{order}: {self.reason}" if order else self.reason


class Reply(_Value):
    """A broker's reply, out of its envelope.

    It says that the broker took the call, not that it did what was asked: look at `rejections`, and later at
    the order book.

        reply = session.get("/quote/getQuote", params={"symbolName": "INFY", "exchange": "NSE"})
        price = reply.data["quoteDetails"]["lastTradedPrice"]

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

    data: Any
    """The data: dicts, lists, str, int, float, bool and None, keys in the broker's order."""

    message: Optional[str]
    """The broker's message, if there is one."""

    server_time: Optional[datetime]
    """The broker's time, if it tells it: aware, in UTC. Samco prints it in Indian time (documented)."""

    message_id: Optional[str]
    """Samco's ``msgId``, if there is one."""

    validation_errors: list[str]
    """What the broker found wrong with the request although it took it."""

    status: Optional[str]
    """The broker's own word for success, ``"Success"`` or ``"true"``; ``None`` where the reply has none."""

    rejections: list[Rejection]
    """The parts of an accepted request that the broker refused."""

    http_status: int
    """HTTP status."""

    text: str
    """The body exactly as the broker sent it; ``json.loads(reply.text, parse_float=Decimal)`` has every
    number as it was written. It may hold what the data holds, so it is not in the ``repr``."""

    def _shown(self) -> list[tuple[str, Any]]:
        refused = [("rejections", self.rejections)] if self.rejections else []
        status = [("http_status", self.http_status), ("message", self.message)]
        return [*status, *refused, ("data", _Unshown(self.data))]


class WhoAmI(_Value):
    """Which address the broker sees, which are registered, and whether orders from here will be accepted.

        who = session.whoami()
        if who.verdict == "mismatch":
            print(who.source_ip, "is not", who.primary_ip)

    `Session.whoami` gives it.
    """

    __slots__ = ("matched_as", "message", "primary_ip", "secondary_ip", "source_ip", "verdict")

    source_ip: Optional[str]
    """The address that the broker sees."""

    primary_ip: Optional[str]
    """The registered primary address, ``None`` if there is none."""

    secondary_ip: Optional[str]
    """The registered secondary address, ``None`` if there is none."""

    matched_as: Optional[Literal["primary", "secondary"]]
    """``"primary"`` or ``"secondary"`` when one matched."""

    verdict: Literal["match", "mismatch", "unregistered", "unsupported"]
    """``"match"``, ``"mismatch"``, ``"unregistered"``, or ``"unsupported"`` where the broker has no such call
    (SmartAPI)."""

    message: str
    """One line for a person."""


class Profile(_Value):
    """Who the session belongs to."""

    __slots__ = ("account_id", "exchanges", "name", "order_types", "products")

    account_id: Optional[str]
    """Client id at the broker."""

    name: Optional[str]
    """Name of the account's owner."""

    exchanges: list[str]
    """Exchanges that the account may trade on."""

    products: list[str]
    """Products that the account may use."""

    order_types: list[str]
    """Order types that the account may use. Samco tells them, SmartAPI does not."""


class ExpiryEvidence(_Value):
    """One reason to believe that the session ends at a time."""

    __slots__ = ("at", "source")

    source: str
    """Where it comes from, for example the broker's daily boundary or the token's own claim."""

    at: datetime
    """When: aware, in UTC."""

    def _line(self) -> str:
        from ._display import indian

        return f"{indian(self.at)}: {self.source}"


class SessionState(_Value):
    """What a session is doing.

        state = session.state()
        if state.name == "blocked":
            raise state.blocked_by

    `Session.state` gives it.
    """

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

    name: Literal["signed_out", "opening", "active", "expired", "blocked", "closed"]
    """``"signed_out"``, ``"opening"``, ``"active"``, ``"expired"``; ``"blocked"`` until `reset()`;
    ``"closed"`` for good, after `close()`."""

    generation: int
    """The number of the last login, from 1; 0 before the first."""

    issued_at: Optional[datetime]
    """When the login was sent: aware, in UTC."""

    expires_at: Optional[datetime]
    """When the session ends, at the latest: aware, in UTC."""

    expiry_source: Optional[str]
    """The source of the evidence that decides `expires_at`: the earliest one."""

    expiry_evidence: list[ExpiryEvidence]
    """All evidence for `expires_at`."""

    renewable_until: Optional[datetime]
    """Until when a refresh token opens the next session without a person, where that outlives the session
    (`SamcoOAuth`: seven days, documented): aware, in UTC."""

    clock_skew: Optional[float]
    """Seconds that the broker's clock was ahead of this machine's at the login (negative: behind), where its
    reply told; the network's delay is taken out, so that 0.0 means no difference that can be seen."""

    blocked_by: Optional[PreopenError]
    """The error that blocks the session until `reset()`."""

    reason: str
    """One line for a person."""


class SessionEvent(_Value):
    """What happened to a session. No secret is in it.

        for event in session.events():
            if event.name == "renewed":
                reconnect(session.stream_headers())
            elif event.name == "blocked":
                raise event.error

    `Session.events` gives them.
    """

    __slots__ = ("at", "error", "expires_at", "generation", "missed", "name", "reason")

    name: Literal[
        "renewed",
        "expiring",
        "expired",
        "login_needed",
        "blocked",
        "failing",
        "ip_mismatch",
        "signed_out",
        "lagged",
    ]
    """``"renewed"``: a login, a refresh or `prime` gave a new token;
    ``"expiring"``: the session ends within 15 minutes;
    ``"expired"``: its time came, or the broker refused its token;
    ``"login_needed"``: only a person can log in again;
    ``"blocked"``: the broker refused the login for good, nothing is sent until `reset()`;
    ``"failing"``: logins have failed three times in a row, and trying goes on;
    ``"ip_mismatch"``: the broker saw an address that is not registered;
    ``"signed_out"``: `logout()` was called;
    ``"lagged"``: this listener fell behind and missed events."""

    at: datetime
    """When, by the session's clock: aware, in UTC."""

    generation: int
    """The number of the login that it is about (`Token.generation`); 0 when there was none yet."""

    expires_at: Optional[datetime]
    """When that login's session ends, while it is known: aware, in UTC."""

    error: Optional[PreopenError]
    """Why, for ``"blocked"``, ``"failing"``, ``"login_needed"`` and ``"ip_mismatch"``."""

    missed: int
    """How many events were missed, for ``"lagged"``; 0 otherwise."""

    reason: str
    """One line for a person."""


class Logout(_Value):
    """What came of a logout. The token is forgotten in any case."""

    __slots__ = ("acknowledged", "error", "message")

    acknowledged: bool
    """Whether the broker said that it logged out. It is no proof that the token is dead: at SmartAPI, calls
    with the old token have been seen to work on (observed by users)."""

    message: str
    """One line for a person."""

    error: Optional[PreopenError]
    """Why the broker did not acknowledge, if it was asked; or, when it did, why other programs that share the
    session may not know."""


def _time(millis: Optional[int]) -> Optional[datetime]:
    """An aware datetime from milliseconds since the Unix epoch."""
    if millis is None:
        return None
    from datetime import datetime, timezone

    return datetime.fromtimestamp(millis / 1000, timezone.utc)


def _error(info: Optional[Mapping[str, Any]]) -> Optional[PreopenError]:
    return None if info is None else from_info(info)


class _Replying(_Value):
    """A `Reply` whose fields can still be set: a value's own way, name by name past its guard, takes ten
    times as long."""

    __slots__ = tuple(Reply.__slots__)
    # Both, or Python calls the one as it calls a function.
    __setattr__ = object.__setattr__  # type: ignore[assignment]
    __delattr__ = object.__delattr__  # pyright: ignore[reportAssignmentType]


_new = object.__new__


def read_reply(fields: tuple[Any, ...]) -> Reply:
    """A reply of the native module, which gives its fields in their order."""
    reply: Any = _new(_Replying)
    (
        reply.data,
        reply.http_status,
        reply.message,
        reply.message_id,
        rejections,
        reply.server_time,
        reply.status,
        reply.text,
        reply.validation_errors,
    ) = fields
    reply.rejections = [Rejection(**one) for one in rejections] if rejections else rejections
    reply.__class__ = Reply
    return reply  # type: ignore[no-any-return]


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
