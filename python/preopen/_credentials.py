"""Credentials. Their values go to Rust at once and cannot be read back."""

from __future__ import annotations

from . import _native as native
from ._ask import Asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, Optional, Union

    from ._ask import Ask

__all__ = ["AngelOne", "Credentials", "Samco"]

# Constructors delete their arguments in any case: a traceback that shows local variables shows none of them.


class Credentials:
    """Credentials of one broker: `Samco`, `AngelOne` or another way to log in there."""

    __slots__ = ("_asked", "_native")

    if TYPE_CHECKING:
        _native: native.Credentials
        #: What a session has to ask for.
        _asked: Optional[Asked]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(**redacted**)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be pickled or copied: it holds secrets")


class Samco(Credentials):
    """Credentials of Samco's direct login: the API key and API secret of an app, exactly as Samco delivered
    them. Both arrive already encrypted and are sent as they are (documented); white space around them is
    dropped.

        session = Session(Samco(api_key="...", api_secret=lambda: vault.read("samco")))

    `api_secret` may be a callable without arguments, plain or ``async def``, that returns it. It is called
    before each login and at no other time, once for all callers who wait, and has five minutes. ``None``
    means that nobody is there to answer: callers get `LoginRequiredError` (reason ``"not_answered"``). What
    it returns is used for that login and not kept. An exception in it is `InvalidInputError` (field
    ``api_secret``) for the callers, with the name of its type and nothing else: its text may hold the secret.

    A plain callable runs on a thread of its own. A coroutine runs on the event loop that the `AsyncSession`
    was used on last, while that runs; otherwise, and for a `Session`, in a new loop on that thread.

    Values are checked when a session is made. Raises `InvalidInputError` when a value is neither.
    """

    __slots__ = ()

    def __init__(self, *, api_key: str, api_secret: Union[str, Ask]) -> None:
        try:
            self._native = native.Credentials.samco(api_key, api_secret)
            self._asked = _asked(api_secret=api_secret)
        finally:
            del api_key, api_secret

    @classmethod
    def from_env(cls) -> Samco:
        """Credentials from ``SAMCO_API_KEY`` and ``SAMCO_API_SECRET``.

        Raises `InvalidInputError` with the variable that is missing.
        """
        self = cls.__new__(cls)
        self._native = native.Credentials.from_env("samco")
        self._asked = None
        return self


class AngelOne(Credentials):
    """Credentials of SmartAPI's direct login: API key, client code, PIN (four digits, not the web password)
    and, for the one-time codes, either the TOTP secret from which they are made (`totp_secret`: Base32, as
    shown beside the QR code) or a callable that returns the six-digit code of the moment (`totp`).

    `pin` and `totp_secret` may be callables too, as the secret of `Samco`: called before a login that needs
    them, not while the session is valid and not for a renewal with SmartAPI's refresh token.

        angel = AngelOne(api_key="...", client_code="A123", pin=ask_pin, totp_secret="...")
        session = AsyncSession(angel)

    What the headers ``X-ClientLocalIP``, ``X-ClientPublicIP``, ``X-MACAddress``, ``X-UserType`` and
    ``X-SourceID`` say (documented as required) is yours to give: `local_ip`, `public_ip`, `mac_address`,
    `user_type`, `source_id`. Without them they say ``127.0.0.1`` twice, ``00:00:00:00:00:00``, ``USER`` and
    ``WEB``: the broker does not check addresses (observed), the last two are the documented values, and
    nothing is looked up.

    `state` is a text of your own (1 to 128 visible ASCII characters) that is sent with the login; the broker
    echoes it (documented), and a reply with another one raises `MalformedResponseError`.

    Values are checked when a session is made. Raises `InvalidInputError` when a value has a wrong type, and
    when not exactly one of `totp_secret` and `totp` is given.
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        api_key: str,
        client_code: str,
        pin: Union[str, Ask],
        totp_secret: Union[str, Ask, None] = None,
        totp: Optional[Ask] = None,
        local_ip: Optional[str] = None,
        public_ip: Optional[str] = None,
        mac_address: Optional[str] = None,
        user_type: Optional[str] = None,
        source_id: Optional[str] = None,
        state: Optional[str] = None,
    ) -> None:
        told = {
            "local_ip": local_ip,
            "public_ip": public_ip,
            "mac_address": mac_address,
            "user_type": user_type,
            "source_id": source_id,
            "state": state,
        }
        try:
            self._native = native.Credentials.angel_one(api_key, client_code, pin, totp_secret, totp, told)
            self._asked = _asked(pin=pin, totp_secret=totp_secret, totp=totp)
        finally:
            del api_key, client_code, pin, totp_secret, totp

    @classmethod
    def from_env(cls) -> AngelOne:
        """Credentials from ``ANGELONE_API_KEY``, ``ANGELONE_CLIENT_CODE``, ``ANGELONE_PIN`` and
        ``ANGELONE_TOTP_SECRET``; ``ANGELONE_LOCAL_IP``, ``ANGELONE_PUBLIC_IP`` and
        ``ANGELONE_MAC_ADDRESS`` are told if they are set.

        Raises `InvalidInputError` with the variable that is missing.
        """
        self = cls.__new__(cls)
        self._native = native.Credentials.from_env("angelone")
        self._asked = None
        return self


def _asked(**fields: object) -> Optional[Asked]:
    try:
        return Asked(**fields) if any(map(callable, fields.values())) else None
    finally:
        del fields
