"""The examples of logins at the broker's page and of the deprecated login, against the embedded broker."""

import importlib.util
import urllib.request
from urllib.parse import urlsplit

import pytest
from conftest import ROOT
from fastapi.testclient import TestClient
from test_consent import App, is_free, legacy

import preopen


def example(name):
    path = ROOT / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pods(sandbox, tmp_path):
    """Two web servers on one store."""
    account = next(one for one in sandbox.accounts if one["broker"] == "samco")
    app = preopen.SamcoOAuth(api_key=account["api_key"], redirect_url=account["redirect_url"])
    options = {"credentials": app, "store": f"file:{tmp_path}", "store_key": preopen.generate_key()}
    create = example("oauth_fastapi").create_app
    sessions = [sandbox.async_session("samco", **options) for _ in range(2)]
    clients = [TestClient(create(session), follow_redirects=False) for session in sessions]
    with clients[0], clients[1]:
        yield clients


def callback(address):
    """The address that the browser is sent to, as a request to whichever pod is behind it."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


def test_any_pod_receives_the_callback(sandbox, pods):
    one, other = pods
    for pod in pods:
        assert pod.get("/").json() == {"session": "nobody is logged in"}
    login = one.get("/login")
    assert login.status_code == 303
    back = callback(sandbox.consent(login.headers["location"]))
    done = other.get(back)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    for reply in (login, done):
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["referrer-policy"] == "no-referrer"
    # Whichever pod is asked: the one that began the login has not heard of its end.
    for pod in pods:
        assert pod.get("/").json()["session"] == "active"
    again = one.get(back)
    assert again.status_code == 400
    assert "state" in again.text
    code = back.split("code=")[1].split("&")[0]
    assert code not in again.text
    assert sandbox.requests("samco", "/oauth/token").count == 1


def test_a_callback_of_nobody_and_a_cancelled_one_change_nothing(sandbox, pods):
    one, other = pods
    stranger = one.get("/callback?code=made-up&state=made-up")
    assert stranger.status_code == 400
    page = one.get("/login").headers["location"]
    cancelled = other.get(callback(sandbox.consent(page, approve=False)))
    assert cancelled.status_code == 400
    assert "cancelled" in cancelled.text
    sandbox.fault("samco", "/oauth/token", status=503, body="down")
    page = one.get("/login").headers["location"]
    down = other.get(callback(sandbox.consent(page)))
    assert down.status_code == 503
    assert one.get("/").json() == {"session": "nobody is logged in"}


def test_the_login_on_this_machine(sandbox, monkeypatch):
    app, module = App(sandbox), example("oauth_loopback")

    def visits(line, url):
        assert line == "log in at"
        with urllib.request.urlopen(sandbox.consent(url), timeout=10) as page:
            assert page.status == 200

    # What the example prints is what a person would open.
    said = []
    monkeypatch.setattr(
        module, "print", lambda *words: visits(*words) if len(words) == 2 else said.append(words), False
    )
    token = module.ensure(app.session, lambda session: module.with_browser(session, open_browser=False))
    assert token.generation == 1
    assert said == [("a person is needed (consent_needed)",)]
    assert is_free(app.port)
    assert module.ensure(app.session, pytest.fail).generation == 1


def test_the_login_elsewhere(sandbox, capsys):
    app, module = App(sandbox), example("oauth_loopback")

    def ask(prompt):
        assert "ended on" in prompt
        return sandbox.consent(capsys.readouterr().out.split()[-1]) + "\n"

    assert module.ensure(app.session, lambda session: module.with_paste(session, ask)).generation == 1


@pytest.mark.filterwarnings("ignore:Samco will remove:DeprecationWarning")
def test_the_deprecated_login(sandbox, capsys):
    module = example("samco_legacy")
    account = next(one for one in sandbox.accounts if one["broker"] == "samco")
    names = {"user_id": "account", "password": "password", "secret_api_key": "secret_api_key"}
    credentials = legacy(**{name: account[value] for name, value in names.items()})
    session = sandbox.session("samco", credentials=credentials)
    assert module.log_in(session).generation == 1
    module.mail_key(session, lambda prompt: sandbox.inbox()[-1]["value"])
    assert [message["kind"] for message in sandbox.inbox()] == ["otp", "otp", "secret_api_key"]
    module.change_ips(session, "8.8.8.8", "8.8.4.4")
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert sandbox.requests("samco", "/ip/ipUpdate").count == 1
