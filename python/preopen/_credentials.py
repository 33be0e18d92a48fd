"""Credentials. Their values go to Rust at once and cannot be read back."""

from __future__ import annotations

from . import _native as native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["AngelOne", "Credentials", "Samco"]

# Constructors delete their arguments in any case: a traceback that shows local variables shows none of them.


class Credentials:
    """Credentials of one broker: `Samco` or `AngelOne`."""

    __slots__ = ("_native",)

    _native: native.Credentials

    def __repr__(self) -> str:
        return f"{type(self).__name__}(**redacted**)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be pickled or copied: it holds secrets")


class Samco(Credentials):
    """Credentials of Samco's direct login: the API key and API secret of an app, exactly as Samco delivered
    them. Both arrive already encrypted and are sent as they are (documented); white space around them is
    dropped.

    They are checked when a session is made. Raises `InvalidInputError` when a value is not a str.
    """

    __slots__ = ()

    def __init__(self, *, api_key: str, api_secret: str) -> None:
        try:
            self._native = native.Credentials.samco(api_key, api_secret)
        finally:
            del api_key, api_secret

    @classmethod
    def from_env(cls) -> Samco:
        """Credentials from ``SAMCO_API_KEY`` and ``SAMCO_API_SECRET``.

        Raises `InvalidInputError` with the variable that is missing.
        """
        self = cls.__new__(cls)
        self._native = native.Credentials.from_env("samco")
        return self


class AngelOne(Credentials):
    """Credentials of SmartAPI's direct login: API key, client code, PIN (four digits, not the web password)
    and the TOTP secret (Base32, as shown beside the QR code), from which the one-time codes are made.

    They are checked when a session is made. Raises `InvalidInputError` when a value is not a str.
    """

    __slots__ = ()

    def __init__(self, *, api_key: str, client_code: str, pin: str, totp_secret: str) -> None:
        try:
            self._native = native.Credentials.angel_one(api_key, client_code, pin, totp_secret)
        finally:
            del api_key, client_code, pin, totp_secret

    @classmethod
    def from_env(cls) -> AngelOne:
        """Credentials from ``ANGELONE_API_KEY``, ``ANGELONE_CLIENT_CODE``, ``ANGELONE_PIN`` and
        ``ANGELONE_TOTP_SECRET``.

        Raises `InvalidInputError` with the variable that is missing.
        """
        self = cls.__new__(cls)
        self._native = native.Credentials.from_env("angelone")
        return self
