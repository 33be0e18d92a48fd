"""Logins at the broker's page, login codes and Samco's deprecated calls: what only Python has of them."""

import asyncio
import contextlib
import copy
import http.client
import json
import os
import pickle
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta, timezone

import pytest
from conftest import MORNING, run_script, until
from renderings import assert_holds_no_secret, assert_no_secret, renderings
from test_secrets import assert_frames_hide

import preopen

KEY = "CANARY-key-of-the-app"
SECRET = "CANARY-secret-that-must-not-show"
HERE = "http://127.0.0.1:8765/callback"
THERE = "https://strategy.example/callback"


def legacy(**given):
    with pytest.warns(DeprecationWarning):
        return preopen.SamcoLegacy(**{"user_id": "AB1", "password": SECRET, "secret_api_key": KEY, **given})


OAUTH = preopen.SamcoOAuth(api_key=KEY, redirect_url=HERE)
PUBLISHER = preopen.AngelOnePublisher(api_key=KEY, client_code="A1", redirect_url=THERE)
CODE = preopen.SamcoLoginCode(account="AB1", code=lambda: SECRET)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def is_free(port):
    """Whether nobody listens there; what is left of a closed connection does not count."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
            one.listen()
        except OSError:
            return False
        return True


class App:
    """An app whose redirect URL is on this machine, and sessions of it."""

    def __init__(self, sandbox):
        self.sandbox, self.port = sandbox, free_port()
        url = f"http://127.0.0.1:{self.port}/callback"
        account = sandbox._control("POST", "/accounts", {"broker": "samco", "redirect_url": url})
        self.api_key, self.redirect_url = account["api_key"], url
        self.credentials = preopen.SamcoOAuth(api_key=self.api_key, redirect_url=url)
        self.session = sandbox.session("samco", credentials=self.credentials)

    def awaited(self):
        return self.sandbox.async_session("samco", credentials=self.credentials)

    def visit(self, start):
        """What the person's browser does: the page, and the address that it is sent to."""
        try:
            with urllib.request.urlopen(self.sandbox.consent(start.url), timeout=10) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()


@pytest.fixture
def app(sandbox):
    return App(sandbox)


@pytest.mark.parametrize("credentials", [OAUTH, PUBLISHER, CODE, legacy()], ids=repr)
def test_credentials_show_nothing_and_are_not_copied(credentials):
    secrets = [KEY, SECRET]
    assert repr(credentials) == f"{type(credentials).__name__}(**redacted**)"
    assert_no_secret(credentials, secrets)
    assert_no_secret(credentials._native, secrets)
    if credentials is not CODE:
        # A callback is the program's own, and holds what it holds.
        assert_holds_no_secret(credentials, secrets)
    assert_no_secret(preopen.Session(credentials), secrets)
    for refused in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            refused(credentials)


def attempts():
    broken = SECRET + "\ud800"
    for kind, fields in (
        (preopen.SamcoOAuth, {"api_key": KEY, "redirect_url": HERE}),
        (preopen.AngelOnePublisher, {"api_key": KEY, "client_code": "A1", "redirect_url": THERE}),
        (legacy, {"user_id": "AB1", "password": SECRET, "secret_api_key": KEY, "year_of_birth": "1990"}),
        (preopen.SamcoLoginCode, {"account": "AB1", "code": lambda: SECRET}),
    ):
        for name in fields:
            for value in (SECRET.encode(), [SECRET], broken):
                yield name, lambda kind=kind, given={**fields, name: value}: kind(**given)
    yield "code", lambda: preopen.SamcoLoginCode(account="AB1", code=SECRET)
    trust = {"api_key": KEY, "client_code": "A1", "trust_missing_state": "yes"}
    yield "trust_missing_state", lambda: preopen.AngelOnePublisher(**trust)
    for url in (f"http://app.example/{SECRET}", "http://localhost:8765/callback", SECRET, ""):
        samco = preopen.SamcoOAuth(api_key=KEY, redirect_url=url)
        yield "redirect_url", lambda samco=samco: preopen.Session(samco)
    local = preopen.AngelOnePublisher(api_key=KEY, client_code="A1", redirect_url=HERE)
    yield "redirect_url", lambda: preopen.Session(local)
    yield "year_of_birth", lambda: preopen.Session(legacy(year_of_birth="90"))
    session = preopen.Session(OAUTH, base_url="http://127.0.0.1:9")
    for address in (None, 4711, broken, "", f"mailto:{SECRET}", f"http://127.0.0.1:8765/other?code={SECRET}"):
        yield "url", lambda address=address: session.complete_login(address)
    for timeout in (0, -1, "10", None, float("nan")):
        yield "timeout", lambda timeout=timeout: session.login(open_browser=False, timeout=timeout)
    yield "open_browser", lambda: session.login(open_browser="no")
    public = preopen.SamcoOAuth(api_key=KEY, redirect_url="https://app.example/callback")
    elsewhere = preopen.Session(public, base_url="http://127.0.0.1:9")
    yield "redirect_url", lambda: elsewhere.login(open_browser=False)
    yield "credentials", session.samco_legacy


@pytest.mark.parametrize(("field", "attempt"), attempts())
def test_refused_input_is_named_and_not_repeated(field, attempt):
    with pytest.raises(preopen.InvalidInputError) as caught:
        attempt()
    assert caught.value.field == field
    assert_frames_hide(caught.value, [KEY, SECRET])
    assert_no_secret(caught.value.with_traceback(None), [KEY, SECRET])


NAMES = {
    preopen.SamcoOAuth: ["SAMCO_API_KEY", "SAMCO_REDIRECT_URL"],
    preopen.SamcoLegacy: ["SAMCO_USER_ID", "SAMCO_PASSWORD", "SAMCO_SECRET_API_KEY"],
    preopen.AngelOnePublisher: ["ANGELONE_API_KEY", "ANGELONE_CLIENT_CODE"],
}


@pytest.mark.filterwarnings("ignore:Samco will remove:DeprecationWarning")
@pytest.mark.parametrize("kind", NAMES)
def test_credentials_come_from_the_environment(kind, monkeypatch):
    values = {"SAMCO_REDIRECT_URL": HERE, "ANGELONE_REDIRECT_URL": THERE}
    for name in [*NAMES[kind], "ANGELONE_REDIRECT_URL"]:
        monkeypatch.setenv(name, values.get(name, "a-value"))
    assert type(preopen.Session(kind.from_env())) is preopen.Session
    # The one that may be missing is read all the same.
    monkeypatch.setenv("ANGELONE_REDIRECT_URL", HERE)
    if kind is preopen.AngelOnePublisher:
        with pytest.raises(preopen.InvalidInputError, match="redirect_url"):
            preopen.Session(kind.from_env())
        monkeypatch.delenv("ANGELONE_REDIRECT_URL")
        preopen.Session(kind.from_env())
    for name in NAMES[kind]:
        with monkeypatch.context() as without:
            without.delenv(name)
            with pytest.raises(preopen.InvalidInputError, match=name):
                kind.from_env()


def test_a_begun_login_shows_its_page_when_asked_alone(app, sandbox):
    sandbox.clock.set_rate(0)
    sandbox.clock.set(MORNING)
    start = app.session.begin_login()
    assert start.url.startswith(f"{sandbox.samco_url}/app/oauth/authorize?api_key=")
    assert start.expires_at == sandbox.clock.now() + timedelta(minutes=15)
    assert start.expires_at.tzinfo is timezone.utc
    assert repr(start) == str(start) == f"{start:>5}" == "LoginStart(until 2026-11-23 10:15:00 IST)"
    state = start.url.split("state=")[1].split("&")[0]
    for how, text in renderings(start).items():
        if how not in ("attribute url", "members"):
            assert state not in text, how
    for refused in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            refused(start)
    with pytest.raises(TypeError):
        preopen.LoginStart()


def test_a_login_code_is_shown_by_expose_alone(sandbox):
    sandbox.clock.set_rate(0)
    now = sandbox.clock.set(MORNING)
    session = sandbox.session("samco")
    code = session.web_login_code()
    assert len(code.expose()) == 8
    assert code.expires_at == now + timedelta(minutes=2)
    assert repr(code) == f"{code}" == "LoginCode(until 2026-11-23 10:02:00 IST)"
    assert_no_secret(code, [code.expose()])
    for refused in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            refused(code)
    with pytest.raises(TypeError):
        preopen.LoginCode()


def test_another_session_on_the_same_store_completes_the_login(sandbox, tmp_path):
    account = next(one for one in sandbox.accounts if one["broker"] == "samco")
    app = preopen.SamcoOAuth(api_key=account["api_key"], redirect_url=account["redirect_url"])
    options = {"credentials": app, "store": f"file:{tmp_path}", "store_key": preopen.generate_key()}
    one, other = (sandbox.session("samco", **options) for _ in range(2))
    start = one.begin_login()
    other.complete_login(sandbox.consent(start.url))
    assert one.token().expose() == other.token().expose()
    assert sandbox.requests("samco", "/oauth/token").count == 1
    state = start.url.split("state=")[1].split("&")[0].encode()
    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert texts
    assert not [text for text in texts if state in text], "what is kept is a digest"


def test_what_the_broker_echoes_of_a_login_is_not_shown(app, sandbox, capfd):
    sandbox.clock.set_rate(0)
    sandbox.clock.set(MORNING)
    session, path = app.session, "/oauth/token"
    address = sandbox.consent(session.begin_login().url)
    code, state = (address.split(f"{name}=")[1].split("&")[0] for name in ("code", "state"))
    key = session.begin_login().url.split("api_key=")[1].split("&")[0]
    secrets = [code, state, key]

    def refuse(echo, eoauth):
        body = {"status": "Failure", "message": f"you sent {echo}", "errorCode": eoauth}
        sandbox.fault("samco", path, status=401, body=body)

    refuse(" ".join(secrets), "EOAUTH013")
    with pytest.raises(preopen.LoginRequiredError) as caught:
        session.complete_login(address)
    assert caught.value.message.endswith("you sent **redacted** **redacted** **redacted**")
    errors = [caught.value]
    with session.events() as events:
        session.complete_login(sandbox.consent(session.begin_login().url))
        tokens = dict(json.loads(session.export_exposed())["tokens"])
        assert set(tokens) == {"access", "refresh"}
        secrets += tokens.values()
        sandbox.clock.advance_to("08:00 IST")
        # A used code and its state are forgotten: the broker cannot echo what it is not sent.
        refuse(" ".join([key, *tokens.values()]), "EOAUTH017")
        with pytest.raises(preopen.LoginRequiredError) as caught:
            session.token()
        errors.append(caught.value)
        seen = [event for _, event in zip(range(3), events)]
    assert [event.name for event in seen] == ["renewed", "expired", "login_needed"]
    for error in errors:
        assert_frames_hide(error, secrets)
        assert_no_secret(error.with_traceback(None), secrets)
    for thing in (session, session._native, session.state(), *seen, sandbox.requests("samco", path)):
        assert_no_secret(thing, secrets)
    assert capfd.readouterr() == ("", "")


def test_x5_login_receives_the_answer_on_this_machine(app):
    seen = []

    def show(start):
        assert threading.current_thread() is threading.main_thread()
        stray = f"http://127.0.0.1:{app.port}"
        # What is not the answer does not end the wait.
        for address, status in (("/callback?code=1&state=made-up", 400), ("/favicon.ico", 404)):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(stray + address, timeout=10)
            assert refused.value.code == status
            refused.value.close()
        # Not for a page of another site whose name leads here, and not for anything but a GET.
        back = app.sandbox.consent(start.url)[len(stray) :]
        for method, host, status in (("GET", f"evil.example:{app.port}", 403), ("POST", None, 405)):
            connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=10)
            connection.request(method, back, headers={"Host": host} if host else {})
            assert connection.getresponse().status == status
            connection.close()
        seen.append(app.visit(start))

    assert app.session.login(open_browser=False, show=show) is None
    ((status, page),) = seen
    assert status == 200
    assert "You are logged in" in page
    assert app.session.token().generation == 1
    assert is_free(app.port)
    assert app.sandbox.requests("samco", "/oauth/token").count == 1
    # It needs a person although there is a session: whoever calls it wants another login.
    app.session.login(open_browser=False, show=app.visit)
    assert app.session.token().generation == 2


def test_x5_slow_huge_and_repeated_requests_do_not_end_the_wait(app):
    slow = []

    def show(start):
        for _ in range(8):
            one = socket.create_connection(("127.0.0.1", app.port), timeout=10)
            one.sendall(b"GET /callback?code=")
            slow.append(one)
        huge = socket.create_connection(("127.0.0.1", app.port), timeout=10)
        with huge, contextlib.suppress(ConnectionError):
            huge.sendall(b"GET /callback?code=" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n")
            assert b" 200 " not in huge.recv(1000)
        # The page is loaded again while the first answer is under way.
        app.sandbox.fault("samco", "/oauth/token", delay_ms=300)
        address = app.sandbox.consent(start.url)
        with ThreadPoolExecutor(2) as pool:
            statuses = list(pool.map(status_of, [address] * 2))
        assert sorted(statuses) == [200, 409]

    try:
        app.session.login(open_browser=False, show=show)
    finally:
        for one in slow:
            one.close()
    assert len(slow) == 8
    assert app.session.token().generation == 1
    assert is_free(app.port)
    assert app.sandbox.requests("samco", "/oauth/token").count == 1


def status_of(address):
    try:
        with urllib.request.urlopen(address, timeout=10) as page:
            return page.status
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


def test_login_for_asyncio_shows_on_the_loop_and_awaits_what_can_be(app):
    session = app.awaited()

    visits = []

    async def show(start):
        loop = asyncio.get_running_loop()
        visits.append(loop.run_in_executor(None, app.visit, start))
        # The login may be over before the page is here: this is cancelled then, and the visit is not.
        await asyncio.shield(visits[0])

    async def main():
        await session.login(open_browser=False, show=show)
        assert (await visits[0])[0] == 200
        assert (await session.token()).generation == 1
        await session.login(open_browser=False, show=app.visit)
        assert (await session.token()).generation == 2
        await session.close()

    asyncio.run(main())
    assert is_free(app.port)


def test_login_without_a_person_is_a_login(sandbox):
    session = sandbox.session("samco")
    session.login(show=lambda start: pytest.fail("nothing is to be shown"))
    assert session.token().generation == 1
    awaited = sandbox.async_session("angelone")
    asyncio.run(awaited.login())
    assert awaited.state().name == "active"


def test_login_ends_with_what_show_raises(app):
    class StopHereError(Exception):
        pass

    def show(start):
        raise StopHereError

    with pytest.raises(StopHereError):
        app.session.login(open_browser=False, show=show)
    assert is_free(app.port)

    async def later(start):
        raise StopHereError

    async def main():
        with pytest.raises(StopHereError):
            await app.awaited().login(open_browser=False, show=later)
        assert is_free(app.port)

    asyncio.run(main())


def test_login_gives_up_when_nobody_comes(app):
    began = time.monotonic()
    with pytest.raises(preopen.TimeoutError, match=r"within 0\.2 s") as caught:
        app.session.login(open_browser=False, timeout=0.2, show=lambda start: None)
    assert caught.value.phase == "login"
    assert 0.2 <= time.monotonic() - began < 5
    assert is_free(app.port)


@pytest.mark.parametrize("nobody", [True, False], ids=["nobody comes", "a person comes"])
def test_a_login_for_asyncio_does_not_outlast_its_outcome(app, nobody):
    session, ended = app.awaited(), []

    async def show(start):
        loop = asyncio.get_running_loop()
        try:
            if not nobody:
                await loop.run_in_executor(None, app.visit, start)
            # A person who is asked to press Enter when done, and does not.
            await loop.create_future()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            ended.append(asyncio.current_task())
            raise

    async def main():
        login = session.login(open_browser=False, timeout=0.5 if nobody else 30, show=show)
        if nobody:
            with pytest.raises(preopen.TimeoutError) as caught:
                await asyncio.wait_for(login, 10)
            assert caught.value.phase == "login"
        else:
            await asyncio.wait_for(login, 10)
            assert (await session.token()).generation == 1
        # It was cancelled and has cleaned up; nothing of it is left.
        assert len(ended) == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert is_free(app.port)


def test_cancelling_a_login_for_asyncio_cancels_what_shows_it(app):
    async def main():
        shows, ended = asyncio.Event(), asyncio.Event()

        async def show(start):
            shows.set()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                ended.set()

        login = asyncio.ensure_future(app.awaited().login(open_browser=False, show=show))
        await asyncio.wait_for(shows.wait(), 10)
        login.cancel()
        with pytest.raises(asyncio.CancelledError):
            await login
        assert ended.is_set()
        assert is_free(app.port)

    asyncio.run(main())


def test_login_says_who_has_the_port(app):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", app.port))
        taken.listen()
        with pytest.raises(preopen.InvalidInputError, match=f"port {app.port}, which is taken") as caught:
            app.session.login(open_browser=False)
        assert caught.value.field == "redirect_url"
        with pytest.raises(preopen.InvalidInputError, match="is taken"):
            asyncio.run(app.awaited().login(open_browser=False, show=print))


def test_a_refusal_of_the_broker_is_told_to_the_browser_and_the_caller(app):
    body = {"status": "Failure", "message": "refused", "errorCode": "EOAUTH013"}
    app.sandbox.fault("samco", "/oauth/token", status=401, body=body)
    pages = []
    with pytest.raises(preopen.LoginRequiredError) as caught:
        app.session.login(open_browser=False, show=lambda start: pages.append(app.visit(start)))
    assert caught.value.reason == "code_expired"
    assert pages[0][0] == 400
    assert "The login failed" in pages[0][1]


@pytest.mark.skipif(os.name == "nt", reason="a process cannot send itself Ctrl-C there")
def test_control_c_frees_the_port_at_once(app):
    waits = threading.Event()

    def press():
        waits.wait(10)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    # Whoever runs the tests in the background may have had Ctrl-C ignored for all that they start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            app.session.login(open_browser=False, timeout=30, show=lambda start: waits.set())
        assert is_free(app.port)
    finally:
        presser.join()
        signal.signal(signal.SIGINT, before)
    app.session.login(open_browser=False, show=app.visit)
    assert app.session.token().generation == 1


def test_a_cancelled_task_frees_the_port_at_once(app):
    session = app.awaited()

    async def main():
        ready = asyncio.Event()
        login = asyncio.ensure_future(session.login(open_browser=False, show=lambda start: ready.set()))
        await asyncio.wait_for(ready.wait(), 10)
        assert not is_free(app.port)
        login.cancel()
        with pytest.raises(asyncio.CancelledError):
            await login
        assert is_free(app.port)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(session.login(open_browser=False), 0.1)
        assert is_free(app.port)
        await session.login(open_browser=False, show=app.visit)

    asyncio.run(main())


CALLS = {
    "generate_otp": (),
    "generate_secret_key": ("123456",),
    "register_ips": ("8.8.8.8", "8.8.4.4"),
    "update_ips": ("8.8.8.8",),
}


def legacy_of(sandbox, kind="session"):
    account = next(one for one in sandbox.accounts if one["broker"] == "samco")
    names = {"user_id": "account", "password": "password", "secret_api_key": "secret_api_key"}
    credentials = legacy(**{name: account[value] for name, value in names.items()})
    return getattr(sandbox, kind)("samco", credentials=credentials).samco_legacy()


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", ["session", "async_session"])
def test_deprecated_calls_name_the_line_that_calls(sandbox, kind, name):
    calls = legacy_of(sandbox, kind)
    with pytest.warns(DeprecationWarning, match="Samco will remove this call: .* dashboard's") as seen:
        result = attempt(calls, name)
    (one,) = seen
    assert (one.filename, one.lineno) == (__file__, attempt.__code__.co_firstlineno + 2)
    if kind == "async_session":
        with contextlib.suppress(preopen.BrokerRejectedError):
            assert asyncio.run(result).http_status == 200


def attempt(calls, name):
    with contextlib.suppress(preopen.BrokerRejectedError):
        return getattr(calls, name)(*CALLS[name])


def test_making_deprecated_credentials_names_the_line_that_makes_them(monkeypatch):
    for name in NAMES[preopen.SamcoLegacy]:
        monkeypatch.setenv(name, "a-value")
    for make in (
        lambda: preopen.SamcoLegacy(user_id="AB1", password="a", secret_api_key="b"),
        lambda: preopen.SamcoLegacy.from_env(),
    ):
        with pytest.warns(DeprecationWarning, match=r"use Samco\(api_key=..., api_secret=...\)") as seen:
            make()
        (one,) = seen
        assert (one.filename, one.lineno) == (__file__, make.__code__.co_firstlineno)


def test_a_warning_that_is_an_error_shows_no_secret():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DeprecationWarning) as caught:
            preopen.SamcoLegacy(user_id="AB1", password=SECRET, secret_api_key=KEY)
    assert "__init__" in assert_frames_hide(caught.value, [SECRET, KEY])


def test_users_see_the_warning_once_by_default():
    code, out, err = run_script(
        "import preopen\n"
        "for _ in range(3): preopen.SamcoLegacy(user_id='AB1', password='a', secret_api_key='b')"
    )
    assert (code, out) == (0, "")
    assert err.count("DeprecationWarning: Samco will remove the login of SamcoLegacy") == 1


def test_deprecated_calls_show_nothing(sandbox):
    calls = legacy_of(sandbox)
    account = next(one for one in sandbox.accounts if one["broker"] == "samco")
    assert_no_secret(calls, [account["password"], account["secret_api_key"]])
    assert repr(calls) == "SamcoLegacyCalls()"
    for refused in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            refused(calls)
    with pytest.warns(DeprecationWarning), pytest.raises(preopen.InvalidInputError) as caught:
        calls.generate_secret_key([SECRET])
    assert caught.value.field == "otp"
    assert_frames_hide(caught.value, [SECRET])
    sandbox.fault("samco", "/ip/ipUpdate", status=400, body=f"you sent {account['password']}")
    with pytest.warns(DeprecationWarning), pytest.raises(preopen.PreopenError) as caught:
        calls.update_ips("8.8.8.8")
    assert_no_secret(caught.value, [account["password"]])


def test_a_login_that_is_abandoned_in_the_background_is_given_up(app):
    login = app.session._native.login(False, 30.0, True)
    start = login.started().wait()
    assert isinstance(start, preopen.LoginStart)
    del login
    until(lambda: app.sandbox.clock.now() and is_free(app.port))
