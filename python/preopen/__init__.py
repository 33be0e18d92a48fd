"""Preopen keeps a broker session valid: Samco Trade API and Angel One SmartAPI.

    from preopen import Samco, Session

    session = Session(Samco.from_env())      # nothing is sent yet
    quote = session.get("/quote/getQuote", params={"symbolName": "INFY", "exchange": "NSE"})

`Session` blocks, `AsyncSession` is for asyncio. Every error is a `PreopenError`; its class says what to do.
Importing this package opens nothing and starts nothing.
"""

from . import errors
from ._async_session import AsyncSession
from ._credentials import AngelOne, Credentials, Samco
from ._events import AsyncEvents, Events
from ._logins import AngelOnePublisher, SamcoLegacy, SamcoLoginCode, SamcoOAuth
from ._native import __version__, generate_key
from ._preflight import Check, Preflight
from ._session import Session
from ._types import (
    ExpiryEvidence,
    LoginCode,
    LoginStart,
    Logout,
    Profile,
    Rejection,
    Reply,
    SessionEvent,
    SessionState,
    Token,
    WhoAmI,
)
from .errors import (
    AccountActionRequiredError,
    BrokerRejectedError,
    BrokerUnavailableError,
    CancelledError,
    CredentialsRejectedError,
    InternalError,
    InvalidInputError,
    LoginRequiredError,
    MalformedResponseError,
    NetworkError,
    OutcomeUnknownError,
    PreopenError,
    RateLimitedError,
    SessionExpiredError,
    StaticIpMismatchError,
    StoreUnavailableError,
    TimeoutError,  # noqa: A004 - it is a builtin TimeoutError too
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import static_ip
    from ._legacy import AsyncSamcoLegacyCalls, SamcoLegacyCalls
    from ._store import Claim, Store

__all__ = [
    "AccountActionRequiredError",
    "AngelOne",
    "AngelOnePublisher",
    "AsyncEvents",
    "AsyncSamcoLegacyCalls",
    "AsyncSession",
    "BrokerRejectedError",
    "BrokerUnavailableError",
    "CancelledError",
    "Check",
    "Claim",
    "Credentials",
    "CredentialsRejectedError",
    "Events",
    "ExpiryEvidence",
    "InternalError",
    "InvalidInputError",
    "LoginCode",
    "LoginRequiredError",
    "LoginStart",
    "Logout",
    "MalformedResponseError",
    "NetworkError",
    "OutcomeUnknownError",
    "Preflight",
    "PreopenError",
    "Profile",
    "RateLimitedError",
    "Rejection",
    "Reply",
    "Samco",
    "SamcoLegacy",
    "SamcoLegacyCalls",
    "SamcoLoginCode",
    "SamcoOAuth",
    "Session",
    "SessionEvent",
    "SessionExpiredError",
    "SessionState",
    "StaticIpMismatchError",
    "Store",
    "StoreUnavailableError",
    "TimeoutError",
    "Token",
    "WhoAmI",
    "__version__",
    "errors",
    "generate_key",
    "static_ip",
]


def _public(thing: object) -> object:
    """Has `help`, tracebacks and pickles name what is public by the module that people import it from."""
    if getattr(thing, "__module__", "").startswith("preopen."):
        thing.__module__ = __name__
    return thing


for _name in __all__:
    if _name in globals():
        _public(globals()[_name])

# Type checkers know what there is; with these they would take any name.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # The protocols need `typing`, which is slow to import; only a program that writes a store needs them.
        if name in ("Claim", "Store"):
            from . import _store

            return _public(getattr(_store, name))
        if name == "static_ip":
            from importlib import import_module

            return import_module(".static_ip", __name__)
        if name in ("AsyncSamcoLegacyCalls", "SamcoLegacyCalls"):
            from . import _legacy

            return _public(getattr(_legacy, name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> "list[str]":
        return sorted({*globals(), *__all__})
