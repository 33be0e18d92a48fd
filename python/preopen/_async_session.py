"""The session for asyncio: the same calls as `Session`, awaited."""

from __future__ import annotations

from ._base import SessionBase, under_own_name
from ._events import AsyncEvents, listening
from ._preflight import read_preflight
from ._types import Profile, WhoAmI, read_logout, read_reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Awaitable, Callable, Mapping, Optional

    from . import _native
    from ._ask import Callbacks
    from ._base import Params, Stream
    from ._legacy import AsyncSamcoLegacyCalls
    from ._preflight import Preflight
    from ._types import LoginCode, LoginStart, Logout, Reply, Token

__all__ = ["AsyncSession"]

#: `_bridge.run`, once it was needed.
_bridged: Optional[Callable[[_native.Work, Optional[Callbacks]], Awaitable[Any]]] = None


class AsyncSession(SessionBase):
    """A broker session that keeps itself valid, for asyncio.

        async with AsyncSession(Samco.from_env(), store="file", keep_warm=True) as session:
            quote = await session.get("/quote/getQuote", params={"symbolName": "INFY", "exchange": "NSE"})

    Making one does no I/O; the first call that needs a token logs in, once for all tasks that wait. When the
    broker ends the session (08:00 IST at Samco, documented; 00:00 IST at SmartAPI, documented) the next call
    logs in again. Tasks and event loops may share it. Cancelling a task that waits for a login does not
    cancel the login.

    - `credentials`: `Samco`, `AngelOne`, `SamcoOAuth`, `AngelOnePublisher`, `SamcoLoginCode`, or the
      deprecated `SamcoLegacy`.
    - `base_url`: another address of the API. A loopback address makes a sandbox session, where plain http is
      allowed; any other host must be https, and the broker's own or one of `allowed_hosts`.
    - `timeout`: seconds that one request may take, from connecting to the last byte; a login counts on its
      own. At most 600.
    - `ip_version`: 4, 6, or 0 for either. Brokers register IPv4 addresses.
    - `source_ip`: the local address to send from, on a host with several.
    - `proxy`: ``http://`` or ``https://`` URL of a proxy; without it the system's settings hold. The broker
      sees a proxy's address in place of this host's: `preflight` warns of it.
    - `ca_file`: PEM file with further certificate authorities to trust.
    - `allowed_hosts`: hosts beside the broker's own that credentials may be sent to.
    - `keep_warm`: renew the session after each daily end without being asked, so that the first order of the
      day waits for no login: 5 to 125 seconds after the end, each account at its own time. It begins with the
      first call that needs a token, and rests while a login needs a person.
    - `store`: where the session is shared, so that exactly one of all programs logs in: ``"memory"`` (this
      object alone), ``"file"`` or ``"file:/a/folder"`` (this machine), ``"redis://..."`` (many hosts), or an
      object of your own, a `Store`.
    - `store_key`: what stored sessions are sealed with: a key of `generate_key`, or ``"keyring"`` for the
      system's keyring; without it the store's own choice, which for an object of your own is ``PREOPEN_KEY``.
    - `on_store_loss`: what a new login does while the store cannot be used: ``"refuse"`` it with
      `StoreUnavailableError`, or ``"login"`` all the same, unknown to other programs. A live session is
      served.
    - `rate_limits`: limits of your own in place of the broker's, for example
      ``{"orders": {"per_second": 5, "per_hour": None}}``: a limit that is not named stays the broker's,
      ``None`` is no limit. SmartAPI's groups have the documented limits; Samco documents none, and its
      groups ``"orders"`` and ``"other"`` have none. The sessions of an account in this process count
      together. A call waits for its slot for half of its `timeout` at most; `RateLimitedError` says when
      there is one again, and nothing was sent.
    - `audit`: a file that gets one line of JSON for each login, refusal and logout: when, at which broker, of
      which account (a label that nothing can be read from), on which host, why, and how it ended. Programs
      may share it. One that cannot be written keeps nobody from logging in.

    Raises `InvalidInputError` with the field that is wrong. ``async with`` closes it at the end; closing
    forgets the token in this process and never logs out.
    """

    __slots__ = ()

    def _run(self, work: _native.Work) -> Awaitable[Any]:
        global _bridged
        if _bridged is None:
            # Imported on the first call that waits: whoever gets here has asyncio loaded.
            from . import _bridge

            _bridged = _bridge.run
        return _bridged(work, self._callbacks)

    async def token(self) -> Token:
        """A live token; logs in if there is none. Callers that come together share one login and its result.

        Raises `CredentialsRejectedError` and `AccountActionRequiredError` (both block the session until
        `reset()`), `LoginRequiredError`, `StaticIpMismatchError`, `RateLimitedError`, `TimeoutError`,
        `NetworkError`, `BrokerUnavailableError`, `BrokerRejectedError`, `MalformedResponseError`;
        `InvalidInputError` once closed.
        """
        token = self._native.try_token()
        if token is None:
            token = await self._run(self._native.token())
        return token

    async def headers(self) -> dict[str, str]:
        """Every header of an authenticated call, for any HTTP client, with the live token. Raises as
        `token`."""
        headers = self._native.try_headers()
        if headers is None:
            headers = await self._run(self._native.headers())
        return headers

    async def stream_headers(self, stream: Optional[Stream] = None) -> dict[str, str]:
        """The headers of a handshake with one of the broker's WebSockets, with the live tokens; logs in if
        there are none. Ask anew for each connection: the tokens change with each login.

        - Samco: ``"stream"`` (``wss://stream.samco.in``; documented), with ``x-session-token``.
        - SmartAPI: ``"smart-stream"``, the market stream (``wss://smartapisocket.angelone.in/smart-stream``),
          with ``Authorization``, ``x-api-key``, ``x-client-code`` and ``x-feed-token``, the default; and
          ``"smart-order-update"`` (``wss://tns.angelone.in/smart-order-update``), with ``Authorization``
          (documented).

        Raises as `token`; `InvalidInputError` (field ``stream``) for a stream that the broker does not have;
        `MalformedResponseError` when the login gave no feed token.
        """
        headers: dict[str, str] = await self._run(self._native.stream_headers(stream))
        return headers

    async def feed_token(self) -> str:
        """SmartAPI's feed token, which its market stream wants; logs in if there is none. It alone opens the
        stream (documented): keep it as you keep the token.

        Raises as `token`; `InvalidInputError` (field ``feed_token``) at Samco, which has none;
        `MalformedResponseError` when the login gave none.
        """
        token: str = await self._run(self._native.feed_token())
        return token

    async def whoami(self) -> WhoAmI:
        """Which address the broker sees, which are registered, and whether orders from here will be accepted.

        Samco answers a mismatch with HTTP 200 (documented). SmartAPI has no such call: its verdict is
        ``"unsupported"`` and nothing is sent. Raises as `get`.
        """
        return WhoAmI(**await self._run(self._native.whoami()))

    async def preflight(self, *, strict: bool = False) -> Preflight:
        """Whether this host can place orders now: before 09:15 IST rather than at the first order.

        It makes sure of a session (and logs in if there is none), asks the broker which address it sees where
        it can tell, and looks at the clock, the session's end, the network path (IPv4, `source_ip`, a proxy,
        which changes the address that the broker sees) and the store. No order is sent. What fails is a check
        of the answer with the error in it, not an exception.

        - `strict`: be ready only if every check passed. SmartAPI never is: it has no call that tells which
          address it sees (documented), so that its check ``static_ip`` is ``"unknown"``.

        Raises `InvalidInputError` (field ``strict``), and `CancelledError` when the program ends.
        """
        return read_preflight(await self._run(self._native.preflight(strict)))

    async def profile(self) -> Profile:
        """Who the session belongs to. Samco tells it in the login reply, SmartAPI in a call of its own.
        Raises as `get`."""
        return Profile(**await self._run(self._native.profile()))

    async def get(
        self,
        path: str,
        *,
        params: Optional[Params] = None,
        json: Any = None,
        headers: Optional[Mapping[str, str]] = None,
        replay_safe: Optional[bool] = None,
        timeout: Optional[float] = None,
    ) -> Reply:
        """A GET to the broker with a live token; the reply is taken out of the broker's envelope.

        - `path` begins with ``/``, and is not that of the login or logout.
        - `params` are the query, encoded for you.
        - `json` is written as the body; `headers` are sent beside the session's own.
        - `replay_safe`: whether the call may be repeated: once after a renewal, once when a kept connection
          had died before the reply began, and twice after a gateway's 502, 503 or 504 or SmartAPI's AB1004
          or AB2001, after up to 0.2 and 0.4 seconds or what ``Retry-After`` asks for. By default a GET may,
          and a POST that the broker documents as a read.
        - `timeout`: seconds for this call with its repetitions in place of the session's; a login counts on
          its own.

        Raises as `token`, and `InvalidInputError`, `StaticIpMismatchError`, `RateLimitedError`,
        `TimeoutError`, `NetworkError`, `BrokerUnavailableError`, `BrokerRejectedError`,
        `MalformedResponseError`, and `SessionExpiredError` when the broker refuses a new token too.
        """
        try:
            work = self._request("GET", path, params, json, headers, replay_safe, timeout)
        finally:
            del path, params, json, headers
        return read_reply(await self._run(work))

    async def post(
        self,
        path: str,
        *,
        params: Optional[Params] = None,
        json: Any = None,
        headers: Optional[Mapping[str, str]] = None,
        replay_safe: Optional[bool] = None,
        timeout: Optional[float] = None,
    ) -> Reply:
        """A POST to the broker: a write, unless the broker documents it as a read. Arguments as `get`.

        A write is sent at most once. Raises as `get`, and `SessionExpiredError` (the broker refused the
        token; the write was not done) and `OutcomeUnknownError` (it may have been done: look at the order
        book).
        """
        try:
            work = self._request("POST", path, params, json, headers, replay_safe, timeout)
        finally:
            del path, params, json, headers
        return read_reply(await self._run(work))

    async def put(
        self,
        path: str,
        *,
        params: Optional[Params] = None,
        json: Any = None,
        headers: Optional[Mapping[str, str]] = None,
        replay_safe: Optional[bool] = None,
        timeout: Optional[float] = None,
    ) -> Reply:
        """A PUT to the broker: a write. Arguments as `get`, errors as `post`."""
        try:
            work = self._request("PUT", path, params, json, headers, replay_safe, timeout)
        finally:
            del path, params, json, headers
        return read_reply(await self._run(work))

    async def delete(
        self,
        path: str,
        *,
        params: Optional[Params] = None,
        json: Any = None,
        headers: Optional[Mapping[str, str]] = None,
        replay_safe: Optional[bool] = None,
        timeout: Optional[float] = None,
    ) -> Reply:
        """A DELETE to the broker: a write. Arguments as `get`, errors as `post`."""
        try:
            work = self._request("DELETE", path, params, json, headers, replay_safe, timeout)
        finally:
            del path, params, json, headers
        return read_reply(await self._run(work))

    async def begin_login(self) -> LoginStart:
        """Begins a login at the broker's page, for credentials that only a person can log in with:
        `SamcoOAuth`, `AngelOnePublisher`. Send the person to its ``url``; within 15 minutes give
        `complete_login` the address that the browser ended on. With a `store`, any program that shares the
        session may do so: what is kept there is a digest of the state.

        Raises `InvalidInputError` (field ``credentials``) for other credentials, `StoreUnavailableError` and
        `TimeoutError` (phase ``"lock"``) when the store cannot note it.
        """
        start: LoginStart = await self._run(self._native.begin_login())
        return start

    async def complete_login(self, address: str) -> None:
        """Completes a login with the address that the browser ended on: its state is compared first and used
        once, and its code is sent once. Other callers are served by the new session from now on.

        - `address`: the whole URL, or its part from the path or from the ``?`` on. Only its path and query
          are looked at: a proxy in front of a web server changes host and scheme. No error shows any of it.

        Raises `InvalidInputError` with nothing sent: its field is ``url`` when `address` is not one of this
        app's redirect URL, ``state`` when no login with its state is under way; `LoginRequiredError` when the
        person cancelled (reason ``"consent_denied"``) or the broker refused the code (``"code_invalid"``,
        ``"code_expired"``; ``"code_replayed"``: it has ended every session of the app, documented); and as
        `token`. After `TimeoutError` and `NetworkError` nobody knows what became of the code: it is not sent
        again, begin a new login.
        """
        try:
            work = self._native.complete_login(address)
        finally:
            del address
        await self._run(work)

    async def login(
        self,
        *,
        open_browser: bool = True,
        timeout: float = 300.0,
        show: Optional[Callable[[LoginStart], object]] = None,
    ) -> None:
        """Logs in. Credentials that need no person log in as `token` does. For `SamcoOAuth` with a redirect
        URL on this machine, the broker's page is opened in a browser, and a listener on 127.0.0.1 receives
        its answer: on the registered port and path alone, and only while this call lasts. However it ends,
        also when its task is cancelled, the port is free then.

        - `open_browser`: whether a browser of this machine is opened. The page's URL is then an argument of
          its process, which other users of this machine may see while it starts.
        - `timeout`: seconds of real time to wait for the person.
        - `show`: called with the `LoginStart` once the listener is ready, on this event loop. What it returns
          is awaited, as a task of its own, if it can be; that task is cancelled when the login is over before
          it, done or not. What `show` raises ends the login.

        Raises `InvalidInputError`: field ``redirect_url`` when it is not on this machine or its port is taken
        (use `begin_login`); ``open_browser`` when there is none and nobody is shown the page; `TimeoutError`
        (phase ``"login"``) when nobody came; and as `complete_login`.
        """
        login = self._native.login(open_browser, timeout, show is not None)
        try:
            if show is not None:
                start = await self._run(login.started())
                if start is not None:
                    shown: Any = show(start)
                    if hasattr(type(shown), "__await__"):
                        from ._bridge import while_shown

                        await while_shown(shown, self._run(login.outcome()))
                        return
            await self._run(login.outcome())
        finally:
            login.close()

    async def web_login_code(self) -> LoginCode:
        """A code to sign in at Samco's web terminal without a password, for two minutes (``GET
        /webSecretCode``, documented); `SamcoLoginCode` logs in with it. Raises `InvalidInputError` (field
        ``session``) at other brokers, and as `get`."""
        code: LoginCode = await self._run(self._native.web_login_code())
        return code

    def samco_legacy(self) -> AsyncSamcoLegacyCalls:
        """Samco's deprecated calls that need no session: one-time codes, the secret API key, and addresses.
        For a session of `SamcoLegacy`; raises `InvalidInputError` (field ``credentials``) for others."""
        from ._legacy import awaited

        return awaited(self._native.samco_legacy(), self._run)

    async def logout(self) -> Logout:
        """Logs the account out at the broker and forgets the token, whatever the broker answers. This is
        account-wide: other programs on the same session lose it too. A login under way is dropped.

        What the broker answers is in the result. Raises `InvalidInputError` when the session is closed.
        """
        return read_logout(await self._run(self._native.logout()))

    def events(self) -> AsyncEvents:
        """What happens to the session from now on, as `SessionEvent`. A session that is listened to also
        tells of its end when nobody calls it.

            async with session.events() as events:
                async for event in events:
                    print(event.name, event.reason)

        It ends when the session is closed or no longer referred to (this does not keep it alive), or by
        `AsyncEvents.close`. Cancelling a wait loses no event. A listener that falls more than 64 events
        behind gets one ``"lagged"`` event that tells how many it missed.
        """
        return listening(AsyncEvents, self._native.events())

    async def export(self, key: Optional[str] = None) -> str:
        """The live session as one line of text that only a holder of `key` can read, for `prime` in another
        program; logs in if there is none. It is bound to the account and to live or sandbox, and serves until
        the session ends.

        - `key`: a key of `generate_key`, or ``PREOPEN_KEY`` in the environment.

        Raises `InvalidInputError` (field ``key``) when there is no key or it is none; else as `token`.
        """
        try:
            work = self._native.export(key)
        finally:
            del key
        text: str = await self._run(work)
        return text

    async def export_exposed(self) -> str:
        """The live session as JSON with its tokens in clear, for a program that you trust over a channel that
        you trust; whoever reads it can trade until the session ends. Raises as `token`."""
        text: str = await self._run(self._native.export_exposed())
        return text

    async def close(self) -> None:
        """Forgets the token in this process. Nothing is sent and nothing is logged out; calls that wait for a
        login, and later ones, raise `InvalidInputError` (field ``session``); the state is ``"closed"``."""
        self._native.close()

    async def __aenter__(self) -> AsyncSession:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        await self.close()


under_own_name(AsyncSession)
