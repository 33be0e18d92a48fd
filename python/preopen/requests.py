"""A session's live token for `requests`_ (2.20 or newer).

    import requests
    from preopen import Samco, Session
    from preopen.requests import Auth

    session = Session(Samco.from_env())
    client = requests.Session()
    client.auth = Auth(session)
    client.get(session.base_url + "/limit/getLimits").json()

.. _requests: https://requests.readthedocs.io
"""

from __future__ import annotations

from requests import RequestException
from requests.auth import AuthBase

from ._foreign import LONGEST_REFUSAL, Told, blocking, fill, foreign, is_as_it_seems, sign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from requests import PreparedRequest, Response

    from ._native import ForeignCall, SignedCall
    from ._session import Session
    from .errors import PreopenError

__all__ = ["Auth"]


class Auth(AuthBase):
    """The live token of a session, for each request anew: ``requests.get(url, auth=Auth(session))`` or
    ``client.auth = Auth(session)``. Threads may share it.

    - A request gets every header that the broker wants; what you set yourself for ``Accept`` and
      ``Content-Type`` stays.
    - When the broker says that the token has ended, a read is sent once more with a new one, and its caller
      sees that reply. However many threads are told so at once, one login follows. A write is never sent
      again: its caller sees the refusal, and the next request has a new token. A body that is a file or a
      generator is not sent again either.
    - The token goes to the session's own host and nowhere else: any other URL is refused before anything is
      sent, and a redirect is never followed.
    - Replies stay yours: statuses are not raised. `error` says what one meant. With ``stream=True`` a success
      is not read before you get it, and `error` knows nothing of it; another status is read, unless it says
      that it is longer than a refusal can be.

    Connections, proxies, timeouts and retries are those of `requests`; `source_ip`, `proxy`, `ca_file` and
    `rate_limits` of the session do not apply to them.

    A request raises what `Session.token` raises; `InvalidInputError` (field ``url``) when it goes to another
    host, (``headers``) with another ``Host``, (``path``) for the login and the logout, which are the
    session's own, (``params``) when its URL holds a secret; and `BrokerUnavailableError` for a redirect.

    - `session`: a `Session`. Raises `InvalidInputError` (field ``session``) for anything else.
    """

    def __init__(self, session: Session) -> None:
        self._session = blocking(session, "requests")
        self._told = Told()

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        call = foreign(self._session, r.method or "", r.url or "", r.headers)
        signed = sign(self._session, call)
        fill(r.headers, signed)
        register: Any = r.register_hook
        register("response", _Watch(self._session, self._told, call, signed))
        return r

    def error(self, response: Response) -> Optional[PreopenError]:
        """What `Session.get` or `Session.post` would have raised for this reply; ``None`` for a success, and
        for a reply to a request without this `Auth`."""
        return self._told.of(response)

    def __repr__(self) -> str:
        return f"preopen.requests.Auth({self._session!r})"


class _Watch:
    """Looks at the reply to one request."""

    def __init__(self, session: Session, told: Told, call: ForeignCall, signed: SignedCall) -> None:
        self._session = session
        self._told = told
        self._call = call
        self._signed = signed

    def __reduce__(self) -> tuple[Any, ...]:
        # A reply may be pickled or copied, with its request and its hooks: the session does not go along.
        return (_past, ())

    def __call__(self, response: Response, **options: Any) -> Response:
        streamed = bool(options.get("stream"))
        if self._refused(response, streamed) and getattr(response, "connection", None) is not None:
            # The connection goes back to its pool before the next one is taken.
            response.close()
            self._signed = sign(self._session, self._call)
            again = response.request.copy()
            fill(again.headers, self._signed)
            second: Response = response.connection.send(again, **options)
            second.history.append(response)
            second.request = again
            self._refused(second, streamed)
            return second
        return response

    def _refused(self, response: Response, streamed: bool) -> bool:
        """Tells the session of a reply; whether the call should be sent once more."""
        sent = response.request
        told = self._signed.is_telling(response.status_code, response.headers.get("content-type"))
        if not told or (streamed and not _is_short_refusal(response)):
            return False
        again, error = self._signed.answered(
            response.status_code,
            response.headers,
            response.content,
            (sent.body is None or isinstance(sent.body, (str, bytes))) and is_as_it_seems(sent.headers),
        )
        if error is not None and response.is_redirect:
            response.close()
            raise error
        self._told.note(response, error)
        return again


def _is_short_refusal(response: Response) -> bool:
    """Whether a reply whose caller wants to read it piece by piece can be read at once: a success may never
    end."""
    if response.ok and not response.is_redirect:
        return False
    length = response.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > LONGEST_REFUSAL:
        return False
    try:
        _ = response.content
    except RequestException:
        # It broke off: whoever reads it is told.
        return False
    return True


def _past() -> Any:
    return _look_no_more


def _look_no_more(response: Response, **_: Any) -> Response:
    """The hook of a request that was pickled or copied."""
    return response
