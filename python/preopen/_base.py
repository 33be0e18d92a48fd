"""What the blocking and the asynchronous session share: making one, and everything that does not wait."""

from __future__ import annotations

from . import _native as native
from ._ask import Callbacks
from ._credentials import Credentials
from ._types import read_state
from .errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, Mapping, NoReturn, Optional, Sequence, Union

    from ._store import Store
    from ._types import SessionState

    #: A value of a query: it is encoded for you; bools become ``true`` and ``false``.
    Param = Union[str, int, float, bool]
    Params = Mapping[str, Param]

    #: The brokers.
    Broker = Literal["samco", "angelone"]

    #: The brokers' WebSockets, by the brokers' names.
    Stream = Literal["stream", "smart-stream", "smart-order-update"]

    #: The most calls of each group: ``per_second``, ``per_minute``, ``per_hour``; ``None`` is no limit.
    RateLimits = Mapping[str, Mapping[str, Optional[int]]]

    #: What a new login does while the store cannot be used.
    OnStoreLoss = Literal["refuse", "login"]

__all__ = ["SessionBase"]

# What callers hand over may be secret: a proxy's password, a header, or credentials in the wrong place. It is
# deleted before an exception leaves, so that a traceback that shows local variables does not show it.


class SessionBase:
    """The part of a session that never waits."""

    __slots__ = ("__weakref__", "_callbacks", "_native")

    if TYPE_CHECKING:
        _native: native.Session
        #: What is asked for; it lives here, where Python can see who refers to whom.
        _callbacks: Optional[Callbacks]

    def __init__(
        self,
        credentials: Credentials,
        *,
        base_url: Optional[str] = None,
        timeout: float = 10.0,
        ip_version: int = 4,
        source_ip: Optional[str] = None,
        proxy: Optional[str] = None,
        ca_file: Optional[str] = None,
        allowed_hosts: Sequence[str] = (),
        keep_warm: bool = False,
        store: Union[str, Store] = "memory",
        store_key: Optional[str] = None,
        on_store_loss: OnStoreLoss = "refuse",
        rate_limits: Optional[RateLimits] = None,
        audit: Optional[str] = None,
    ) -> None:
        try:
            _build(
                self,
                credentials,
                None,
                base_url=base_url,
                timeout=timeout,
                ip_version=ip_version,
                source_ip=source_ip,
                proxy=proxy,
                ca_file=ca_file,
                allowed_hosts=allowed_hosts,
                keep_warm=keep_warm,
                store=store,
                store_key=store_key,
                on_store_loss=on_store_loss,
                rate_limits=rate_limits,
                audit=audit,
            )
        finally:
            del credentials, base_url, proxy, store, store_key

    @property
    def broker(self) -> Broker:
        """``"samco"`` or ``"angelone"``."""
        return self._native.broker

    @property
    def environment(self) -> Literal["live", "sandbox", "custom"]:
        """``"live"``; ``"sandbox"`` for a loopback `base_url`; ``"custom"`` for a host of `allowed_hosts`."""
        return self._native.environment

    @property
    def base_url(self) -> str:
        """Where this session's calls go, without a slash at its end: what another HTTP client puts before a
        path."""
        return self._native.base_url

    @property
    def store(self) -> Optional[str]:
        """Where the session is shared, in a few words and without a password; ``None`` when it is this
        object's own."""
        return self._native.store

    def state(self) -> SessionState:
        """What the session is doing. Nothing is sent and nothing changes."""
        return read_state(self._native.state())

    def invalidate(self, generation: int) -> None:
        """Says that the broker refused the token of this `generation` (`Token.generation`). The next call
        logs in again; an old generation changes nothing.

        Raises `InvalidInputError` when it is not a whole number.
        """
        self._native.invalidate(generation)

    def prime(self, record: str, key: Optional[str] = None) -> None:
        """Takes over a session that another program exported, so that nobody logs in twice. Nothing is sent;
        its token is the next one that this session hands out.

        - `record`: what `export` or `export_exposed` gave.
        - `key`: the key that it was sealed with, or ``PREOPEN_KEY`` in the environment.

        Raises `InvalidInputError`: field ``record`` when it is damaged, sealed with another key, of another
        account, of a sandbox session on a live one or the reverse, over already, or older than the session
        that is live here; field ``key`` when it is sealed and there is no key, or one that is none; field
        ``session`` once closed.
        """
        try:
            self._native.prime(record, key)
        finally:
            del record, key

    def reset(self) -> None:
        """Lets a blocked session try again, after you have fixed what blocked it."""
        self._native.reset()

    def __repr__(self) -> str:
        # Tracebacks with local variables show a session whose making failed.
        made = getattr(self, "_native", None)
        return type(self).__name__ + ("(not made)" if made is None else repr(made)[len("Session") :])

    def _repr_html_(self) -> str:
        """What notebooks show: what the session is and does, and nothing is sent."""
        from ._display import html

        made = getattr(self, "_native", None)
        if made is None:
            return html(repr(self), ())
        state = self.state()
        shown = ("generation", "expires_at", "renewable_until", "blocked_by", "reason")
        fields: list[tuple[str, object]] = [("broker", self.broker), ("environment", self.environment)]
        fields += [("store", self.store), ("state", state.name)]
        return html(type(self).__name__, fields + [(name, getattr(state, name)) for name in shown])

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} cannot be pickled or copied: it holds secrets")

    def _request(
        self,
        method: str,
        path: str,
        params: Optional[Params],
        json: Any,
        headers: Optional[Mapping[str, str]],
        replay_safe: Optional[bool],
        timeout: Optional[float],
    ) -> native.Work:
        text = None
        try:
            text = None if json is None else _json_text(json)
            return self._native.request(method, path, params, text, headers, replay_safe, timeout)
        finally:
            del path, params, json, text, headers


def under_own_name(kind: type[SessionBase]) -> None:
    """Has `help` and Python's errors about missing arguments name `kind`, which people know, and not this
    base."""
    for name, shared in list(vars(SessionBase).items()):
        if isinstance(shared, property):
            setattr(kind, name, shared)
            continue
        if (name.startswith("_") and name != "__init__") or not hasattr(shared, "__code__"):
            continue
        own = type(shared)(shared.__code__, shared.__globals__, name, shared.__defaults__)
        own.__kwdefaults__ = shared.__kwdefaults__
        own.__annotations__ = shared.__annotations__
        own.__doc__ = shared.__doc__
        own.__module__ = kind.__module__
        own.__qualname__ = f"{kind.__qualname__}.{name}"
        setattr(kind, name, own)


def with_clock(
    session: SessionBase, credentials: Credentials, clock: native.VirtualClock, options: Mapping[str, Any]
) -> None:
    """Makes `session`, a new and empty one, follow the clock of an embedded broker."""
    defaults: dict[str, Any] = {
        "base_url": None,
        "timeout": 10.0,
        "ip_version": 4,
        "source_ip": None,
        "proxy": None,
        "ca_file": None,
        "allowed_hosts": (),
        "keep_warm": False,
        "store": "memory",
        "store_key": None,
        "on_store_loss": "refuse",
        "rate_limits": None,
        "audit": None,
    }
    try:
        unknown = sorted(set(options) - set(defaults))
        if unknown:
            raise TypeError("unknown option: " + ", ".join(unknown))
        _build(session, credentials, clock, **{**defaults, **options})
    finally:
        del credentials, options


def _build(
    session: SessionBase, credentials: Credentials, clock: Optional[native.VirtualClock], **options: Any
) -> None:
    own = None
    try:
        if not isinstance(credentials, Credentials):
            # The value is not shown: it may well be a secret in the wrong place.
            given = type(credentials).__name__
            message = f"credentials must be Samco(...), AngelOne(...) or another login, not {given}"
            raise InvalidInputError(message, field="credentials")
        own = None if isinstance(options["store"], str) else options["store"]
        asked = credentials._asked
        callbacks = None if asked is None and own is None else Callbacks(asked, own)
        session._callbacks = callbacks
        options["rate_limits"] = _limits_text(options["rate_limits"])
        session._native = native.Session(credentials._native, callbacks=callbacks, clock=clock, **options)
    finally:
        del credentials, options, own


def _limits_text(value: Any) -> Optional[str]:
    if value is None:
        return None
    try:
        return _json_text({group: dict(limits) for group, limits in value.items()})
    except (AttributeError, TypeError, ValueError, InvalidInputError):
        message = "rate_limits must name groups of calls, each with per_second, per_minute or per_hour"
    raise InvalidInputError(message, field="rate_limits")


def _json_text(value: Any) -> str:
    from json import dumps

    try:
        return dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        problem = str(error)
    finally:
        del value
    # Raised here, so that the error carries no other one along.
    raise InvalidInputError(f"json cannot be written as JSON: {problem}", field="json")
