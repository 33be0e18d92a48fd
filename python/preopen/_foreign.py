"""What the drop-ins for other HTTP clients share: who may use them, and headers that hide in tracebacks.
What a call may carry and what a reply means is decided in Rust."""

from __future__ import annotations

from urllib.parse import urlsplit

from ._async_session import AsyncSession
from ._session import Session
from .errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Mapping, MutableMapping, Optional
    from weakref import WeakKeyDictionary

    from . import _native
    from ._base import SessionBase
    from .errors import PreopenError

__all__ = [
    "LONGEST_REFUSAL",
    "Hidden",
    "Sent",
    "Told",
    "awaited",
    "blocking",
    "either",
    "fill",
    "foreign",
    "is_as_it_seems",
    "lines",
    "sign",
    "sign_async",
]


#: No refusal is longer than this: what is, need not be read.
LONGEST_REFUSAL = 65_536


class Hidden(str):
    """A header's text that a traceback with local variables does not show. It is sent as any other."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**redacted**'"


class Sent(Hidden):
    """A header of a request. What pickles or copies the request, a cache or a task queue, does not get it."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return (Sent, ("**redacted**",))

    def __reduce_ex__(self, _: object) -> tuple[Any, ...]:
        return self.__reduce__()


class Told:
    """What replies meant, for as long as their callers keep them."""

    __slots__ = ("_errors",)

    def __init__(self) -> None:
        from weakref import WeakKeyDictionary

        self._errors: WeakKeyDictionary[object, PreopenError] = WeakKeyDictionary()

    def note(self, response: object, error: Optional[PreopenError]) -> None:
        if error is not None:
            self._errors[response] = error

    def of(self, response: object) -> Optional[PreopenError]:
        return self._errors.get(response)


def blocking(session: object, user: str) -> Session:
    """`session`, which must be a `Session`."""
    if isinstance(session, Session):
        return session
    raise _unfit(session, user, "a preopen.Session")


def awaited(session: object, user: str) -> AsyncSession:
    """`session`, which must be an `AsyncSession`."""
    if isinstance(session, AsyncSession):
        return session
    raise _unfit(session, user, "a preopen.AsyncSession")


def either(session: object, user: str) -> SessionBase:
    """`session`, which must be one of both."""
    if isinstance(session, (Session, AsyncSession)):
        return session
    raise _unfit(session, user, "a preopen.Session or preopen.AsyncSession")


def _unfit(session: object, user: str, wanted: str) -> InvalidInputError:
    # Not the value: it may be a secret in the wrong place.
    problem = f"session must be {wanted} for {user}, not {type(session).__name__}"
    return InvalidInputError(problem, field="session")


def foreign(session: SessionBase, method: str, url: str, headers: Mapping[Any, Any]) -> _native.ForeignCall:
    """Looks at a call before anything is sent. Raises `InvalidInputError`: field ``url``, ``method``,
    ``path`` or ``params``, and ``headers`` for a ``Host`` that is not the URL's: what stands before the
    broker, a proxy or a content network, would hand the token to whom it names."""
    call = session._native.foreign(method, url)
    parts = urlsplit(url)
    port = {"http": ":80", "https": ":443"}[parts.scheme.lower()]
    own = parts.netloc.lower()
    bare = own[: -len(port)] if own.endswith(port) else own
    for value in _values(headers, "host"):
        if value.strip().lower() not in (own, bare, bare + port):
            problem = f"headers must not name another Host than {parts.netloc}: leave it out"
            raise InvalidInputError(problem, field="headers")
    return call


#: Headers by which a server takes a request for one of another method.
_OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")


def is_as_it_seems(headers: Mapping[Any, Any]) -> bool:
    """Whether the method is what the broker goes by: else a read may be a write, and is not sent again."""
    return not any(_values(headers, name) for name in _OVERRIDES)


def _values(headers: Mapping[Any, Any], name: str) -> list[str]:
    """All values of a header, whatever its spelling: some clients pass bytes on."""
    return [_text(value) for key, value in headers.items() if _text(key).lower() == name]


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def sign(session: Session, call: _native.ForeignCall) -> _native.SignedCall:
    """The call with a live session; logs in if there is none."""
    signed = call.try_sign()
    if signed is None:
        signed = session._native.sign(call).wait()
    return signed


async def sign_async(session: AsyncSession, call: _native.ForeignCall) -> _native.SignedCall:
    """The same, awaited."""
    signed = call.try_sign()
    if signed is None:
        signed = await session._run(session._native.sign(call))
    return signed


#: What a caller may choose; the rest is the session's.
_CHOSEN = frozenset(("accept", "content-type"))


def lines(signed: _native.SignedCall, present: MutableMapping[str, Any]) -> Iterator[tuple[str, Sent]]:
    """The headers to set beside those that are `present`, whose own choice of formats is kept."""
    for name, value in signed.headers().items():
        if name.lower() in _CHOSEN and present.get(name, "*/*") != "*/*":
            continue
        yield name, Sent(value)


def fill(present: MutableMapping[str, Any], signed: _native.SignedCall) -> None:
    """Sets them."""
    for name, value in list(lines(signed, present)):
        present[name] = value
