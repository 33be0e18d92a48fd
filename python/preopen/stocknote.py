"""Samco's own Python client, ``stocknotebridge``, on a session that keeps itself valid.

    from preopen import Samco, Session
    from preopen.stocknote import connect

    session = Session(Samco.from_env())
    samco = connect(session)                 # a StocknoteAPIPythonBridge, without a login
    samco.get_quote("RELIANCE", exchange="NSE")

It is made for version 3.2 and tested with 3.2.2.
"""

from __future__ import annotations

import json
from importlib import import_module, metadata

from urllib3 import HTTPHeaderDict, PoolManager, ProxyManager, Retry

from ._foreign import Hidden, Told, blocking, fill, foreign, is_as_it_seems, sign
from ._streams import stream_url
from .errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, Optional

    from ._session import Session
    from .errors import PreopenError

__all__ = ["connect", "error"]

_PACKAGE = "stocknotebridge"
#: A connection may be tried twice; what was sent is not sent again behind the session's back.
_RETRIES = Retry(connect=1, read=False, redirect=False, status=0, other=0)
_REDIRECTS = frozenset((301, 302, 303, 307, 308))


def connect(session: Session, *, timeout: float = 10.0, proxy: Optional[str] = None) -> Any:
    """Samco's ``StocknoteAPIPythonBridge`` on `session`: each of its calls is sent with the live token.

    - ``session_token`` is read from the session each time; it cannot be set.
    - When the broker says that the token has ended, a call that reads is sent once more with a new one; one
      that writes never is: it answers with what the broker said. Nor is a write repeated after a broken
      connection, as the client alone does with PUT and DELETE.
    - ``login`` and ``generate_session_token`` raise `InvalidInputError`: the session does that itself.
      ``logout`` is `Session.logout`.
    - Certificates are always checked, which the client alone does not do, and redirects are not followed.
    - ``start_streaming`` takes the live token each time, and does not print it, as the client alone does.
      For a sandbox session set ``STREAMING_URL`` to a loopback URL first.
    - Methods answer with JSON text, as they do in this client, also for what the broker refuses; `error` says
      what the last answer meant.

    Making it sends nothing.

    - `timeout`: seconds for connecting and for each read, where a call gives none; the client has none.
    - `proxy`: ``http://`` URL of a proxy.

    Calls raise what `preopen.requests.Auth` says, and urllib3's errors for what goes wrong on the way.

    Raises `InvalidInputError`: field ``session`` when it is not a `Session` of Samco; field
    ``stocknotebridge`` when its version has other parts than this was made for. Raises `ImportError` when it,
    or one of the packages that it needs without saying so (``websocket-client``, ``pandas``), is not
    installed.
    """
    known = blocking(session, "stocknotebridge")
    if known.broker != "samco":
        raise InvalidInputError(f"session must be one of Samco, not of {known.broker}", field="session")
    configuration: Any = _part("configuration", "Configuration")()
    configuration.host, configuration.verify_ssl, configuration.proxy = known.base_url, True, None
    client = _part("api_client", "ApiClient", "call_api")(configuration)
    if not hasattr(getattr(client, "rest_client", None), "pool_manager"):
        raise _other_version("ApiClient.rest_client.pool_manager")
    told = Told()
    trust = {"cert_reqs": "CERT_REQUIRED", "ca_certs": import_module("certifi").where()}
    pool: Any = _Pool(maxsize=8, **trust) if proxy is None else _Proxied(proxy, maxsize=8, **trust)
    pool._preopen, pool._preopen_timeout, pool._preopen_told = known, timeout, told
    client.rest_client.pool_manager = pool
    base = _part("snapi_bridge", "StocknoteAPIPythonBridge", "session_token", "logout", "STREAMING_URL")
    kind: Any = _made.get(base)
    if kind is None:
        own = {"__module__": __name__, "__doc__": base.__doc__}
        _made[base] = kind = type(base.__name__, (_Bridge, base), own)
    bridge = kind.__new__(kind)
    bridge._preopen, bridge._preopen_told = known, told
    bridge.__init__(api_client=client)
    return bridge


def error(bridge: Any) -> Optional[PreopenError]:
    """What `Session.get` or `Session.post` would have raised for the last answer that `bridge`, made by
    `connect`, gave; ``None`` for a success. With calls of several threads, ask at once."""
    last = getattr(bridge.api_client, "last_response", None)
    told: Told = bridge._preopen_told
    return None if last is None else told.of(last.urllib3_response)


class _Signing:
    """A pool of connections that sends each request with the live token."""

    _preopen: Session
    _preopen_timeout: float
    _preopen_told: Told

    def urlopen(self, method: str, url: str, *_: object, **options: Any) -> Any:
        options.pop("redirect", None)
        headers = HTTPHeaderDict(options.pop("headers", None) or {})
        call = foreign(self._preopen, method, url, headers)
        options["retries"] = _RETRIES
        if options.get("timeout") is None:
            options["timeout"] = self._preopen_timeout
        body = options.get("body")
        sendable = (body is None or isinstance(body, (str, bytes))) and is_as_it_seems(headers)
        parent: Any = super()
        while True:
            signed = sign(self._preopen, call)
            fill(headers, signed)
            response = parent.urlopen(method, url, redirect=False, headers=headers, **options)
            if not signed.is_telling(response.status, response.headers.get("content-type")):
                return response
            again, problem = signed.answered(response.status, response.headers, response.data, sendable)
            if problem is not None and response.status in _REDIRECTS:
                raise problem
            if not again:
                self._preopen_told.note(response, problem)
                return response


class _Pool(_Signing, PoolManager):
    """Straight to the broker."""


class _Proxied(_Signing, ProxyManager):
    """Through a proxy."""


class _Bridge:
    """What is ours of a connected bridge."""

    _preopen: Session
    _preopen_told: Told
    STREAMING_URL: str

    @property
    def session_token(self) -> str:
        return Hidden(self._preopen.token().expose())

    @session_token.setter
    def session_token(self, value: object) -> None:
        # The client's constructor sets it to None.
        if value is not None:
            _refuse("session_token")

    def login(self, *_: object, **__: object) -> NoReturn:
        _refuse("login")

    def generate_session_token(self, *_: object, **__: object) -> NoReturn:
        _refuse("generate_session_token")

    def logout(self, **_: object) -> str:
        done = self._preopen.logout()
        status = "Success" if done.acknowledged else "Failure"
        return json.dumps({"status": status, "statusMessage": done.message}, indent=2)

    def start_streaming(self, verify_ssl: bool = True) -> None:
        if not verify_ssl:
            problem = "verify_ssl must be True: the token is not sent to whoever answers"
            raise InvalidInputError(problem, field="verify_ssl")
        # The client's own first turns on a log of everything, with the token in it.
        own: Any = self
        library: Any = import_module("websocket")
        url = stream_url(self._preopen, vars(self).get("STREAMING_URL"), type(self).STREAMING_URL)
        headers = {name: Hidden(value) for name, value in self._preopen.stream_headers("stream").items()}
        own.ws = library.WebSocketApp(
            url,
            header=headers,
            on_open=own.on_open,
            on_message=own.on_message,
            on_error=own.on_error,
            on_close=own.on_close,
        )
        own.ws.run_forever(sslopt={"ca_certs": import_module("certifi").where()})


_made: dict[Any, Any] = {}


def _refuse(name: str) -> NoReturn:
    raise InvalidInputError(f"{name} is the session's: remove the call", field=name)


def _part(module: str, name: str, *parts: str) -> Any:
    """A class of the client that has these parts."""
    found = getattr(import_module("snapi_py_client." + module), name, None)
    if found is None:
        raise _other_version(name)
    for part in parts:
        # What its constructor sets is not there yet.
        if part != "session_token" and not hasattr(found, part):
            raise _other_version(f"{name}.{part}")
    return found


def _other_version(what: str) -> InvalidInputError:
    try:
        version = metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        version = "of unknown version"
    problem = f"{_PACKAGE} {version} has no {what}: this works with 3.2.2"
    return InvalidInputError(problem, field=_PACKAGE)
