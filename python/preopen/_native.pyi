"""The extension module, made from ``bindings/python``. Use the package `preopen`; this module may change."""

from datetime import datetime
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Literal,
    Mapping,
    NoReturn,
    Optional,
    Sequence,
    Tuple,
    Union,
    final,
)

from .errors import PreopenError

__all__ = [
    "Completions",
    "Credentials",
    "Events",
    "ForeignCall",
    "Login",
    "LoginCode",
    "LoginStart",
    "Logs",
    "Prompt",
    "SamcoLegacyCalls",
    "Session",
    "SignedCall",
    "StoreCall",
    "Task",
    "Token",
    "VirtualClock",
    "Work",
    "__version__",
    "check_store",
    "error_catalogue",
    "event_catalogue",
    "exiting",
    "generate_key",
    "metric_families",
    "metrics",
    "static_ip_check",
    "static_ip_may_change",
]

__version__: str

def error_catalogue() -> List[str]:
    """The codes of all kinds of errors, in the order of the documentation."""

def event_catalogue() -> List[str]:
    """The names of all events, in the order of the documentation."""

def exiting() -> bool:
    """Whether the interpreter exits, so that no other thread comes back to Python any more."""

def metric_families() -> List[Dict[str, str]]:
    """Every metric that there is, told or not: dicts with the keys ``name``, ``kind``, ``unit`` and
    ``help``."""

def metrics() -> List[Dict[str, Any]]:
    """The metrics of this process as they are now: dicts with the keys ``name``, ``kind`` (``"counter"``,
    ``"gauge"``, ``"histogram"``), ``unit``, ``help``, ``labels`` and ``value``; a histogram has ``count``,
    ``sum`` and ``buckets`` (pairs of an upper bound and how many were at most that) in place of a value."""

def generate_key() -> str:
    """A new random key for `Session.export` and `Session.prime`: 32 bytes as base64url, 43 characters. Keep
    it where you keep secrets."""

def static_ip_check(address: str) -> str:
    """A public IPv4 address in its usual form."""

def static_ip_may_change(asked: str) -> Dict[str, Any]:
    """Whether a static IP may be changed; `asked` is JSON text."""

def check_store(store: object, callbacks: object) -> Work:
    """Checks a store of the program's own, whose methods `callbacks` calls: gives a list of what it
    violates."""

@final
class Token:
    """A live access token. Its text is shown by `expose` alone: ``repr``, ``str`` and ``format`` are
    redacted, and it refuses to be pickled, copied or written as JSON."""

    @property
    def expires_at(self) -> datetime:
        """When the token ends, at the latest: aware, in UTC."""

    @property
    def generation(self) -> int:
        """The number of the login that the token came from, from 1; give it to `Session.invalidate`."""

    def expose(self) -> str:
        """The token itself, for a header that you build on your own."""

    def __format__(self, _specification: str, /) -> str: ...
    def __reduce_ex__(self, _protocol: Any, /) -> NoReturn: ...

@final
class LoginStart:
    """A login that was begun at the broker's page. ``repr``, ``str`` and ``format`` show no URL, and it
    refuses to be pickled, copied or written as JSON: the URL holds the API key and the login's state."""

    @property
    def url(self) -> str:
        """The page that a person must open. Give it to the person who logs in, and to nobody else: whoever
        has it can complete the login."""

    @property
    def expires_at(self) -> datetime:
        """Until when `Session.complete_login` accepts its answer, 15 minutes: aware, in UTC."""

    def __format__(self, _specification: str, /) -> str: ...
    def __reduce_ex__(self, _protocol: Any, /) -> NoReturn: ...

@final
class LoginCode:
    """A code for another login of the same account. Its text is shown by `expose` alone: ``repr``, ``str``
    and ``format`` are redacted, and it refuses to be pickled, copied or written as JSON."""

    @property
    def expires_at(self) -> datetime:
        """Until when it may be used, by the session's clock: aware, in UTC. Samco gives it two minutes
        (documented)."""

    def expose(self) -> str:
        """The code itself: eight characters (documented)."""

    def __format__(self, _specification: str, /) -> str: ...
    def __reduce_ex__(self, _protocol: Any, /) -> NoReturn: ...

@final
class Login:
    """A login at the broker's page that is under way in the background."""

    def started(self) -> Work:
        """Waits for the `LoginStart` to show; `None` when the login ended before."""

    def outcome(self) -> Work:
        """Waits for its end."""

    def close(self) -> None:
        """Gives it up, if it is not over; its port is free when this returns."""

@final
class SamcoLegacyCalls:
    """Samco's deprecated calls."""

    def generate_otp(self) -> Work: ...
    def generate_secret_key(self, otp: str) -> Work: ...
    def register_ips(self, primary: str, secondary: Optional[str]) -> Work: ...
    def update_ips(self, primary: str, secondary: Optional[str]) -> Work: ...

@final
class Credentials:
    """Credentials of one broker, kept in Rust."""

    @staticmethod
    def samco(api_key: str, api_secret: Union[str, Callable[[], object]]) -> Credentials:
        """Samco's direct login. A callable is not kept: it belongs to the `callbacks` of each session."""

    @staticmethod
    def angel_one(
        api_key: str,
        client_code: str,
        pin: Union[str, Callable[[], object]],
        totp_secret: Union[str, Callable[[], object], None],
        totp: Optional[Callable[[], object]],
        told: Mapping[str, Optional[str]],
    ) -> Credentials:
        """SmartAPI's direct login, with exactly one of `totp_secret` and `totp`; `told` is what its headers
        tell of the machine."""

    @staticmethod
    def samco_oauth(api_key: str, redirect_url: str) -> Credentials:
        """Samco's OAuth login."""

    @staticmethod
    def samco_legacy(
        user_id: str,
        password: Union[str, Callable[[], object]],
        secret_api_key: Union[str, Callable[[], object]],
        year_of_birth: Optional[str],
    ) -> Credentials:
        """Samco's deprecated login."""

    @staticmethod
    def samco_login_code(account: str, code: Callable[[], object]) -> Credentials:
        """Samco's login with a code of another session."""

    @staticmethod
    def angel_one_publisher(
        api_key: str,
        client_code: str,
        redirect_url: Optional[str],
        trust_missing_state: bool,
        told: Mapping[str, Optional[str]],
    ) -> Credentials:
        """SmartAPI's publisher login; `told` is what its headers tell of the machine."""

    @staticmethod
    def from_env(broker: str) -> Credentials:
        """From the environment; `broker` is ``"samco"``, ``"angelone"``, ``"samco_oauth"``,
        ``"samco_legacy"`` or ``"angelone_publisher"``."""

@final
class VirtualClock:
    """A clock that is set from outside; sessions of an embedded broker follow it."""

    def __new__(cls, now_ms: int, rate: float) -> VirtualClock: ...
    def set(self, now_ms: int, rate: float) -> None:
        """Sets the time, in milliseconds since the Unix epoch, and how many times as fast as real time it
        runs."""

    def now_ms(self) -> int:
        """The time, in milliseconds since the Unix epoch."""

@final
class Completions:
    """Finished calls of one event loop."""

    def __new__(cls, wake: Optional[Callable[[], object]]) -> Completions:
        """Those of a loop that is woken by a callback; without one it watches `fileno`. Raises `OSError`
        where there are no sockets to watch, or none left."""

    def fileno(self) -> int:
        """What can be read when there is something to drain; -1 where a callback tells."""

    def drain(self) -> List[Tuple[int, Any, bool]]:
        """All finished calls: number, result, and whether the result is an exception to raise."""

@final
class Task:
    """A call that is under way."""

    def abort(self) -> None:
        """Stops waiting for it. A login that it waited for goes on."""

@final
class Work:
    """A call that has not been made yet. It can be made once."""

    def wait(self) -> Any:
        """Makes the call and blocks; other threads run meanwhile, and Ctrl-C ends it."""

    def start(self, completions: Completions, number: int) -> Task:
        """Makes the call in the background; its result arrives at `completions` under `number`."""

@final
class Logs:
    """The log records of this process, from the moment that this was made on. No thread is made for it."""

    def __new__(cls, level: str) -> Logs:
        """Records of ``level`` and above: ``"error"``, ``"warn"`` (or ``"warning"``), ``"info"``,
        ``"debug"``, ``"trace"``."""

    def next(self, timeout: Optional[float] = None) -> Optional[Dict[str, Any]]:
        """The next record: a dict with the keys ``at`` (seconds since the Unix epoch), ``level``, ``target``
        (``"preopen"`` or ``"preopen.audit"``), ``message`` and ``fields``. Waits at most `timeout` seconds,
        without one until there is a record; other threads run meanwhile. ``None`` when the time is over or no
        more will come."""

    @property
    def closed(self) -> bool:
        """Whether no record will come any more; always in a forked child of whoever made this."""

    def close(self) -> None:
        """Collects no more; whoever waits is woken. What is waiting can still be taken."""

@final
class Prompt:
    """A question under way: it is answered once."""

    @property
    def field(self) -> str:
        """The credential that is asked for."""

    def give(self, answer: Optional[str]) -> None:
        """Answers; `None` when nobody is there to give it. A second answer is ignored."""

    def failed(self, how: str) -> None:
        """Says that the callback failed; `how` completes the sentence "the callback for pin ..."."""

@final
class StoreCall:
    """A call of a method of a store, or of its claim, under way: it is answered once."""

    @property
    def method(self) -> str:
        """The method's name."""

    @property
    def argument(self) -> Optional[str]:
        """Its argument, if it takes one: the account, or the value to write."""

    def give(self, answer: object) -> None:
        """Answers with what the method gave. A second answer is ignored."""

    def failed(self, how: str) -> None:
        """Says that the method failed; `how` completes the sentence "its read() ..."."""

@final
class Events:
    """The events of a session, from the moment that this was made on."""

    @property
    def over(self) -> bool:
        """Whether no event will come any more."""

    def take(self) -> Optional[Dict[str, Any]]:
        """The next event that has come already."""

    def ready(self) -> Work:
        """Waits until there is an event to take, or none will come. A wait that is given up loses none."""

    def close(self) -> None:
        """Stops listening; whoever waits is told."""

@final
class ForeignCall:
    """A call that another HTTP client of the program sends."""

    def try_sign(self) -> Optional[SignedCall]:
        """The call with the live session, if there is one."""

@final
class SignedCall:
    """A foreign call with the session that it is sent with."""

    def headers(self) -> Dict[str, str]:
        """Every header of the call, for this one time that it is sent."""

    @staticmethod
    def is_telling(status: int, content_type: Optional[str]) -> bool:
        """Whether the body of a reply can tell anything about the session."""

    def answered(
        self, status: int, headers: Mapping[str, str], body: bytes, sendable: bool
    ) -> Tuple[bool, Optional[PreopenError]]:
        """Takes in a reply: whether to sign and send the call once more, and the error that the reply means,
        if any. `sendable`: whether everything that a repetition would send is still there."""

@final
class Session:
    """A session that keeps itself valid."""

    def __new__(
        cls,
        credentials: Credentials,
        *,
        base_url: Optional[str],
        timeout: Optional[float],
        ip_version: Optional[int],
        source_ip: Optional[str],
        proxy: Optional[str],
        ca_file: Optional[str],
        allowed_hosts: Sequence[str],
        keep_warm: Optional[bool],
        store: Optional[object],
        store_key: Optional[str],
        on_store_loss: Optional[str],
        rate_limits: Optional[str],
        audit: Optional[str],
        callbacks: Optional[object],
        clock: Optional[VirtualClock],
    ) -> Session: ...
    @property
    def broker(self) -> Literal["samco", "angelone"]:
        """The broker's name."""

    @property
    def environment(self) -> Literal["live", "sandbox", "custom"]:
        """``"live"``, ``"sandbox"`` or ``"custom"``."""

    @property
    def store(self) -> Optional[str]:
        """The store that the session is shared through, in a few words."""

    @property
    def base_url(self) -> str:
        """The base URL of this session's calls, without a slash at its end."""

    def foreign(self, method: str, url: str) -> ForeignCall:
        """A call that another HTTP client will send; `url` must be below `base_url`."""

    def sign(self, call: ForeignCall) -> Work:
        """Gives a `SignedCall`."""

    def try_token(self) -> Optional[Token]:
        """The live token, if there is one."""

    def try_headers(self) -> Optional[Dict[str, str]]:
        """The headers, if there is a live token."""

    def token(self) -> Work: ...
    def headers(self) -> Work: ...
    def whoami(self) -> Work: ...
    def preflight(self, strict: bool) -> Work:
        """Whether this host can place orders now."""

    def profile(self) -> Work: ...
    def stream_headers(self, stream: Optional[str]) -> Work: ...
    def feed_token(self) -> Work: ...
    def logout(self) -> Work: ...
    def begin_login(self) -> Work:
        """Gives a `LoginStart`."""

    def complete_login(self, address: str) -> Work: ...
    def login(self, open_browser: bool, timeout: float, shows: bool) -> Login:
        """Begins a login in the background; `shows` tells that somebody waits for the page to show."""

    def web_login_code(self) -> Work:
        """Gives a `LoginCode`."""

    def samco_legacy(self) -> SamcoLegacyCalls: ...
    def request(
        self,
        method: str,
        path: str,
        params: Optional[Mapping[str, Any]],
        json: Optional[str],
        headers: Optional[Mapping[str, str]],
        replay_safe: Optional[bool],
        timeout: Optional[float],
    ) -> Work:
        """A call; `json` is text that is JSON already."""

    def export(self, key: Optional[str]) -> Work:
        """The session sealed with a key, as text."""

    def export_exposed(self) -> Work:
        """The session as JSON, with its tokens in clear."""

    def prime(self, record: str, key: Optional[str]) -> None:
        """Takes over an exported session."""

    def events(self) -> Events:
        """What happens from now on."""

    def state(self) -> Dict[str, Any]:
        """What the session is doing."""

    def invalidate(self, generation: int) -> None: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...
