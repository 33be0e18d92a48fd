"""The embedded broker, for tests and for trying things out: a child process with fake Samco and SmartAPI
accounts, a clock of its own, and faults on demand.

    from preopen.sandbox import Sandbox

    with Sandbox() as broker:
        session = broker.session("samco")
        session.token()
        broker.clock.advance_to("08:00 IST")      # Samco ends the session
        session.token()                           # a new login
        assert broker.requests("samco", "/session/token").count == 2

It needs the ``preopen`` command: the one that ``PREOPEN_BIN`` names, else the one of the wheel
``preopen-cli`` in this environment (the extra ``preopen[sandbox]`` brings it), else the one on the PATH,
where ``cargo install --path crates/cli`` in Preopen's repository puts it.
"""

from __future__ import annotations

from . import _native
from ._async_session import AsyncSession
from ._base import with_clock
from ._credentials import AngelOne, Samco
from ._session import Session
from .errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    import subprocess
    from datetime import datetime
    from types import TracebackType
    from typing import IO, Any, Optional, Union

    from ._base import Broker
    from ._credentials import Credentials

__all__ = ["Clock", "Requests", "Sandbox"]

#: A test that fails in here shows its own line, and not those of this file (pytest reads this).
__tracebackhide__ = True

#: Seconds that the broker has to come up.
_START = 20.0
#: Seconds that one instruction to the broker may take, and that it has to end.
_CONTROL = 10.0


class Clock:
    """The clock of an embedded broker. Sessions that the `Sandbox` made follow it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def __repr__(self) -> str:
        return f"<the clock of {self._sandbox!r}>"

    def now(self) -> datetime:
        """The broker's time: aware, in UTC."""
        return self._sandbox._follow(self._sandbox._control("GET", "/clock"))

    def set(self, now: Union[datetime, str]) -> datetime:
        """Sets the time to `now`: an aware datetime, or RFC 3339 such as ``"2026-11-23T10:00:00+05:30"``."""
        return self._change("PUT", "/clock", {"now": _rfc3339(now, "now")})

    def set_rate(self, rate: float) -> datetime:
        """Runs at `rate` times real time from here on; 0 stands still."""
        return self._change("PUT", "/clock", {"rate": rate})

    def advance_to(self, time: str) -> datetime:
        """Moves to the next such `time` of day in India: ``"08:00 IST"``."""
        return self._change("POST", "/clock/advance", {"to": time})

    def advance(self, *, seconds: float) -> datetime:
        """Moves forward by `seconds` of its own time."""
        return self._change("POST", "/clock/advance", {"seconds": seconds})

    def _change(self, method: str, path: str, body: dict[str, Any]) -> datetime:
        return self._sandbox._follow(self._sandbox._control(method, path, body))


class Requests:
    """What an embedded broker saw: `count` and `requests`."""

    __slots__ = {"count": "How many matched.", "requests": "The latest of them."}

    count: int
    """How many requests matched."""

    requests: list[dict[str, Any]]
    """The latest of them, oldest first: ``seq``, ``at``, ``ist``, ``broker``, ``method``, ``path``,
    ``query``, ``status``, ``source_ip``, ``fault``, ``account``. ``at`` is RFC 3339 in UTC, ``ist`` the same
    in India. Secrets are redacted, and bodies are not kept: what was ordered is in the order book."""

    def __init__(self, count: int, requests: list[dict[str, Any]]) -> None:
        self.count = count
        self.requests = requests

    def __repr__(self) -> str:
        return f"Requests(count={self.count})"


class Sandbox:
    """An embedded broker in a child process. ``with`` starts and stops it, or call `start` and `stop`.

    - `port`: a port on 127.0.0.1; 0 takes a free one.
    - `tls`: serve https, with a certificate authority made for this run (`ca_file`).
    - `data`: keep the state in this file, which is made when it is missing; without it a stop forgets
      everything.
    - `start_at`: where its clock starts, an aware datetime or RFC 3339; the machine's time by default.
    - `rate`: how fast its clock runs; 1 is real time, 0 stands still.
    - `script`: scripted days: ``"ordinary-day"``, ``"bad-day"``, ``"month"``, or a TOML file. The script may
      say where the clock starts and how fast it runs; `start_at` and `rate` come before that.

        with Sandbox(start_at="2026-11-23T09:15:00+05:30", rate=0) as broker:
            session = broker.session("samco")
            session.token()
            broker.clock.advance_to("08:00 IST")
            assert session.state().name == "expired"

    While it runs it has `samco_url` and `angelone_url`, the addresses of the brokers; `dashboard_url`, the
    page to look at; `control_url` and `control_token` of its control API; `accounts`, the fake accounts with
    their credentials; `ca_file`, with `tls`; and `clock`.

    The child ends with this process, whatever happens to it. Raises `InvalidInputError`: of the argument that
    cannot be used (``script``, ``data``, ``port``); of ``sandbox`` when the ``preopen`` command is missing or
    does not start, and from every other call when it is not running or refuses the call.
    """

    samco_url: str
    """Base URL of the fake Samco."""

    angelone_url: str
    """Base URL of the fake SmartAPI."""

    dashboard_url: str
    """The page to look at in a browser."""

    control_url: str
    """Base URL of the control API."""

    control_token: str
    """The token for the control API's header ``x-sandbox-token``."""

    ca_file: Optional[str]
    """PEM file of the certificate authority, with `tls`."""

    accounts: list[dict[str, Any]]
    """The fake accounts with their credentials."""

    clock: Clock
    """The broker's clock."""

    def __init__(
        self,
        port: int = 0,
        tls: bool = False,
        *,
        start_at: Optional[Union[datetime, str]] = None,
        rate: Optional[float] = None,
        script: Optional[Union[str, os.PathLike[str]]] = None,
        data: Optional[Union[str, os.PathLike[str]]] = None,
    ) -> None:
        self._arguments = ["sandbox", "--json", "--exit-with-stdin", "--port", str(port)]
        if tls:
            self._arguments.append("--tls")
        if start_at is not None:
            self._arguments.append(f"--start-at={_rfc3339(start_at, 'start_at')}")
        if rate is not None:
            self._arguments.append(f"--rate={rate}")
        for option, path in [("script", script), ("data", data)]:
            if path is not None:
                import os

                self._arguments.append(f"--{option}={os.fspath(path)}")
        self._child: Optional[subprocess.Popen[bytes]] = None
        self._errors: Optional[IO[bytes]] = None
        self._tls: Any = None
        self.clock = Clock(self)

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return "Sandbox(stopped)" if self._ended() else f"Sandbox({self.dashboard_url})"

    def start(self) -> Sandbox:
        """Starts the broker and waits until it is ready, at most 20 seconds."""
        if not self._ended():
            return self
        self.stop()  # what is left of one that ended by itself
        import json
        import subprocess
        import tempfile

        command = _command()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the child
        try:
            self._child = subprocess.Popen(
                [command, *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
            )
        except OSError as error:
            self._errors.close()
            raise _refused(f"{command} cannot be run: {error.strerror}") from None
        line = _first_line(self._child)
        said = field = None
        try:
            ready = json.loads(line)
            for name in (
                "samco_url",
                "angelone_url",
                "dashboard_url",
                "control_url",
                "control_token",
                "accounts",
            ):
                setattr(self, name, ready[name])
            self.ca_file = ready.get("ca_file")
        except (ValueError, KeyError, TypeError):
            said, field = _told(self._last_words() or repr(line[:200]))
        del line
        if said is not None:
            self.stop()
            if field is not None:
                raise InvalidInputError(said, field=field)
            raise _refused(f"{command} sandbox did not start: {said}")
        self._clock = _native.VirtualClock(0, 1.0)
        self.clock.now()
        return self

    def stop(self) -> None:
        """Ends the broker. Sessions that it made stay open, and find nobody."""
        child, self._child = self._child, None
        if child is None:
            return
        import subprocess

        assert child.stdin is not None and child.stdout is not None
        child.terminate()
        child.stdin.close()
        try:
            child.wait(_CONTROL)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()
        if self._errors is not None:
            self._errors.close()

    def samco_credentials(self, index: int = 0) -> Samco:
        """Credentials of a fake Samco account, the one at `index` among those in `accounts`."""
        return Samco(**self._secrets("samco", index, "api_key", "api_secret"))

    def angelone_credentials(self, index: int = 0) -> AngelOne:
        """Credentials of a fake SmartAPI account, the one at `index` among those in `accounts`."""
        return AngelOne(**self._secrets("angelone", index, "api_key", "client_code", "pin", "totp_secret"))

    def session(self, broker: Broker, **overrides: Any) -> Session:
        """A session with `broker`, ``"samco"`` or ``"angelone"``, here, which follows the broker's clock.

        `overrides` are arguments of `Session`, with `credentials` among them.
        """
        session = Session.__new__(Session)
        try:
            self._prepare(session, broker, overrides)
        finally:
            del overrides
        return session

    def async_session(self, broker: Broker, **overrides: Any) -> AsyncSession:
        """As `session`, for asyncio."""
        session = AsyncSession.__new__(AsyncSession)
        try:
            self._prepare(session, broker, overrides)
        finally:
            del overrides
        return session

    def fault(self, broker: Broker, path: str, **spec: Any) -> dict[str, Any]:
        """Makes requests of `broker` to `path` fail; a path that ends in ``*`` is a prefix. Once, unless
        `times` or `probability` says otherwise.

        `spec`: ``status``, ``body`` (text or JSON), ``body_kind`` (``"html"``, ``"empty"``, ``"truncated"``,
        ``"large"``, ``"gzip_bomb"``, ``"malformed"``), ``size``, ``headers``, ``delay_ms``, ``drip_ms``,
        ``stall`` (``"before"``, or True for half of the body), ``reset`` (``"before"`` or ``"after"``),
        ``redirect_to``, ``handled``, ``duplicate``, ``method``, ``skip``, ``times``, ``probability``, and
        ``from_`` and ``until``, aware datetimes or RFC 3339: it hits what comes between them by the broker's
        clock, all of it unless `times` says otherwise.
        """
        for name, field in (("from_", "from"), ("until", "until")):
            if spec.get(name) is not None:
                spec[field] = _rfc3339(spec.pop(name), name)
        fault: dict[str, Any] = self._control("POST", "/faults", {"broker": broker, "path": path, **spec})
        return fault

    def clear_faults(self) -> None:
        """Ends all faults."""
        self._control("DELETE", "/faults")

    def requests(self, broker: Optional[Broker] = None, path: Optional[str] = None) -> Requests:
        """What the brokers saw, of one `broker` and `path` or of all."""
        from urllib.parse import urlencode

        wanted = {name: value for name, value in (("broker", broker), ("path", path)) if value is not None}
        seen = self._control("GET", "/requests?" + urlencode(wanted))
        return Requests(seen["count"], seen["requests"])

    def clear_requests(self) -> None:
        """Forgets what the broker saw."""
        self._control("DELETE", "/requests")

    def change_account(self, account: str, **changes: Any) -> dict[str, Any]:
        """Changes a fake `account`, by its id or client code, and returns all of it as it is then. What
        belongs to an app is that of the account's first one; ``apps`` lists all apps of a Samco account.

        `changes`: ``redirect_url``, ``primary_ip``, ``secondary_ip``, ``api_key``, ``blocked``,
        ``app_active``; at Samco ``password``, ``api_secret``, ``secret_api_key``, ``subscribed``,
        ``needs_app_login``; at Angel One ``pin``, ``totp_secret``. `accounts` keeps what the sandbox started
        with.
        """
        from urllib.parse import quote

        changed: dict[str, Any] = self._control("PATCH", "/accounts/" + quote(account, safe=""), changes)
        return changed

    def consent(self, url: str, approve: bool = True, account: Optional[str] = None) -> str:
        """Plays the person at the browser that a client sends to `url`, Samco's authorize page or SmartAPI's
        publisher login, and returns the address that the browser is sent to, without following it.

        - `approve`: False cancels, which Samco's page answers with ``error=access_denied``. SmartAPI's page
          has no way to cancel.
        - `account`: whose secrets the person knows; by default the owner of the app.

        Raises `InvalidInputError` when the page sends the browser nowhere, with the reason.
        """
        decision = "approve" if approve else "cancel"
        wanted = {"url": url, "decision": decision, "account": account}
        answer = self._control("POST", "/consent", wanted)
        return str(answer["redirect_to"])

    def inbox(self) -> list[dict[str, Any]]:
        """The emails and SMS that the brokers sent, oldest first: ``seq``, ``at`` (RFC 3339, in UTC),
        ``broker``, ``account``, ``channel`` (``"email"``, ``"sms"``), ``kind`` (``"otp"``,
        ``"secret_api_key"``, ``"api_key"``), ``value`` (the code or key), ``about`` (what it is for: the
        change that a code confirms, the app of a key, or nothing) and ``text``."""
        messages: list[dict[str, Any]] = self._control("GET", "/inbox")["messages"]
        return messages

    def set_source_ip(self, ip: Optional[str]) -> None:
        """Sets the address `ip` that the broker sees: ``"home"`` is each account's registered one, which is
        so at the start; ``None`` is the real one."""
        self._control("PUT", "/source-ip", {"ip": ip})

    def script(self) -> Optional[dict[str, Any]]:
        """How far the script has come, None without one: ``script`` (its name), ``about``, ``days``,
        ``done_count``, ``done`` (the latest steps, oldest first), ``next``, ``ends_at``, ``ended``. A step
        has ``at`` (RFC 3339, in UTC), ``ist``, ``day``, ``name``, ``what`` and ``problem`` (why it could not
        be done)."""
        report: dict[str, Any] = self._control("GET", "/script")
        return report if report["script"] is not None else None

    def switch(self, **names: Union[bool, int, str]) -> None:
        """Sets behaviour that the brokers' documents leave open by its `names`, for example
        ``totp_reuse_refused=True``; `switches` tells all of them."""
        self._control("PATCH", "/switches", names)

    def switches(self) -> dict[str, Any]:
        """All switches, with their defaults and reasons."""
        switches: dict[str, Any] = self._control("GET", "/switches")
        return switches

    def _account(self, broker: str, index: int) -> dict[str, Any]:
        self._running()
        numbers = [n for n, account in enumerate(self.accounts) if account["broker"] == broker]
        if not isinstance(index, int) or not 0 <= index < len(numbers):
            problem = f"index must be that of an account at {broker}: 0 to {len(numbers) - 1}"
            raise InvalidInputError(problem, field="index")
        return self.accounts[numbers[index]]

    def _secrets(self, broker: str, index: int, *names: str) -> dict[str, Any]:
        account = self._account(broker, index)
        return {name: account[name] for name in names}

    def _prepare(
        self, session: Union[Session, AsyncSession], broker: Broker, overrides: dict[str, Any]
    ) -> None:
        self._running()
        options = dict(overrides)
        credentials: Optional[Credentials] = options.pop("credentials", None)
        try:
            if broker == "samco":
                url = self.samco_url
                credentials = self.samco_credentials() if credentials is None else credentials
            elif broker == "angelone":
                url = self.angelone_url
                credentials = self.angelone_credentials() if credentials is None else credentials
            else:
                raise InvalidInputError("broker must be samco or angelone", field="broker")
            options.setdefault("base_url", url)
            options.setdefault("ca_file", self.ca_file)
            with_clock(session, credentials, self._clock, options)
        finally:
            del credentials, overrides, options

    def _ended(self) -> bool:
        return self._child is None or self._child.poll() is not None

    def _running(self) -> None:
        if self._child is None:
            raise _refused("the sandbox is not running: use it in a with statement, or call start()")
        if self._ended():
            code = self._child.returncode
            raise _refused(f"the sandbox is not running: its process ended ({code}); start() makes a new one")

    def _follow(self, clock: dict[str, Any]) -> datetime:
        """Sets the sessions' clock to the broker's."""
        from datetime import datetime, timedelta, timezone

        now = _parsed(clock["now"])
        epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
        self._clock.set((now - epoch) // timedelta(milliseconds=1), float(clock["rate"]))
        return now

    def _control(self, method: str, path: str, body: Optional[dict[str, Any]] = None) -> Any:
        """One call to the control API, straight to it whatever proxies the environment names."""
        self._running()
        import http.client
        import json
        from urllib.parse import urlsplit

        url = urlsplit(self.control_url)
        host, port = url.hostname or "", url.port
        connection: http.client.HTTPConnection
        if url.scheme == "https":
            import ssl

            self._tls = self._tls or ssl.create_default_context(cafile=self.ca_file)
            connection = http.client.HTTPSConnection(host, port, timeout=_CONTROL, context=self._tls)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=_CONTROL)
        headers = {"x-sandbox-token": self.control_token, "content-type": "application/json"}
        answer: Any = None
        status, problem = 0, None
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, url.path + path, text, headers)
            response = connection.getresponse()
            status = response.status
            answer = json.loads(response.read() or b"null")
        except ConnectionError as error:
            problem = f"the sandbox is not running: {error.strerror or error}"
        except OSError as error:
            problem = f"the sandbox does not answer: {error.strerror or error}"
        except http.client.HTTPException as error:
            problem = f"the sandbox does not answer: {type(error).__name__}"
        finally:
            connection.close()
            del headers
        # Raised here, so that the error carries no other one along, with a token in its frames.
        if problem is None and status >= 400:
            problem = str(answer.get("error", {}).get("message", answer))
        if problem is not None:
            raise _refused(problem)
        return answer

    def _last_words(self) -> str:
        """What the child wrote to its standard error."""
        if self._errors is None:
            return ""
        self._errors.seek(0)
        return self._errors.read()[-2000:].decode("utf-8", "replace").strip()


def _told(words: str) -> tuple[str, Optional[str]]:
    """What the command wrote about why it ended, and the argument that is wrong, if it says which one."""
    import json

    try:
        error = json.loads(words.splitlines()[-1])["error"]
        return str(error["message"]), error.get("field")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return words, None


def _refused(message: str) -> InvalidInputError:
    return InvalidInputError(message, field="sandbox")


def _command() -> str:
    import os
    import shutil

    command = os.environ.get("PREOPEN_BIN") or _installed() or shutil.which("preopen")
    if command is None:
        raise _refused(
            "the embedded broker needs the preopen command: install the wheel preopen-cli in this "
            "environment, or put the command on the PATH with `cargo install --path crates/cli` in "
            "Preopen's repository, or name it in PREOPEN_BIN"
        )
    return command


def _installed() -> Optional[str]:
    """The command of the wheel ``preopen-cli``, also of an environment that is not active."""
    import os
    import sysconfig

    name = "preopen" + (sysconfig.get_config_var("EXE") or "")
    folders = [sysconfig.get_path("scripts")]
    user = f"{os.name}_user"
    if user in sysconfig.get_scheme_names():
        folders.append(sysconfig.get_path("scripts", user))
    # `pip install --target` puts it beside the packages.
    folders.append(os.path.join(os.path.dirname(os.path.dirname(__file__)), "bin"))
    found = (os.path.join(folder, name) for folder in folders)
    return next((path for path in found if os.access(path, os.X_OK) and os.path.isfile(path)), None)


def _first_line(child: subprocess.Popen[bytes]) -> bytes:
    """The first line of the child's output; empty if none comes in time, and then the child is ended."""
    import threading

    stdout = child.stdout
    assert stdout is not None
    lines: list[bytes] = []
    reader = threading.Thread(target=lambda: lines.append(stdout.readline()), daemon=True)
    reader.start()
    reader.join(_START)
    if reader.is_alive():
        child.kill()
        reader.join()
        return b""
    return lines[0]


def _rfc3339(at: Union[datetime, str], field: str) -> str:
    if isinstance(at, str):
        return at
    if getattr(at, "tzinfo", None) is None:
        raise InvalidInputError(f"{field} must be an aware datetime, with a time zone", field=field)
    return at.isoformat()


def _parsed(text: str) -> datetime:
    from .errors import _time

    return _time(text)  # type: ignore[return-value]  # it is never None here
