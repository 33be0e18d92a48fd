"""Angel One's own Python client, ``smartapi-python``, on a session that keeps itself valid.

    from preopen import AngelOne, Session
    from preopen.smartapi import connect

    session = Session(AngelOne.from_env())
    smart = connect(session)                 # a SmartApi.SmartConnect, without generateSession
    smart.ltpData("NSE", "SBIN-EQ", "3045")

It is made for version 1.5 and tested with 1.5.5. What only the client knows (routes, parameters, what its
methods answer) stays the client's; what goes over the wire is sent by `preopen.requests`.
"""

from __future__ import annotations

import json
import sys
import threading
from importlib import import_module, metadata

import requests

from ._foreign import Hidden, blocking
from ._streams import stream_url
from .errors import InvalidInputError
from .requests import Auth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, NoReturn, Optional

    from ._base import Stream
    from ._session import Session
    from .errors import PreopenError

__all__ = ["connect", "error", "order_updates", "websocket"]

_PACKAGE = "smartapi-python"
#: Options of the client that are not a caller's any more.
_DECIDED = ("access_token", "refresh_token", "feed_token", "api_key", "privateKey", "root", "disable_ssl")


def connect(session: Session, **options: Any) -> Any:
    """Angel One's ``SmartApi.SmartConnect`` on `session`: each of its calls is sent with the live token.

    - ``access_token``, ``feed_token`` and ``api_key`` are read from the session each time and cannot be set.
    - When the broker says that the token has ended, a call that reads is sent once more with a new one; one
      that writes never is: it answers with what the broker said.
    - ``generateSession``, ``generateToken`` and ``renewAccessToken`` raise `InvalidInputError`: the session
      does that itself. ``terminateSession`` is `Session.logout`.
    - Certificates are always checked, redirects are not followed, and the client's own logging, which writes
      keys and whole requests of failed calls to ``./logs`` and to standard error, does not see the calls.
    - Nothing is looked up when the client is imported by this call; imported before, it asks a public service
      for this machine's address. Its constructor still makes the folder ``./logs``.

    Making it sends nothing. `options` are those of ``SmartConnect``: ``timeout`` (seconds, 7 by default),
    ``proxies``.

    Methods answer as the client's do, also for what the broker refuses: ``placeOrder`` gives ``None`` then,
    and the others give the reply. `error` says what the last answer meant.

    Calls raise what `preopen.requests.Auth` says, and the client's ``DataException`` for a reply that is not
    JSON; its ``__cause__`` is the `PreopenError`.

    Raises `InvalidInputError`: field ``session`` when it is not a `Session` of Angel One; the name of an
    option that the session decides; field ``smartapi-python`` when its version has other parts than this was
    made for. Raises `ImportError` when it, or one of the packages that it needs without saying so
    (``logzero``, ``websocket-client``), is not installed.
    """
    session = _of_angel_one(session)
    for name in _DECIDED:
        if name in options:
            raise InvalidInputError(f"{name} is decided by the session: leave it out", field=name)
    kind = _made_of(_Connect, "smartConnect", "SmartConnect", ("_request", "_routes", "requestHeaders"))
    smart = kind.__new__(kind)
    smart._preopen = session
    smart._preopen_auth = Auth(session)
    smart._preopen_client = requests.Session()
    smart._preopen_last = threading.local()
    smart._preopen_client.auth = smart._preopen_auth
    smart.__init__(root=session.base_url, **options)
    # One of its methods takes this for its URL, whatever `root` is.
    smart._rootUrl = session.base_url
    return smart


def error(smart: Any) -> Optional[PreopenError]:
    """What `Session.get` or `Session.post` would have raised for the last answer that `smart`, made by
    `connect`, got: for example `StaticIpMismatchError` where ``placeOrder`` gave ``None``. ``None`` for a
    success. With calls of several threads, ask in the thread that called."""
    last = getattr(smart._preopen_last, "reply", None)
    auth: Auth = smart._preopen_auth
    return None if last is None else auth.error(last)


def websocket(session: Session, *, url: Optional[str] = None, **options: Any) -> Any:
    """Angel One's ``SmartApi.smartWebSocketV2.SmartWebSocketV2``, the market stream, on `session`: each time
    that it connects, also again after a break, it takes the live tokens. Certificates are checked, which the
    client alone does not do.

    - `url`: a loopback URL of a server of your own, for a sandbox session; a live session takes the client's.
    - `options` are those of ``SmartWebSocketV2``, for example ``max_retry_attempt``.

    Making it sends nothing. ``connect()`` blocks, and raises what `Session.stream_headers` raises. Raises as
    `connect`, and `InvalidInputError` (field ``url``).
    """
    session = _of_angel_one(session)
    names = ("connect", "_on_open", "_on_error", "_on_close", "_on_data", "_on_ping", "_on_pong", "ROOT_URI")
    kind = _made_of(_Market, "smartWebSocketV2", "SmartWebSocketV2", names)
    return _streaming(kind, session, stream_url(session, url, kind.ROOT_URI), options)


def order_updates(session: Session, *, url: Optional[str] = None) -> Any:
    """Angel One's ``SmartApi.smartWebSocketOrderUpdate.SmartWebSocketOrderUpdate`` on `session`, as
    `websocket`."""
    session = _of_angel_one(session)
    names = ("connect", "on_open", "on_error", "on_close", "on_data", "on_ping", "on_pong", "WEBSOCKET_URI")
    kind = _made_of(_Orders, "smartWebSocketOrderUpdate", "SmartWebSocketOrderUpdate", names)
    return _streaming(kind, session, stream_url(session, url, kind.WEBSOCKET_URI), {})


def _streaming(kind: Any, session: Session, url: str, options: Mapping[str, Any]) -> Any:
    stream = kind.__new__(kind)
    stream._preopen, stream._preopen_url = session, url
    # What it checks for being there is read from the session later.
    stream.__init__(auth_token="-", api_key="-", client_code="-", feed_token="-", **options)
    return stream


class _Connect:
    """What is ours of a connected ``SmartConnect``."""

    _preopen: Session
    _preopen_auth: Auth
    _preopen_client: requests.Session
    _preopen_last: threading.local
    _routes: Mapping[str, str]
    timeout: float
    proxies: Any

    @property
    def access_token(self) -> str:
        return Hidden(self._preopen.token().expose())

    @access_token.setter
    def access_token(self, value: object) -> None:
        _refuse_to_set("access_token", value)

    @property
    def feed_token(self) -> str:
        return Hidden(self._preopen.feed_token())

    @feed_token.setter
    def feed_token(self, value: object) -> None:
        _refuse_to_set("feed_token", value)

    @property
    def refresh_token(self) -> None:
        """The session keeps it: who has it can renew for days."""

    @refresh_token.setter
    def refresh_token(self, value: object) -> None:
        _refuse_to_set("refresh_token", value)

    @property
    def api_key(self) -> str:
        return Hidden(self._preopen.headers()["X-PrivateKey"])

    @api_key.setter
    def api_key(self, value: object) -> None:
        _refuse_to_set("api_key", value)

    privateKey = api_key  # noqa: N815 - the client's name

    def _request(self, route: str, method: str, parameters: Optional[Mapping[str, Any]] = None) -> Any:
        parameters = dict(parameters or {})
        path = self._routes[route].format(**parameters)
        options: dict[str, Any] = {}
        if method in ("POST", "PUT"):
            options["data"] = json.dumps(parameters)
        else:
            # The client writes a secret into the URL of the profile, which the broker does not ask for.
            parameters.pop("refreshToken", None)
            options["params"] = parameters
        return self._preopen_answer(self._preopen_send(method, path, **options))

    def make_authenticated_get_request(self, url: str, access_token: object = None) -> Any:
        reply = self._preopen_send("GET", url)
        return self._preopen_answer(reply) if reply.status_code == 200 else None

    def _preopen_send(self, method: str, path: str, **options: Any) -> requests.Response:
        base = self._preopen.base_url
        url = path if path.startswith(base) else base + "/" + path.lstrip("/")
        self._preopen_last.reply = None
        reply = self._preopen_client.request(
            method, url, timeout=self.timeout, proxies=self.proxies, allow_redirects=False, **options
        )
        self._preopen_last.reply = reply
        return reply

    def _preopen_answer(self, reply: requests.Response) -> Any:
        try:
            answer = json.loads(reply.content)
        except ValueError:
            error = self._preopen_auth.error(reply)
        else:
            if isinstance(answer, dict):
                return answer
            error = self._preopen_auth.error(reply)
        exceptions: Any = import_module("SmartApi.smartExceptions")
        message = "the reply is not a JSON object" if error is None else str(error)
        raise exceptions.DataException(message, code=reply.status_code) from error

    def generateSession(self, *_: object, **__: object) -> NoReturn:  # noqa: N802 - the client's name
        _refuse_to_call("generateSession")

    def generateToken(self, *_: object, **__: object) -> NoReturn:  # noqa: N802 - the client's name
        _refuse_to_call("generateToken")

    def renewAccessToken(self, *_: object, **__: object) -> NoReturn:  # noqa: N802 - the client's name
        _refuse_to_call("renewAccessToken")

    def terminateSession(self, *_: object, **__: object) -> dict[str, Any]:  # noqa: N802 - the client's name
        done = self._preopen.logout()
        code = (done.error.broker_code if done.error is not None else None) or ""
        return {"status": done.acknowledged, "message": done.message, "errorcode": code, "data": ""}


class _Stream:
    """What is ours of both streams."""

    _preopen: Session
    _preopen_url: str
    #: Its name, what its handlers' names begin with, and where its interval of pings is, in seconds.
    _preopen_stream: Stream
    _preopen_prefix: str
    _preopen_interval: str
    wsapp: Any

    def _sanity_check(self) -> bool:
        return True

    def connect(self) -> None:
        # The client's own turns the check of certificates off.
        library: Any = import_module("websocket")
        told = self._preopen.stream_headers(self._preopen_stream)
        headers = {name: Hidden(value) for name, value in told.items()}
        handlers = {event: getattr(self, self._preopen_prefix + event) for event in _EVENTS}
        self.wsapp = library.WebSocketApp(self._preopen_url, header=headers, **handlers)
        self.wsapp.run_forever(
            sslopt={"ca_certs": import_module("certifi").where()},
            ping_interval=getattr(self, self._preopen_interval),
        )

    def _told(self, name: str) -> str:
        return Hidden(self._preopen.stream_headers("smart-stream")[name])

    @property
    def auth_token(self) -> str:
        return Hidden(self._preopen.token().expose())

    @auth_token.setter
    def auth_token(self, _: object) -> None: ...

    @property
    def feed_token(self) -> str:
        return Hidden(self._preopen.feed_token())

    @feed_token.setter
    def feed_token(self, _: object) -> None: ...

    @property
    def api_key(self) -> str:
        return self._told("x-api-key")

    @api_key.setter
    def api_key(self, _: object) -> None: ...

    @property
    def client_code(self) -> str:
        return self._told("x-client-code")

    @client_code.setter
    def client_code(self, _: object) -> None: ...


_EVENTS = ("on_open", "on_error", "on_close", "on_data", "on_ping", "on_pong")


class _Market(_Stream):
    _preopen_stream = "smart-stream"
    _preopen_prefix = "_"
    _preopen_interval = "HEART_BEAT_INTERVAL"


class _Orders(_Stream):
    _preopen_stream = "smart-order-update"
    _preopen_prefix = ""
    _preopen_interval = "HEARTBEAT_INTERVAL_SECONDS"


def _of_angel_one(session: object) -> Session:
    known = blocking(session, "SmartApi")
    if known.broker != "angelone":
        raise InvalidInputError(f"session must be one of Angel One, not of {known.broker}", field="session")
    return known


def _refuse_to_set(name: str, value: object) -> None:
    # The client's constructor sets them all to None.
    if value is not None:
        raise InvalidInputError(f"{name} is the session's: do not set it", field=name)


def _refuse_to_call(name: str) -> NoReturn:
    raise InvalidInputError(f"{name} is what the session does itself: remove the call", field=name)


_made: dict[tuple[type, type], type] = {}


def _made_of(own: type, module: str, name: str, parts: tuple[str, ...]) -> Any:
    """The client's class with `own` before it."""
    found = getattr(_imported(module), name, None)
    missing = [part for part in parts if not hasattr(found, part)]
    if found is None or missing:
        what = f"SmartApi.{module}.{name}" + "".join(f", no {part}" for part in missing[:1] if found)
        problem = f"{_PACKAGE} {_version()} has no {what}: this works with 1.5.5"
        raise InvalidInputError(problem, field=_PACKAGE)
    known = _made.get((own, found))
    if known is None:
        about = {"__module__": __name__, "__doc__": found.__doc__}
        _made[own, found] = known = type(name, (own, found), about)
    return known


def _imported(module: str) -> Any:
    """A module of the client. Its first import asks a public service for this machine's address, without a
    deadline, and takes no answer for one: that is what it gets."""
    if "SmartApi.smartConnect" in sys.modules:
        return import_module("SmartApi." + module)
    real = requests.get

    def get(url: Any, *arguments: Any, **options: Any) -> requests.Response:
        if str(url).startswith("https://api.ipify.org"):
            raise requests.ConnectionError("not asked")
        return real(url, *arguments, **options)

    log: Any = import_module("logzero").logger
    quiet, log.disabled = log.disabled, True
    requests.get = get
    try:
        return import_module("SmartApi." + module)
    finally:
        requests.get = real
        log.disabled = quiet


def _version() -> str:
    try:
        return metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        return "of unknown version"
