"""Credentials of the further ways to log in: OAuth, the deprecated login, login codes, publisher login."""

from __future__ import annotations

from . import _native as native
from ._credentials import Credentials, _asked
from ._deprecated import deprecated, warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Union

    from ._ask import Ask

__all__ = ["AngelOnePublisher", "SamcoLegacy", "SamcoLoginCode", "SamcoOAuth"]


class SamcoOAuth(Credentials):
    """Credentials of Samco's OAuth login: the app's API key, and the redirect URL that is registered for it
    at the broker, exactly as it is registered. The API secret is typed by a person at the broker's page, and
    never seen here.

    - `redirect_url`: ``http://127.0.0.1`` with a port, for `Session.login` on this machine, or the https
      address of your own server, for `Session.begin_login` and `Session.complete_login` (documented).

        person = SamcoOAuth(api_key="...", redirect_url="http://127.0.0.1:8765/callback")
        session = Session(person, store="file")
        session.login()

    A person logs in once; after each daily end (08:00 IST, documented) the session renews itself with its
    refresh token, which lives 7 days (documented; whether it survives 08:00 is not, where it does not callers
    are told that a person is needed). Without a session and a refresh token calls raise
    `LoginRequiredError`, reason ``"consent_needed"``, or ``"refresh_expired"`` when the broker says so first.

    Samco's flow lacks three protections that others have: there is no PKCE, the exchange is not tied to the
    redirect URL, and the app does not prove who it is (all documented). What is left is the state, which is
    compared first and used once, the exact redirect URL, and the static IP.

    Values are checked when a session is made. Raises `InvalidInputError` when a value is no str.
    """

    __slots__ = ()

    def __init__(self, *, api_key: str, redirect_url: str) -> None:
        try:
            self._native = native.Credentials.samco_oauth(api_key, redirect_url)
            self._asked = None
        finally:
            del api_key, redirect_url

    @classmethod
    def from_env(cls) -> SamcoOAuth:
        """Credentials from ``SAMCO_API_KEY`` and ``SAMCO_REDIRECT_URL``.

        Raises `InvalidInputError` with the variable that is missing.
        """
        self = cls.__new__(cls)
        self._native = native.Credentials.from_env("samco_oauth")
        self._asked = None
        return self


class SamcoLoginCode(Credentials):
    """Credentials of a login at Samco with a web login code: the account's id, and a callable without
    arguments, plain or ``async def``, that gives the code. It is called before each login, as the secret of
    `Samco`. Another session of the account gives the code: `Session.web_login_code`. It has eight characters,
    lives two minutes and counts once (documented), so that it cannot be given beforehand.

        other = Session(SamcoLoginCode(account="...", code=lambda: session.web_login_code().expose()))

    Samco made it for its web terminal: a session from it is documented, its use by programs is not.

    Raises `InvalidInputError` when `account` is no str or `code` cannot be called.
    """

    __slots__ = ()

    def __init__(self, *, account: str, code: Ask) -> None:
        try:
            self._native = native.Credentials.samco_login_code(account, code)
            self._asked = _asked(code=code)
        finally:
            del account, code


class AngelOnePublisher(Credentials):
    """Credentials of SmartAPI's publisher login: the API key of an app of that kind, the client code, and the
    redirect URL that is registered for the app, where it is known.

    A person logs in at the broker's page, each day again: there is no refresh token, and the session ends at
    00:00 IST (documented). `Session.events` tells ``"login_needed"`` then. The redirect URL must be https on
    a public host, since the broker refuses localhost and bare addresses (said by its staff): paste the
    address that the browser ended on into `Session.complete_login`, or receive it on your own server.

        session = Session(AngelOnePublisher(api_key="...", client_code="A123"))
        print(session.begin_login().url)
        session.complete_login(input("address: "))

    - `redirect_url`: sent to the page, as the documents of 2026 want.
    - `trust_missing_state`: accept an address without a state while exactly one login is under way. One
      integrator saw the broker drop it (observed). Without a state nothing proves that the login was begun
      here: leave it off unless yours is dropped.

    - `local_ip`, `public_ip`, `mac_address`, `user_type`, `source_id`: what the five ``X-`` headers say, as
      for `AngelOne`.

    Whether this login still works for apps that have static IPs is disputed: a user of the broker's forum
    says it does not, the documents show it.

    Values are checked when a session is made. Raises `InvalidInputError` when a value has a wrong type.
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        api_key: str,
        client_code: str,
        redirect_url: Optional[str] = None,
        trust_missing_state: bool = False,
        local_ip: Optional[str] = None,
        public_ip: Optional[str] = None,
        mac_address: Optional[str] = None,
        user_type: Optional[str] = None,
        source_id: Optional[str] = None,
    ) -> None:
        told = {
            "local_ip": local_ip,
            "public_ip": public_ip,
            "mac_address": mac_address,
            "user_type": user_type,
            "source_id": source_id,
        }
        try:
            self._native = native.Credentials.angel_one_publisher(
                api_key, client_code, redirect_url, trust_missing_state, told
            )
            self._asked = None
        finally:
            del api_key, client_code, redirect_url

    @classmethod
    def from_env(cls) -> AngelOnePublisher:
        """Credentials from ``ANGELONE_API_KEY``, ``ANGELONE_CLIENT_CODE`` and, if it is set,
        ``ANGELONE_REDIRECT_URL``.

        Raises `InvalidInputError` with the variable that is missing.
        """
        self = cls.__new__(cls)
        self._native = native.Credentials.from_env("angelone_publisher")
        self._asked = None
        return self


_OLD_LOGIN = "Samco will remove the login of SamcoLegacy: use Samco(api_key=..., api_secret=...) instead"


@deprecated("Samco will remove the login of SamcoLegacy: use Samco(api_key=..., api_secret=...) instead")
class SamcoLegacy(Credentials):
    """Credentials of Samco's deprecated login (``POST /accessToken/token``, then ``POST /login``): user id,
    password, and the secret API key that Samco mailed. Deprecated: use `Samco`, whose key and secret log in
    without the account's password.

    - `password` and `secret_api_key` may be callables, as the secret of `Samco`. Changes of addresses want a
      password that was given.
    - `year_of_birth`: four digits, which the login may want.

        session = Session(SamcoLegacy(user_id="...", password="...", secret_api_key="..."))

    The session ends at 08:00 IST as any other (documented; an older page says 24 hours).

    Values are checked when a session is made. Raises `InvalidInputError` when a value has a wrong type, and
    warns with `DeprecationWarning`.
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        user_id: str,
        password: Union[str, Ask],
        secret_api_key: Union[str, Ask],
        year_of_birth: Optional[str] = None,
    ) -> None:
        try:
            warn(_OLD_LOGIN)
            self._native = native.Credentials.samco_legacy(user_id, password, secret_api_key, year_of_birth)
            self._asked = _asked(password=password, secret_api_key=secret_api_key)
        finally:
            del user_id, password, secret_api_key, year_of_birth

    @classmethod
    def from_env(cls) -> SamcoLegacy:
        """Credentials from ``SAMCO_USER_ID``, ``SAMCO_PASSWORD`` and ``SAMCO_SECRET_API_KEY``.

        Raises `InvalidInputError` with the variable that is missing, and warns with `DeprecationWarning`.
        """
        warn(_OLD_LOGIN)
        self = cls.__new__(cls)
        self._native = native.Credentials.from_env("samco_legacy")
        self._asked = None
        return self
