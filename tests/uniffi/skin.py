"""The module that UniFFI generates, in the shape that the shared drivers know: only names and forms are
adapted here.

What is proven is the generated code: every call below goes through it.
"""

import contextlib
import json as json_module
import re
import types
import warnings

import preopen_uniffi as native

generate_key = native.generate_key


class PreopenError(Exception):
    """An error of the skin with the fields of its record as attributes."""

    def __init__(self, info):
        super().__init__(info.text)
        self.info = info

    def __getattr__(self, name):
        return getattr(self.info, name)


def code_of(case):
    """The code of a case: ``InvalidInput`` is ``invalid_input``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", case).lower()


CASES = [name for name, case in vars(native.PreopenError).items() if isinstance(case, type)]
errors = types.SimpleNamespace(BY_CODE={code_of(case): type(case, (PreopenError,), {}) for case in CASES})


@contextlib.contextmanager
def translated():
    try:
        yield
    except native.PreopenError as error:
        raise errors.BY_CODE[code_of(type(error).__name__)](error.info) from error


class View:
    """An object whose methods without arguments read as attributes."""

    METHODS = ("expires_at", "generation", "url")

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        value = getattr(self.inner, name)
        return value() if name in self.METHODS else value


class Reply(View):
    @property
    def data(self):
        return json_module.loads(self.inner.data)


def shaped(value):
    if isinstance(value, (native.Token, native.LoginStart, native.LoginCode)):
        return View(value)
    if isinstance(value, native.Reply):
        return Reply(value)
    if isinstance(value, native.Headers):
        return {one.name: one.value for one in value.expose()}
    return value


class Callback(native.SecretCallback):
    """A callable of the driver's. What it raises is handed over as it is: the skin must not repeat it."""

    def __init__(self, answer):
        self.answer = answer

    def ask(self, field):
        return self.answer()


def source(value):
    given, asked = native.SecretSource.given, native.SecretSource.asked
    return asked(Callback(value)) if callable(value) else given(value)


def samco(api_key, api_secret):
    return native.Credentials.samco(api_key, source(api_secret))


def angel_one(api_key, client_code, pin, totp_secret=None, totp=None):
    if totp is None:
        return native.Credentials.angel_one(api_key, client_code, source(pin), source(totp_secret))
    return native.Credentials.angel_one_typed(api_key, client_code, source(pin), Callback(totp))


samco_oauth = native.Credentials.samco_oauth


def samco_legacy_login(user_id, password, secret_api_key):
    warnings.warn("Samco will remove this login", DeprecationWarning, stacklevel=2)
    return native.Credentials.samco_legacy(user_id, source(password), source(secret_api_key))


def samco_login_code(account, code):
    return native.Credentials.samco_login_code(account, Callback(code))


def angel_one_publisher(api_key, client_code, redirect_url, trust_missing_state):
    return native.Credentials.angel_one_publisher(api_key, client_code, redirect_url, trust_missing_state)


def call_options(params=None, json=None, replay_safe=None):
    pairs = [native.NameValue(name=name, value=str(value)) for name, value in (params or {}).items()]
    text = None if json is None else json_module.dumps(json)
    return native.CallOptions(params=pairs, json=text, replay_safe=replay_safe)


class Shared:
    """What both kinds of session do without waiting."""

    def __init__(self, session):
        self.session = session

    def __getattr__(self, name):
        # What the drivers call without an answer that needs a form: state, invalidate, reset, close, broker.
        if name == "broker":
            return self.session.broker()

        def call(*arguments):
            with translated():
                return getattr(self.session, name)(*arguments)

        return call

    def prime(self, record, key=None):
        with translated():
            self.session.prime(record, key)

    def request(self, method, path, **options):
        if method in ("get", "post"):
            return self.make(method, path, call_options(**options))
        return self.make("request", method.upper(), path, call_options(**options))


class Blocking(Shared):
    def make(self, name, *arguments, **options):
        with translated():
            return shaped(getattr(self.session.blocking(), name)(*arguments, **options))

    def events(self):
        return each(self.session.events())

    def samco_legacy(self):
        with translated():
            return Legacy(self.session.samco_legacy(), "_blocking")


def each(stream):
    while True:
        event = stream.next_blocking()
        if event is None:
            return
        yield event


class Awaited(Shared):
    async def make(self, name, *arguments, **options):
        with translated():
            return shaped(await getattr(self.session, name)(*arguments, **options))

    async def close(self):
        self.session.close()

    def events(self):
        return Stream(self.session.events())

    def samco_legacy(self):
        with translated():
            return Legacy(self.session.samco_legacy(), "")


class Stream:
    def __init__(self, events):
        self.events = events

    async def __anext__(self):
        return await self.events.next()


class Legacy:
    def __init__(self, calls, suffix):
        self.calls, self.suffix = calls, suffix

    def __getattr__(self, name):
        call = getattr(self.calls, name + self.suffix)

        def blocking(primary=None, secondary=None, otp=None):
            warnings.warn("Samco will remove this call", DeprecationWarning, stacklevel=2)
            arguments = {"register_ips": (primary, secondary), "update_ips": (primary, secondary)}
            with translated():
                return call(*arguments.get(name, () if otp is None else (otp,)))

        async def awaited(*arguments, **named):
            with translated():
                return shaped(await blocking(*arguments, **named))

        return awaited if not self.suffix else lambda *some, **named: shaped(blocking(*some, **named))


def method(name):
    return lambda self, *arguments, **options: self.make(name, *arguments, **options)


def verb(name):
    return lambda self, path, **options: self.request(name, path, **options)


WAITING = """
    token headers stream_headers feed_token whoami profile preflight begin_login complete_login web_login_code
    export export_exposed logout
"""
for name in WAITING.split():
    setattr(Shared, name, method(name))
for name in ("get", "post", "put", "delete"):
    setattr(Shared, name, verb(name))


#: How each kind of credentials is made, by the name that scenarios give it.
LOGINS = {
    "samco": samco,
    "angelone": angel_one,
    "samco_oauth": samco_oauth,
    "samco_legacy": samco_legacy_login,
    "samco_login_code": samco_login_code,
    "angelone_publisher": angel_one_publisher,
}


def opened(credentials, clock, base_url, ca_file, rate_limits=None, **options):
    limits = None if rate_limits is None else json_module.dumps(rate_limits)
    settings = native.SessionOptions(
        base_url=base_url, ca_file=ca_file, rate_limits=limits, clock=clock, **options
    )
    with translated():
        return native.Session(credentials, settings)
