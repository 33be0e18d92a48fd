"""A session's live token for `httpx`_ (0.23 or newer): blocking and asynchronous.

    import httpx
    from preopen import Samco, Session
    from preopen.httpx import Auth

    session = Session(Samco.from_env())
    with httpx.Client(base_url=session.base_url, auth=Auth(session)) as client:
        client.get("/limit/getLimits").json()

.. _httpx: https://www.python-httpx.org
"""

from __future__ import annotations

import httpx

from ._foreign import Sent, Told, awaited, blocking, either, foreign, is_as_it_seems, lines, sign, sign_async
from .errors import InternalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, AsyncGenerator, Generator, Optional

    from ._base import SessionBase
    from ._native import SignedCall
    from .errors import PreopenError

__all__ = ["Auth"]


class Auth(httpx.Auth):
    """The live token of a session, for each request anew: ``httpx.Client(auth=Auth(session))`` with a
    `Session`, ``httpx.AsyncClient(auth=Auth(session))`` with an `AsyncSession`.

    - A request gets every header that the broker wants; what you set yourself for ``Accept`` and
      ``Content-Type`` stays. The token is in what is sent and not in ``request.headers``, so that neither a
      log nor a redirect has it.
    - When the broker says that the token has ended, a read is sent once more with a new one, and its caller
      sees that reply. However many callers are told so at once, one login follows. A write is never sent
      again: its caller sees the refusal, and the next request has a new token. A body that is a stream is not
      sent again either.
    - The token goes to the session's own host and nowhere else: any other URL is refused before anything is
      sent. A redirect is an error, also where ``follow_redirects`` has followed it without the token.
    - Replies stay yours: statuses are not raised. `error` says what one meant. JSON and text replies, and all
      that are no success, are read whole before you get them, also with ``client.stream``.

    Connections, proxies, timeouts and transports are those of `httpx`; `source_ip`, `proxy`, `ca_file` and
    `rate_limits` of the session do not apply to them.

    A request raises what `Session.token` raises; `InvalidInputError` (field ``url``) when it goes to another
    host, (``headers``) with another ``Host``, (``path``) for the login and the logout, which are the
    session's own, (``params``) when its URL holds a secret, (``session``) when a blocking client has an
    `AsyncSession` or the reverse; and `BrokerUnavailableError` for a redirect.

    - `session`: a `Session` or an `AsyncSession`. Raises `InvalidInputError` (field ``session``) for anything
      else.
    """

    def __init__(self, session: SessionBase) -> None:
        self._session = either(session, "httpx")
        self._told = Told()
        _check_that_copies_are_bare()

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        session = blocking(self._session, "httpx.Client (httpx.AsyncClient takes an AsyncSession)")
        call = foreign(session, request.method, str(request.url), request.headers)
        plain = request.headers
        while True:
            signed = sign(session, call)
            request.headers = _Signed(plain, signed)
            response = yield request
            if _is_telling(signed, response):
                response.read()
                if self._answered(signed, request, response):
                    continue
            return

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        session = awaited(self._session, "httpx.AsyncClient (httpx.Client takes a Session)")
        call = foreign(session, request.method, str(request.url), request.headers)
        plain = request.headers
        while True:
            signed = await sign_async(session, call)
            request.headers = _Signed(plain, signed)
            response = yield request
            if _is_telling(signed, response):
                await response.aread()
                if self._answered(signed, request, response):
                    continue
            return

    def _answered(self, signed: SignedCall, request: httpx.Request, response: httpx.Response) -> bool:
        """Tells the session of a reply; whether the call should be sent once more."""
        if response.request is not request:
            # It was redirected, and what another place says means nothing for the session.
            first = next(one for one in response.history if one.request is request)
            _, error = signed.answered(first.status_code, first.headers, b"", False)
            if error is not None:
                raise error
        again, error = signed.answered(
            response.status_code,
            response.headers,
            response.content,
            isinstance(request.stream, httpx.ByteStream) and is_as_it_seems(request.headers),
        )
        if error is not None and response.has_redirect_location:
            raise error
        self._told.note(response, error)
        return again

    def error(self, response: httpx.Response) -> Optional[PreopenError]:
        """What `Session.get` or `Session.post` would have raised for this reply; ``None`` for a success, and
        for a reply to a request without this `Auth`."""
        return self._told.of(response)

    def __repr__(self) -> str:
        return f"preopen.httpx.Auth({self._session!r})"


def _is_telling(signed: SignedCall, response: httpx.Response) -> bool:
    return bool(response.history) or signed.is_telling(
        response.status_code, response.headers.get("content-type")
    )


class _Signed(httpx.Headers):
    """Headers that send more than they show: httpx builds a redirected request from a copy of what they show,
    and takes only the header ``authorization`` out of it."""

    def __init__(self, plain: httpx.Headers, signed: Optional[SignedCall] = None) -> None:
        super().__init__(plain)
        self._secret: list[tuple[str, Sent]] = [] if signed is None else list(lines(signed, plain))

    def __reduce__(self) -> tuple[Any, ...]:
        # What pickles or copies a request gets what it shows.
        return (httpx.Headers, (super().raw,))

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        own = {name.lower().encode("ascii") for name, _ in self._secret}
        shown = [(name, value) for name, value in super().raw if name.lower() not in own]
        return shown + [(name.encode("ascii"), value.encode("latin-1")) for name, value in self._secret]


def _check_that_copies_are_bare() -> None:
    """Refuses a future httpx whose copies of headers would have the token: a redirect could leak it."""
    probe = _Signed(httpx.Headers())
    probe._secret = [("x-session-token", Sent("probe"))]
    if "x-session-token" in httpx.Headers(probe) or len(probe.raw) != 1:
        version = httpx.__version__
        raise InternalError(f"httpx {version} copies headers in a way that Preopen does not know: use 0.28")
