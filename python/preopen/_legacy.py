"""Samco's deprecated calls that need no session."""

from __future__ import annotations

from ._deprecated import deprecated, warn
from ._types import read_reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any, Callable, Coroutine, NoReturn, Optional

    from . import _native as native
    from ._types import Reply

__all__ = ["AsyncSamcoLegacyCalls", "SamcoLegacyCalls"]

_KEYS = "Samco will remove this call: create an app on the dashboard's API Keys page"
_REGISTER = "Samco will remove this call: register on the dashboard's Static IPs page"
_CHANGE = "Samco will remove this call: change them on the dashboard's Static IPs page"


class _Calls:
    __slots__ = ("_native",)

    if TYPE_CHECKING:
        _native: native.SamcoLegacyCalls

    def __init__(self) -> None:
        raise TypeError(f"{type(self).__name__} is made by a session: call its samco_legacy()")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be pickled or copied: it holds secrets")


def blocking(native: native.SamcoLegacyCalls) -> SamcoLegacyCalls:
    """Those of a `Session`."""
    calls = SamcoLegacyCalls.__new__(SamcoLegacyCalls)
    calls._native = native
    return calls


def awaited(
    native: native.SamcoLegacyCalls, run: Callable[[native.Work], Awaitable[Any]]
) -> AsyncSamcoLegacyCalls:
    """Those of an `AsyncSession`."""
    calls = AsyncSamcoLegacyCalls.__new__(AsyncSamcoLegacyCalls)
    calls._native = native
    calls._run = run
    return calls


class SamcoLegacyCalls(_Calls):
    """Samco's deprecated calls that are sent with a user id, a password or a code, and no session; made by
    `Session.samco_legacy`. Each is sent once and never repeated, and warns with `DeprecationWarning` that
    names what replaces it."""

    __slots__ = ()

    @deprecated("Samco will remove this call: create an app on the dashboard's API Keys page")
    def generate_otp(self) -> Reply:
        """Has a one-time code sent to the holder's mobile and email (``POST /otp/generateOtp``, documented).
        Deprecated: create an app on the dashboard's API Keys page.

        Raises `BrokerRejectedError`, `OutcomeUnknownError` (it may have been sent), `RateLimitedError`,
        `TimeoutError`, `NetworkError`, `BrokerUnavailableError`, `MalformedResponseError`.
        """
        warn(_KEYS)
        return read_reply(self._native.generate_otp().wait())

    @deprecated("Samco will remove this call: create an app on the dashboard's API Keys page")
    def generate_secret_key(self, otp: str) -> Reply:
        """Has Samco mail the secret API key, with `otp`, a code of `generate_otp` (``POST
        /otp/secretKeyGenerator``, documented). Deprecated: create an app on the dashboard's API Keys page.

        Raises `InvalidInputError` (field ``otp``), and as `generate_otp`.
        """
        try:
            warn(_KEYS)
            work = self._native.generate_secret_key(otp)
        finally:
            del otp
        return read_reply(work.wait())

    @deprecated("Samco will remove this call: register on the dashboard's Static IPs page")
    def register_ips(self, primary: str, secondary: Optional[str] = None) -> Reply:
        """Registers the account's addresses `primary` and `secondary` for the first time (``POST
        /ip/ipRegistration``, documented): public IPv4, two different ones. Deprecated: register on the
        dashboard's Static IPs page.

        Raises `InvalidInputError` (fields ``primary``, ``secondary``, ``password``),
        `CredentialsRejectedError`, and as `generate_otp`.
        """
        warn(_REGISTER)
        return read_reply(self._native.register_ips(primary, secondary).wait())

    @deprecated("Samco will remove this call: change them on the dashboard's Static IPs page")
    def update_ips(self, primary: str, secondary: Optional[str] = None) -> Reply:
        """Changes them to `primary` and `secondary` (``POST /ip/ipUpdate``), once in seven days (documented).
        Deprecated: change them on the dashboard's Static IPs page.

        Raises as `register_ips`.
        """
        warn(_CHANGE)
        return read_reply(self._native.update_ips(primary, secondary).wait())


class AsyncSamcoLegacyCalls(_Calls):
    """The same calls for asyncio; made by `AsyncSession.samco_legacy`."""

    __slots__ = ("_run",)

    if TYPE_CHECKING:
        _run: Callable[[native.Work], Awaitable[Any]]

    # Plain functions that return coroutines: only so does the warning name the line that calls.

    @deprecated("Samco will remove this call: create an app on the dashboard's API Keys page")
    def generate_otp(self) -> Coroutine[Any, Any, Reply]:
        """As `SamcoLegacyCalls.generate_otp`."""
        warn(_KEYS)
        return self._reply(self._native.generate_otp())

    @deprecated("Samco will remove this call: create an app on the dashboard's API Keys page")
    def generate_secret_key(self, otp: str) -> Coroutine[Any, Any, Reply]:
        """As `SamcoLegacyCalls.generate_secret_key`."""
        try:
            warn(_KEYS)
            work = self._native.generate_secret_key(otp)
        finally:
            del otp
        return self._reply(work)

    @deprecated("Samco will remove this call: register on the dashboard's Static IPs page")
    def register_ips(self, primary: str, secondary: Optional[str] = None) -> Coroutine[Any, Any, Reply]:
        """As `SamcoLegacyCalls.register_ips`."""
        warn(_REGISTER)
        return self._reply(self._native.register_ips(primary, secondary))

    @deprecated("Samco will remove this call: change them on the dashboard's Static IPs page")
    def update_ips(self, primary: str, secondary: Optional[str] = None) -> Coroutine[Any, Any, Reply]:
        """As `SamcoLegacyCalls.update_ips`."""
        warn(_CHANGE)
        return self._reply(self._native.update_ips(primary, secondary))

    async def _reply(self, work: native.Work) -> Reply:
        return read_reply(await self._run(work))
