"""The exceptions: one base, one class for each kind of error. The kind says what to do about it.

Which answer of a broker becomes which kind is decided in Rust; here are only the classes.
"""

from __future__ import annotations

import builtins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any, ClassVar, Mapping, Optional

__all__ = [
    "AccountActionRequiredError",
    "BrokerRejectedError",
    "BrokerUnavailableError",
    "CancelledError",
    "CredentialsRejectedError",
    "InternalError",
    "InvalidInputError",
    "LoginRequiredError",
    "MalformedResponseError",
    "NetworkError",
    "OutcomeUnknownError",
    "PreopenError",
    "RateLimitedError",
    "SessionExpiredError",
    "StaticIpMismatchError",
    "StoreUnavailableError",
    "TimeoutError",
]


class PreopenError(Exception):
    """Why a Preopen call failed. ``str()`` is one line, safe to log: no secret is in it or in any attribute.

        try:
            session.post("/order/placeOrder", json=order)
        except OutcomeUnknownError:
            look_at_the_order_book()
        except PreopenError as error:
            print(error.code, error.advice, error.advice_seconds, error)

    What to do: the class, `code`, `advice`, `advice_seconds`. What it is about: `broker`, `endpoint`,
    `http_status`, `broker_code`, `message_id`, `server_time`, `message`, `causes`. What only some kinds know:
    `which`, `reason`, `phase`, `clock_skew`, `retry_after`, `source_ip`, `primary_ip`, `secondary_ip`,
    `field`, `validation_errors`, `body`; each class says which.

    Every attribute but ``code``, ``message``, ``advice``, ``validation_errors`` and ``causes`` is ``None``
    when it is not known. Errors can be pickled.
    """

    code: ClassVar[str] = ""
    """The stable code of the kind, the same in every language; one for each class."""

    message: str
    """One line for a person, at most 512 characters, without broker, endpoint and status."""

    advice: str
    """Whether to try the same call again: ``"never"``, ``"now"``, ``"after"`` (see `advice_seconds`) or
    ``"after_login"`` (the session logs in by itself on the next call)."""

    advice_seconds: Optional[float]
    """Seconds to wait before the next try, for the advice ``"after"``."""

    broker: Optional[str]
    """``"samco"`` or ``"angelone"``."""

    endpoint: Optional[str]
    """Method and path of the call, without its query."""

    http_status: Optional[int]
    """HTTP status of the reply."""

    broker_code: Optional[str]
    """The broker's own error code, for example ``"AB1050"``."""

    message_id: Optional[str]
    """The broker's message id (Samco: ``msgId``)."""

    server_time: Optional[datetime]
    """The broker's time, as told by the reply: aware, in UTC."""

    which: Optional[str]
    """`CredentialsRejectedError`: ``"api_key"``, ``"api_secret"``, ``"pin"``, ``"totp"``, ``"password"``
    (Samco's deprecated calls) or ``"unknown"``; `AccountActionRequiredError`: ``"app_login"``,
    ``"not_subscribed"`` or ``"blocked"``."""

    reason: Optional[str]
    """`LoginRequiredError`: why: ``"signed_out"``, ``"refresh_expired"``, ``"refresh_rejected"``,
    ``"not_answered"`` (the callback for a secret gave ``None``), ``"store_unreadable"``, ``"code_invalid"``,
    ``"code_expired"``, ``"code_replayed"`` (the broker has revoked the tokens that the code gave),
    ``"consent_needed"`` (the user must log in at the broker's page) or ``"consent_denied"`` (the user
    cancelled there, or the page refused)."""

    phase: Optional[str]
    """`TimeoutError` and `NetworkError`: ``"lock"``, ``"connect"`` (nothing was sent), ``"login"`` or
    ``"read"``."""

    clock_skew: Optional[float]
    """Seconds that the broker's clock is ahead of this machine's (negative: behind), when that is a likely
    cause: correct this machine's clock."""

    retry_after: Optional[float]
    """`RateLimitedError`: seconds to wait, when the broker or a limit said so."""

    source_ip: Optional[str]
    """`StaticIpMismatchError`: the address that the broker saw."""

    primary_ip: Optional[str]
    """`StaticIpMismatchError`: the registered primary address."""

    secondary_ip: Optional[str]
    """`StaticIpMismatchError`: the registered secondary address."""

    field: Optional[str]
    """`InvalidInputError`: the argument or setting that was refused."""

    validation_errors: list[str]
    """`BrokerRejectedError`: what the broker found wrong with the request."""

    body: Optional[str]
    """`MalformedResponseError`: the start of the reply; for a refusal that came with a payload (Samco tells
    the whole order that it refuses, documented) the start of that, as JSON. One line of at most 512
    characters, without any known secret, and never that of a login."""

    causes: list[str]
    """Messages of the lower-level causes, nearest first."""

    def __init__(self, message: str = "", **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self._text = context.pop("text", None) or message
        self.advice = context.pop("advice", "never")
        self.validation_errors = list(context.pop("validation_errors", ()))
        self.causes = list(context.pop("causes", ()))
        self.server_time = _time(context.pop("server_time", None))
        for name in _OPTIONAL:
            setattr(self, name, context.pop(name, None))
        if context:
            raise TypeError("unknown context: " + ", ".join(sorted(context)))

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._text!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        context: dict[str, Any] = {name: getattr(self, name) for name in _OPTIONAL}
        context.update(
            advice=self.advice,
            validation_errors=self.validation_errors,
            causes=self.causes,
            server_time=self.server_time,
            text=self._text,
        )
        return _rebuild, (type(self), self.message, context)


class InvalidInputError(PreopenError, ValueError):
    """Refused before anything was sent: correct `field`."""

    code = "invalid_input"


class CredentialsRejectedError(PreopenError, PermissionError):
    """The broker refused a credential: `which` says which. The session does not try again until `reset()`."""

    code = "credentials_rejected"


class AccountActionRequiredError(PreopenError, PermissionError):
    """A person must act at the broker: `which` says what. The session does not try again until `reset()`."""

    code = "account_action_required"


class LoginRequiredError(PreopenError, PermissionError):
    """A new login is needed: `reason` says why."""

    code = "login_required"


class SessionExpiredError(PreopenError, PermissionError):
    """The broker refused the token, and this call is not repeated for you: it is a write, which was not done,
    or a read that was refused with a new token too (then `advice` is ``"after"`` and the session stays)."""

    code = "session_expired"


class StaticIpMismatchError(PreopenError, PermissionError):
    """This host's address is not registered with the broker: see `source_ip`, `primary_ip`,
    `secondary_ip`."""

    code = "static_ip_mismatch"


class RateLimitedError(PreopenError):
    """Too many calls: wait `retry_after` or `advice_seconds`. Without an `http_status` a limit of this
    account refused it, and nothing was sent."""

    code = "rate_limited"


class TimeoutError(PreopenError, builtins.TimeoutError):  # noqa: A001 - the kind's name; it is a builtin one too
    """The deadline passed during `phase`."""

    code = "timeout"


class NetworkError(PreopenError, ConnectionError):
    """DNS, connecting, TLS, or a connection that broke, during `phase`."""

    code = "network"


class BrokerUnavailableError(PreopenError, ConnectionError):
    """The broker answered with a 5xx, an HTML page, a gateway's text, a redirect, or nothing."""

    code = "broker_unavailable"


class OutcomeUnknownError(PreopenError):
    """A write may have happened: look at the order book before you repeat it."""

    code = "outcome_unknown"


class BrokerRejectedError(PreopenError):
    """The broker said no to this request: see `message` and `validation_errors`."""

    code = "broker_rejected"


class MalformedResponseError(PreopenError, ValueError):
    """The reply fits no known shape: see `body`."""

    code = "malformed_response"


class StoreUnavailableError(PreopenError, ConnectionError):
    """The session store cannot be used."""

    code = "store_unavailable"


class CancelledError(PreopenError):
    """The caller gave up. A cancelled asyncio task raises `asyncio.CancelledError`, not this."""

    code = "cancelled"


class InternalError(PreopenError, RuntimeError):
    """A bug in Preopen: please report it."""

    code = "internal"


_OPTIONAL = (
    "advice_seconds",
    "broker",
    "endpoint",
    "http_status",
    "broker_code",
    "message_id",
    "which",
    "reason",
    "phase",
    "clock_skew",
    "retry_after",
    "source_ip",
    "primary_ip",
    "secondary_ip",
    "field",
    "body",
)

#: The class of every code. There is no class for other codes: a test holds this against Rust's own list.
BY_CODE: Mapping[str, type[PreopenError]] = {
    kind.code: kind
    for kind in (
        InvalidInputError,
        CredentialsRejectedError,
        AccountActionRequiredError,
        LoginRequiredError,
        SessionExpiredError,
        StaticIpMismatchError,
        RateLimitedError,
        TimeoutError,
        NetworkError,
        BrokerUnavailableError,
        OutcomeUnknownError,
        BrokerRejectedError,
        MalformedResponseError,
        StoreUnavailableError,
        CancelledError,
        InternalError,
    )
}


def from_info(info: Mapping[str, Any]) -> PreopenError:
    """The exception for an error of the native module."""
    context = dict(info)
    kind = BY_CODE[context.pop("code")]
    return kind(context.pop("message"), **context)


def _rebuild(kind: type[PreopenError], message: str, context: Mapping[str, Any]) -> PreopenError:
    return kind(message, **context)


def _time(value: Any) -> Optional[datetime]:
    """An aware datetime from RFC 3339 in UTC."""
    if not isinstance(value, str):
        return value  # type: ignore[no-any-return]  # None, or a datetime of an error that was pickled
    from datetime import datetime, timezone

    seconds, _, fraction = value.rstrip("Z").partition(".")
    time = datetime.strptime(seconds, "%Y-%m-%dT%H:%M:%S")
    return time.replace(microsecond=int((fraction + "000000")[:6]), tzinfo=timezone.utc)
