"""A session's live token for `aiohttp`_ (3.12 or newer, whose client has middlewares).

    import aiohttp
    from preopen import AsyncSession, Samco
    from preopen.aiohttp import middleware

    async def main():
        async with AsyncSession(Samco.from_env()) as session:
            async with aiohttp.ClientSession(session.base_url, middlewares=[middleware(session)]) as client:
                async with client.get("/limit/getLimits") as reply:
                    print(await reply.json())

.. _aiohttp: https://docs.aiohttp.org
"""

from __future__ import annotations

import aiohttp

from ._foreign import Told, awaited, fill, foreign, is_as_it_seems, sign_async
from .errors import InvalidInputError, PreopenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from ._async_session import AsyncSession
    from ._native import SignedCall

__all__ = ["Middleware", "middleware"]

_REDIRECTS = frozenset((301, 302, 303, 307, 308))


def middleware(session: AsyncSession) -> Middleware:
    """The live token of `session`, for each request anew:
    ``aiohttp.ClientSession(middlewares=[middleware(session)])``, or ``middlewares=`` of one request.

    - `session`: an `AsyncSession`. Raises `InvalidInputError`: field ``session`` for anything else, field
      ``aiohttp`` when aiohttp is older than 3.12. There, give each request
      ``headers=await session.headers()`` and ``allow_redirects=False``.
    """
    return Middleware(session)


class Middleware:
    """What `middleware` gives.

    - A request gets every header that the broker wants; what you set yourself for ``Accept`` and
      ``Content-Type`` stays.
    - When the broker says that the token has ended, a read is sent once more with a new one, and its caller
      sees that reply. However many tasks are told so at once, one login follows. A write is never sent again:
      its caller sees the refusal, and the next request has a new token. A body that is a stream, a file or a
      form is not sent again either.
    - The token goes to the session's own host and nowhere else: any other URL is refused before anything is
      sent, and a redirect is never followed.
    - Cancelling a request stops it; a login that it waited for goes on.
    - Replies stay yours: statuses are not raised. `error` says what one meant. JSON and text replies are read
      whole before you get them.

    A request raises what `AsyncSession.token` raises; `InvalidInputError` (field ``url``) when it goes to
    another host, (``headers``) with another ``Host``, (``path``) for the login and the logout, which are the
    session's own, (``params``) when its URL holds a secret; and `BrokerUnavailableError` for a redirect.
    Those of them that are an `OSError` are an `aiohttp.ClientError` too.
    """

    def __init__(self, session: AsyncSession) -> None:
        if not hasattr(aiohttp, "ClientMiddlewareType"):
            problem = f"is {aiohttp.__version__}, and its client has middlewares from 3.12 on: update it, or"
            problem += " give each request headers=await session.headers() and allow_redirects=False"
            raise InvalidInputError("aiohttp " + problem, field="aiohttp")
        self._session = awaited(session, "aiohttp")
        self._told = Told()

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        try:
            return await self._sent(request, handler)
        except PreopenError as error:
            problem = error
        raise _passed_through(problem)

    async def _sent(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        call = foreign(self._session, request.method, str(request.url), request.headers)
        while True:
            signed = await sign_async(self._session, call)
            fill(request.headers, signed)
            response = await handler(request)
            try:
                again = await self._answered(signed, request, response)
            except BaseException:
                response.close()
                raise
            if not again:
                return response
            response.release()

    async def _answered(
        self, signed: SignedCall, request: aiohttp.ClientRequest, response: aiohttp.ClientResponse
    ) -> bool:
        """Tells the session of a reply; whether the call should be sent once more."""
        if not signed.is_telling(response.status, response.headers.get("content-type")):
            return False
        sendable = _is_at_hand(request.body) and is_as_it_seems(request.headers)
        again, error = signed.answered(response.status, response.headers, await response.read(), sendable)
        if error is not None and response.status in _REDIRECTS and "location" in response.headers:
            raise error
        self._told.note(response, error)
        return again

    def error(self, response: aiohttp.ClientResponse) -> Optional[PreopenError]:
        """What `AsyncSession.get` or `AsyncSession.post` would have raised for this reply; ``None`` for a
        success, and for a reply to a request without this middleware."""
        return self._told.of(response)

    def __repr__(self) -> str:
        return f"preopen.aiohttp.Middleware({self._session!r})"


def _passed_through(error: PreopenError) -> PreopenError:
    """The same error in a form that aiohttp hands on: one that is an `OSError` it would wrap in a
    `ClientOSError`, unless it is one of its own."""
    if not isinstance(error, OSError):
        return error
    _, (kind, message, context) = error.__reduce__()
    passed: PreopenError = _as_client_error(kind)(message, **context)
    return passed


_known: dict[type[PreopenError], type[PreopenError]] = {}


def _as_client_error(kind: type[PreopenError]) -> type[PreopenError]:
    known = _known.get(kind)
    if known is None:

        def reduce(self: PreopenError) -> tuple[Any, ...]:
            rebuild, (_, message, context) = PreopenError.__reduce__(self)
            return rebuild, (kind, message, context)

        own = {"__module__": kind.__module__, "__doc__": kind.__doc__, "__reduce__": reduce}
        _known[kind] = known = type(kind.__name__, (kind, aiohttp.ClientError), own)
    return known


def _is_at_hand(body: object) -> bool:
    """Whether a request's body can be sent a second time."""
    return not body or isinstance(body, (bytes, aiohttp.BytesPayload))
