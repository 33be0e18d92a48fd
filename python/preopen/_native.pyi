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
    final,
)

__all__ = [
    "Completions",
    "Credentials",
    "Session",
    "Task",
    "Token",
    "VirtualClock",
    "Work",
    "__version__",
    "error_catalogue",
]

__version__: str

def error_catalogue() -> List[str]:
    """The codes of all kinds of errors, in the order of the documentation."""

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
class Credentials:
    """Credentials of one broker, kept in Rust."""

    @staticmethod
    def samco(api_key: str, api_secret: str) -> Credentials:
        """Samco's direct login."""

    @staticmethod
    def angel_one(api_key: str, client_code: str, pin: str, totp_secret: str) -> Credentials:
        """SmartAPI's direct login."""

    @staticmethod
    def from_env(broker: str) -> Credentials:
        """From the environment; `broker` is ``"samco"`` or ``"angelone"``."""

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

    def __new__(cls, wake: Callable[[], object]) -> Completions: ...
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
        clock: Optional[VirtualClock],
    ) -> Session: ...
    @property
    def broker(self) -> Literal["samco", "angelone"]:
        """The broker's name."""

    @property
    def environment(self) -> Literal["live", "sandbox", "custom"]:
        """``"live"``, ``"sandbox"`` or ``"custom"``."""

    def try_token(self) -> Optional[Token]:
        """The live token, if there is one."""

    def try_headers(self) -> Optional[Dict[str, str]]:
        """The headers, if there is a live token."""

    def token(self) -> Work: ...
    def headers(self) -> Work: ...
    def whoami(self) -> Work: ...
    def profile(self) -> Work: ...
    def logout(self) -> Work: ...
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

    def state(self) -> Dict[str, Any]:
        """What the session is doing."""

    def invalidate(self, generation: int) -> None: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...
