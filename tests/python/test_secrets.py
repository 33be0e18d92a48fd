"""X1: a secret shows in no rendering of any public object or error."""

import asyncio
import copy
import functools
import gc
import json
import logging
import pathlib
import pickle
import sys
import threading
import traceback
import weakref

import pytest
from conftest import LOGIN, READ, logins, run_script, until
from renderings import assert_holds_no_secret, assert_no_secret, renderings

import preopen
from preopen import _native

KEY = "CANARY-key-of-the-app"
SECRET = "CANARY-secret-of-the-app-that-must-not-show"
PIN = "90817263544455667788"
TOTP = "CANARYCANARYCANARYCANARYCANARYCA"
SECRETS = [KEY, SECRET, PIN, TOTP]
SAMCO = preopen.Samco(api_key=KEY, api_secret=SECRET)
ANGEL_ONE = preopen.AngelOne(api_key=KEY, client_code="A1", pin=PIN, totp_secret=TOTP)
ECHO = f"you sent {KEY} {SECRET}"


PACKAGE = str(pathlib.Path(preopen.__file__).parent)


def assert_frames_hide(error, secrets):
    """No frame of the package that `error` came through shows a secret with its local variables."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = []
    while told is not None:
        frames += [frame for frame in told.stack if frame.filename.startswith(PACKAGE)]
        told = told.__cause__ or told.__context__
    for frame in frames:
        for name, text in (frame.locals or {}).items():
            for secret in secrets:
                assert secret not in text, f"{frame.name} shows a secret in its variable {name}"
    return [frame.name for frame in frames]


def secrets_of(sandbox, session):
    """All secrets that a session on the embedded broker holds."""
    account = next(one for one in sandbox.accounts if one["broker"] == session.broker)
    secrets = [
        account[name] for name in ("api_key", "api_secret", "totp_secret", "password") if name in account
    ]
    token = session._native.try_token()
    return [*secrets, token.expose()] if token else secrets


def test_the_canary_is_found_where_it_shows():
    with pytest.raises(AssertionError, match="Carrier shows a secret"):

        class Carrier:
            value = SECRET

        assert_no_secret(Carrier(), SECRETS)


@pytest.mark.parametrize("credentials", [SAMCO, ANGEL_ONE], ids=repr)
def test_credentials(credentials):
    assert_no_secret(credentials, SECRETS)
    assert_no_secret(credentials._native, SECRETS)
    for refused in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            refused(credentials)
    with pytest.raises(AttributeError):
        credentials.api_key  # noqa: B018
    with pytest.raises(TypeError):
        type(credentials)(KEY, SECRET)


@pytest.mark.parametrize("broker", ["samco", "angelone"])
def test_sessions_tokens_and_replies(sandbox, broker):
    session = sandbox.session(broker)
    token = session.token()
    secrets = secrets_of(sandbox, session)
    assert token.expose() in secrets
    things = [
        token,
        session,
        session._native,
        session.state(),
        session.whoami(),
        session.profile(),
        sandbox.clock,
    ]
    things += [
        sandbox.async_session(broker),
        session.get(READ[broker], params={"symbolName": "A", "exchange": "NSE"}),
    ]
    things += [session._native.token(), sandbox.requests(), session.logout()]
    for thing in things:
        assert_no_secret(thing, secrets)
    for thing in (token, session, sandbox.async_session(broker)):
        for refused in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
            with pytest.raises(TypeError):
                refused(thing)


def test_what_may_be_shown_of_a_token(sandbox):
    token = sandbox.session("samco").token()
    assert repr(token) == str(token) == f"{token}" == f"{token:>5}"
    assert repr(token).startswith("Token(**redacted**, generation 1, until ")
    assert not hasattr(token, "__dict__")
    with pytest.raises(AttributeError):
        token.value = 1
    with pytest.raises(TypeError):
        preopen.Token()


def bad_inputs():
    broken = SECRET + "\ud800"
    options = {"api_key": KEY, "api_secret": SECRET}
    for name in options:
        for value in (SECRET.encode(), [SECRET], broken, None):
            yield lambda name=name, value=value: preopen.Samco(**{**options, name: value})
        for value in ("", "  ", f"<{SECRET}>"):
            yield lambda name=name, value=value: preopen.Session(preopen.Samco(**{**options, name: value}))
    for name in ("pin", "totp_secret"):
        fields = {"api_key": KEY, "client_code": "A1", "pin": PIN, "totp_secret": TOTP, name: SECRET + "!"}
        yield lambda fields=fields: preopen.Session(preopen.AngelOne(**fields))
    yield lambda: preopen.Session(SECRET)
    yield lambda: preopen.Session({"api_key": KEY})
    yield lambda: preopen.Session(SAMCO, base_url=f"https://user:{SECRET}@tradeapi.samco.in")
    yield lambda: preopen.Session(SAMCO, base_url=f"https://api.samco.in/?key={SECRET}")
    yield lambda: preopen.Session(SAMCO, proxy=f"socks9://user:{SECRET}@127.0.0.1")
    session = preopen.Session(SAMCO, base_url="http://127.0.0.1:9")
    yield lambda: session.get("/x", headers={"authorization": SECRET})
    yield lambda: session.get("/x", headers={"x-a": broken})
    yield lambda: session.get("/x", params={"a": [SECRET]})
    yield lambda: session.get("/x", params={"a": broken})
    yield lambda: session.post("/x", json={"a": {SECRET}})
    yield lambda: session.get(broken)
    for name in ("api_key", "client_code", "pin", "totp_secret"):
        fields = {"api_key": KEY, "client_code": "A1", "pin": PIN, "totp_secret": TOTP, name: 1234}
        yield lambda fields=fields: preopen.AngelOne(**fields)


@pytest.mark.parametrize("attempt", bad_inputs())
def test_refused_input_is_not_repeated(attempt):
    with pytest.raises(preopen.InvalidInputError) as caught:
        attempt()
    assert assert_frames_hide(caught.value, SECRETS)
    # The frames of this test hold the canaries by nature; only texts count.
    assert_no_secret(caught.value.with_traceback(None), SECRETS)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("verb", ["get", "post", "put", "delete"])
@pytest.mark.parametrize("kind", [preopen.Session, preopen.AsyncSession])
def test_frames_of_a_call_that_fails_show_nothing(kind, verb):
    session = kind(SAMCO, base_url="http://127.0.0.1:9")
    given = {"params": {"key": KEY}, "json": {"pin": PIN}, "headers": {"x-secret": SECRET}}
    for extra in ({}, {"replay_safe": "yes"}):
        with pytest.raises(preopen.PreopenError) as caught:
            result = getattr(session, verb)("/x", **{**given, **extra})
            if kind is preopen.AsyncSession:
                asyncio.run(result)
        assert verb in assert_frames_hide(caught.value, SECRETS)


@pytest.mark.parametrize("make", ["session", "async_session"])
def test_frames_of_the_sandbox_show_nothing(sandbox, make):
    for wrong in (
        {"credentials": SECRET},
        {"credentials": SAMCO, "proxy": f"socks9://user:{SECRET}@127.0.0.1"},
        {"headers": SECRET},
    ):
        with pytest.raises((preopen.InvalidInputError, TypeError)) as caught:
            getattr(sandbox, make)("samco", **wrong)
        assert make in assert_frames_hide(caught.value, SECRETS)
    with pytest.raises(preopen.InvalidInputError) as caught:
        sandbox.switch(no_such=True)
    secrets = [value for account in sandbox.accounts for value in account.values() if len(value) > 8]
    assert "_control" in assert_frames_hide(caught.value, [sandbox.control_token, *secrets])


REFUSED = "Unauthorized - Invalid token. sessId missing."


def on_login(status, message=ECHO, code=None, **spec):
    body = {"status": "Failure", "statusMessage": message, "errorCode": code}
    return lambda sandbox, session: sandbox.fault("samco", LOGIN["samco"], status=status, body=body, **spec)


def on_call(path="/quote/getQuote", **spec):
    def prepare(sandbox, session):
        session.token()
        sandbox.fault("samco", path, times=5, **spec)

    return prepare


def unregistered(sandbox, session):
    sandbox.set_source_ip("198.51.100.7")


def token(session):
    session.token()


def quote(session):
    session.get("/quote/getQuote", params={"symbolName": "INFY", "exchange": "NSE"})


def order(session):
    session.post("/order/placeOrder", json={"symbolName": "INFY"})


def signed_out(session):
    """Somebody logs out while a caller waits for the login."""
    failures = []

    def wait():
        try:
            session.token()
        except preopen.PreopenError as error:
            failures.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    until(lambda: session.state().name == "opening")
    session.logout()
    thread.join()
    raise failures[0]


# How to reach each kind of error. The broker's texts repeat the secrets that it was sent.
REACHED = [
    ("invalid_input", lambda sandbox, session: None, lambda session: session.get(KEY)),
    ("credentials_rejected", on_login(401, code="EOAUTH008"), token),
    ("account_action_required", on_login(403, "User account is blocked"), token),
    ("login_required", on_login(200, delay_ms=1500), signed_out),
    (
        "session_expired",
        on_call("/order/placeOrder", status=401, body={"status": "Failure", "statusMessage": REFUSED}),
        order,
    ),
    ("static_ip_mismatch", unregistered, order),
    ("rate_limited", on_login(429), token),
    ("timeout", lambda sandbox, session: sandbox.fault("samco", LOGIN["samco"], stall="before"), token),
    (
        "network",
        lambda sandbox, session: sandbox.fault("samco", LOGIN["samco"], reset="before", times=3),
        token,
    ),
    ("broker_unavailable", on_login(503), token),
    ("outcome_unknown", on_call("/order/placeOrder", reset="after"), order),
    (
        "broker_rejected",
        on_call(
            status=400, body={"status": "Failure", "statusMessage": ECHO, "validationErrors": [ECHO, ECHO]}
        ),
        quote,
    ),
    ("malformed_response", on_call(status=200, body='{"status": "Success", "echo": "' + ECHO), quote),
]


def test_every_kind_that_can_be_reached_is():
    unreached = {"store_unavailable", "cancelled", "internal"}
    assert {code for code, _, _ in REACHED} == set(_native.error_catalogue()) - unreached


@pytest.mark.parametrize(("code", "prepare", "act"), REACHED, ids=[code for code, _, _ in REACHED])
def test_errors(sandbox, code, prepare, act):
    # The account's own credentials are the canaries: it must be able to log in.
    account = sandbox._control("POST", "/accounts", {"broker": "samco", "api_key": KEY, "api_secret": SECRET})
    credentials = preopen.Samco(api_key=account["api_key"], api_secret=account["api_secret"])
    session = sandbox.session("samco", credentials=credentials, timeout=2)
    prepare(sandbox, session)
    with pytest.raises(preopen.PreopenError) as caught:
        act(session)
    error = caught.value
    assert error.code == code
    assert_frames_hide(error, [KEY, SECRET] if code != "invalid_input" else [SECRET])
    live = session._native.try_token()
    secrets = [KEY, SECRET, *([live.expose()] if live else [])]
    if code == "invalid_input":
        # A path is no secret: it is shown so that it can be corrected.
        secrets.remove(KEY)
    assert_no_secret(error, secrets)
    assert_no_secret(pickle.loads(pickle.dumps(error)), secrets)
    assert_no_secret(session, secrets)
    assert_no_secret(session.state(), secrets)


def test_an_asyncio_error_and_its_chain(sandbox):
    on_login(401, code="EOAUTH008")(sandbox, None)
    session = sandbox.async_session("samco", credentials=SAMCO)

    async def main():
        try:
            await session.token()
        except preopen.PreopenError as error:
            raise RuntimeError("the strategy cannot start") from error

    with pytest.raises(RuntimeError) as caught:
        asyncio.run(main())
    assert type(caught.value.__cause__) is preopen.CredentialsRejectedError
    assert_no_secret(caught.value, SECRETS)


def test_nothing_is_written_to_the_standard_streams(sandbox, capfd):
    session = sandbox.session("samco")
    session.token()
    sandbox.fault("samco", LOGIN["samco"], status=500, body=ECHO)
    with pytest.raises(preopen.PreopenError):
        sandbox.session("samco").token()
    sys.stdout.flush()
    assert capfd.readouterr() == ("", "")
    assert logins(sandbox) == 2


def test_a_reply_shows_its_data_only_when_asked(sandbox):
    reply = sandbox.session("samco").get("/limit/getLimits")
    assert isinstance(reply.data, dict)
    assert (
        repr(reply) == f"Reply(http_status=200, message={reply.message!r}, data=<dict of {len(reply.data)}>)"
    )
    assert renderings(reply)["attribute data"] == repr(reply.data)


def test_the_canary_is_found_where_it_is_reachable():
    deep = {"a": [({"b": functools.partial(print, SECRET)},)]}
    with pytest.raises(AssertionError, match="reachable from dict"):
        assert_holds_no_secret(deep, SECRETS)
    for how in ("frames", "members", "warning", "namespace", "json of its text", "help"):
        assert how in renderings(object())


def canaries(sandbox, broker, kind, asynchronous=False):
    """A session of an account that is a canary, and the secrets in it: given, or from callbacks."""
    own = {"samco": {"api_key": KEY, "api_secret": SECRET}, "angelone": {"api_key": KEY, "totp_secret": TOTP}}
    account = sandbox._control("POST", "/accounts", {"broker": broker, **own[broker]})
    ACCOUNTS[broker] = account

    def callback(name):
        def plain():
            return ACCOUNTS[broker][name]

        async def awaited():
            await asyncio.sleep(0)
            return ACCOUNTS[broker][name]

        return awaited if asynchronous else plain

    if broker == "samco":
        secret = SECRET if kind == "given" else callback("api_secret")
        return preopen.Samco(api_key=KEY, api_secret=secret)
    names = {"api_key": KEY, "client_code": account["client_code"]}
    if kind == "given":
        return preopen.AngelOne(**names, pin=account["pin"], totp_secret=TOTP)
    return preopen.AngelOne(**names, pin=callback("pin"), totp_secret=callback("totp_secret"))


#: Callbacks look here, so that they hold no secret themselves.
ACCOUNTS = {}


@pytest.fixture
def everything_logged(caplog):
    """Every logger at its lowest level, asyncio's with its debug mode."""
    caplog.set_level(logging.NOTSET)
    for name in ("asyncio", "concurrent.futures", "preopen"):
        caplog.set_level(logging.NOTSET, logger=name)
    return caplog


@pytest.mark.parametrize("how", ["given", "asked", "asked later"])
@pytest.mark.parametrize("broker", ["samco", "angelone"])
def test_a_whole_day_shows_no_secret(sandbox, broker, how, everything_logged, capfd, recwarn):
    credentials = canaries(sandbox, broker, how.split()[0], "later" in how)
    options = {"credentials": credentials, "proxy": None, "keep_warm": True}
    session, awaited = (make(broker, **options) for make in (sandbox.session, sandbox.async_session))
    key = preopen.generate_key()
    events, later = session.events(), awaited.events()
    token = session.token()
    exposed = session.export_exposed()
    sealed = session.export(key)
    tokens = [text for _, text in json.loads(exposed)["tokens"]]
    assert tokens[0] == token.expose()
    assert len(tokens) == (1 if broker == "samco" else 3)
    secrets = [KEY, SECRET, TOTP, key, *tokens]

    async def on_a_loop():
        awaited.prime(sealed, key)
        await awaited.profile()
        call = awaited.get(READ[broker], params={"symbolName": "A", "exchange": "NSE"})
        task = asyncio.ensure_future(call)
        seen = [repr(call), repr(task), repr(await later.__anext__()), repr(awaited._native.token())]
        seen.append(repr(await task) + repr(task))
        awaited.invalidate(1)
        return [*seen, await awaited.token()]

    *texts, second = asyncio.run(on_a_loop(), debug=True)
    secrets.append(second.expose())
    errors = []
    for wrong in (
        lambda: session.prime(sealed[:-1], key),
        lambda: session.prime(exposed[:-2]),
        lambda: session.export(key + "!"),
        lambda: session.get("/x", headers={"authorization": token.expose()}),
        lambda: session.prime("x" + exposed, key),
    ):
        with pytest.raises(preopen.PreopenError) as caught:
            wrong()
        assert assert_frames_hide(caught.value, secrets)
        errors.append(caught.value.with_traceback(None))
    event = next(events)
    # One of the renderings is the list of what it gives.
    events.close()
    things = [
        *(token, second, credentials, credentials._native, session, session._native, awaited),
        *(awaited._native, events, events._native, later, event, session.state(), session.profile()),
        *(session.whoami(), session._native.token(), session._native.export(key), *errors),
        *(credentials._asked, session._callbacks, awaited._callbacks, sandbox.clock),
    ]
    for thing in things:
        assert_no_secret(thing, secrets)
        assert_holds_no_secret(thing, secrets)
    for text in (sealed, *texts):
        for secret in secrets:
            assert secret not in text
    # What exposes by its name exposes no more than the session.
    for credential in (KEY, SECRET, TOTP):
        assert credential not in exposed
    # A second login ended the first one's session, so there may have been a third.
    secrets.append(session.token().expose())
    assert secrets[-1] in str(session.headers())
    for thing in (session, awaited, session.logout()):
        assert_no_secret(thing, secrets)
        assert_holds_no_secret(thing, secrets)
    sys.stdout.flush()
    sys.stderr.flush()
    written = "".join(capfd.readouterr())
    logged = everything_logged.text + repr([record.__dict__ for record in everything_logged.records])
    warned = repr([str(warning.message) for warning in recwarn])
    assert "Using selector" in logged, "the harness sees what libraries log"
    for secret in secrets:
        for text in (written, logged, warned):
            assert secret not in text
        assert secret not in child_environment()


def child_environment():
    """What a child process of this one is given."""
    code, out, err = run_script("import os, sys; print(dict(os.environ), sys.argv)")
    assert (code, err) == (0, "")
    return out


@pytest.mark.parametrize("asynchronous", [False, True], ids=["plain", "asynchronous"])
@pytest.mark.parametrize("make", ["session", "async_session"])
def test_a_callback_that_fails_with_its_secret_shows_none(
    sandbox, everything_logged, capfd, recwarn, make, asynchronous
):
    def plain():
        pin = ACCOUNTS["pin"]
        raise LookupError(f"no {pin}") from ValueError(pin)

    async def awaited():
        await asyncio.sleep(0)
        plain()

    ACCOUNTS["pin"] = PIN
    callback = awaited if asynchronous else plain
    credentials = preopen.AngelOne(api_key=KEY, client_code="A1", pin=callback, totp_secret=TOTP)
    session = getattr(sandbox, make)("angelone", credentials=credentials)

    async def on_a_loop():
        await session.token()

    with pytest.raises(preopen.InvalidInputError) as caught:
        asyncio.run(on_a_loop(), debug=True) if make == "async_session" else session.token()
    assert "raised LookupError" in str(caught.value)
    assert_frames_hide(caught.value, SECRETS)
    error = caught.value.with_traceback(None)
    for thing in (error, session, session._callbacks, credentials, credentials._asked):
        assert_no_secret(thing, SECRETS)
        assert_holds_no_secret(thing, SECRETS)
    gc.collect()
    written = "".join(capfd.readouterr()) + everything_logged.text
    for secret in SECRETS:
        assert secret not in written
        assert secret not in repr([str(warning.message) for warning in recwarn])


@pytest.mark.parametrize("answer", ["an answer", "a wrong answer"])
def test_what_a_callback_answered_is_not_kept(sandbox, answer):
    account = next(one for one in sandbox.accounts if one["broker"] == "samco")

    class Told(str):
        """A str that can be watched."""

    watched = []

    def callback():
        text = Told(account["api_secret"] if answer == "an answer" else "w" * 40)
        watched.append(weakref.ref(text))
        return text

    session = sandbox.session(
        "samco", credentials=preopen.Samco(api_key=account["api_key"], api_secret=callback)
    )
    if answer == "an answer":
        session.token()
    else:
        with pytest.raises(preopen.CredentialsRejectedError):
            session.token()
    until(lambda: watched[0]() is None)
    assert "w" * 40 not in repr(session.state())


def test_callbacks_are_not_copied():
    credentials = preopen.Samco(api_key=KEY, api_secret=functools.partial(str, SECRET))
    session = preopen.Session(credentials)
    for thing in (credentials, credentials._asked, session._callbacks, session):
        assert_no_secret(thing, SECRETS)
        for refused in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
            with pytest.raises(TypeError):
                refused(thing)
