"""The embedded broker as a context manager."""

import asyncio
import datetime
import json
import os
import sys
import sysconfig
import urllib.request
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from conftest import QUOTE, READ, logins, run_script, until

import preopen
from preopen.sandbox import Sandbox

UTC = datetime.timezone.utc


def test_what_it_tells(sandbox):
    assert sandbox.samco_url.startswith("http://127.0.0.1:")
    assert sandbox.control_url.endswith("/_sandbox")
    assert sandbox.ca_file is None
    assert [account["broker"] for account in sandbox.accounts].count("samco") >= 2
    assert repr(sandbox) == f"Sandbox({sandbox.dashboard_url})"
    assert sandbox.start() is sandbox


def test_sessions_by_hand(sandbox):
    session = preopen.Session(sandbox.samco_credentials(1), base_url=sandbox.samco_url)
    assert session.profile().account_id == sandbox._account("samco", 1)["account"]
    assert (
        preopen.Session(sandbox.angelone_credentials(1), base_url=sandbox.angelone_url).token().generation
        == 1
    )


def test_the_clock_moves_all_its_sessions(sandbox):
    first, second = sandbox.session("samco"), sandbox.session("samco", timeout=5)
    at = datetime.datetime(
        2026, 11, 23, 10, tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    )
    assert sandbox.clock.set_rate(0)
    assert sandbox.clock.set(at) == sandbox.clock.now() == at
    assert first.token().expires_at == datetime.datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
    assert sandbox.clock.advance(seconds=90) == at + datetime.timedelta(seconds=90)
    second.token()
    assert sandbox.clock.advance_to("08:00 IST") == datetime.datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
    assert {first.state().name, second.state().name} == {"expired"}
    with pytest.raises(preopen.InvalidInputError):
        sandbox.clock.set(datetime.datetime(2026, 11, 23))
    with pytest.raises(preopen.InvalidInputError, match="08:00 IST"):
        sandbox.clock.advance_to("eight")


def test_data_survives_a_stop_and_a_kill(tmp_path):
    broker = Sandbox(data=tmp_path / "sandbox.db")
    with broker:
        session = broker.session("samco")
        token = session.token().expose()
        broker.switch(totp_window_steps=4)
    with pytest.raises(preopen.InvalidInputError, match="folder"):
        Sandbox(data=str(tmp_path)).start()
    with broker:
        request = urllib.request.Request(f"{broker.samco_url}/ip/whoami", headers={"x-session-token": token})
        with urllib.request.urlopen(request) as reply:
            assert json.load(reply)["status"] == "Success"
        with pytest.raises(preopen.InvalidInputError, match="another sandbox is using it"):
            Sandbox(data=tmp_path / "sandbox.db").start()
        broker.clock.set_rate(0)
        shown = broker.clock.advance(seconds=3600)
        broker._child.kill()
        broker._child.wait()
    with broker:
        assert broker.clock.now() == shown
        assert broker.switches()["totp_window_steps"]["value"] == 4


def test_consent_and_inbox(sandbox):
    key = sandbox._account("samco", 0)["api_key"]
    back = sandbox._account("samco", 0)["redirect_url"]
    query = urlencode({"api_key": key, "redirect_url": back, "state": "a&b"})
    url = f"{sandbox.samco_url}/app/oauth/authorize?{query}"
    landed = sandbox.consent(url)
    assert landed.startswith(back + "?code=")
    assert parse_qs(urlsplit(landed).query)["state"] == ["a&b"]
    assert "error=access_denied" in sandbox.consent(url, approve=False)
    with pytest.raises(preopen.InvalidInputError, match="EOAUTH008"):
        sandbox.consent(url, account=sandbox._account("samco", 1)["account"])
    with pytest.raises(preopen.InvalidInputError, match="url is not on this sandbox"):
        sandbox.consent("https://broker.example/app/oauth/authorize")

    changed = sandbox.change_account(
        sandbox._account("samco", 0)["account"], redirect_url="http://127.0.0.1:8123/"
    )
    assert changed["redirect_url"] == "http://127.0.0.1:8123/"
    with pytest.raises(preopen.InvalidInputError, match="EOAUTH002"):
        sandbox.consent(url)

    assert sandbox.inbox() == []
    account = sandbox._account("samco", 0)["account"]
    request = urllib.request.Request(
        sandbox.samco_url + "/otp/generateOtp", json.dumps({"uid": account}).encode(), method="POST"
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request):
        pass
    messages = sandbox.inbox()
    assert [(m["channel"], m["kind"], m["account"]) for m in messages] == [
        ("sms", "otp", account),
        ("email", "otp", account),
    ]
    assert messages[0]["value"] in messages[0]["text"]


def test_faults_requests_switches_and_addresses(sandbox):
    session = sandbox.session("samco")
    sandbox.fault("samco", READ["samco"], status=500, body="busy")
    with pytest.raises(preopen.BrokerUnavailableError):
        session.get(READ["samco"], params=QUOTE)
    sandbox.fault("samco", READ["samco"], status=503, times=5)
    sandbox.clear_faults()
    assert session.get(READ["samco"], params=QUOTE).http_status == 200
    seen = sandbox.requests("samco", READ["samco"])
    assert (seen.count, [one["status"] for one in seen.requests]) == (2, [500, 200])
    assert repr(seen) == "Requests(count=2)"
    assert sandbox.requests().count == 3
    sandbox.clear_requests()
    assert sandbox.requests().count == 0
    sandbox.set_source_ip("198.51.100.7")
    assert session.whoami().verdict == "mismatch"
    sandbox.set_source_ip("home")
    assert session.whoami().verdict == "match"
    sandbox.set_source_ip(None)
    assert session.whoami().source_ip == "127.0.0.1"
    sandbox.switch(totp_reuse_refused=True)
    assert "totp_reuse_refused" in str(sandbox.switches())
    for refused in (
        lambda: sandbox.switch(no_such=True),
        lambda: sandbox.fault("samco", "/x"),
        lambda: sandbox.session("x"),
    ):
        with pytest.raises(preopen.InvalidInputError):
            refused()
    with pytest.raises(TypeError, match="unknown option: colour"):
        sandbox.session("samco", colour=1)


def test_tls():
    with Sandbox(tls=True) as sandbox:
        assert sandbox.samco_url.startswith("https://")
        assert sandbox.session("samco").get(READ["samco"], params=QUOTE).http_status == 200
        assert logins(sandbox) == 1
        stranger = preopen.Session(sandbox.samco_credentials(), base_url=sandbox.samco_url)
        with pytest.raises(preopen.NetworkError) as caught:
            stranger.token()
        assert caught.value.phase == "connect"


def test_it_ends_when_it_is_told(sandbox):
    child = sandbox._child
    session = sandbox.session("samco")
    sandbox.stop()
    sandbox.stop()
    assert child.poll() is not None
    assert repr(sandbox) == "Sandbox(stopped)"
    with pytest.raises(preopen.InvalidInputError, match="not running"):
        sandbox.clock.now()
    with pytest.raises(preopen.NetworkError):
        session.token()
    sandbox.start()
    assert sandbox.session("samco").token().generation == 1


def test_one_that_died_says_so(sandbox):
    sandbox._child.kill()
    sandbox._child.wait()
    calls = (
        sandbox.clock.now,
        sandbox.requests,
        sandbox.clear_faults,
        sandbox.samco_credentials,
        lambda: sandbox.session("samco"),
    )
    for call in calls:
        with pytest.raises(preopen.InvalidInputError, match="the sandbox is not running") as caught:
            call()
        assert caught.value.field == "sandbox"
    assert repr(sandbox) == "Sandbox(stopped)"
    sandbox.start()
    assert sandbox.session("samco").token().generation == 1


def test_one_that_dies_during_a_call_says_so(sandbox, monkeypatch):
    # Dead, and not noticed yet.
    sandbox._child.kill()
    sandbox._child.wait()
    monkeypatch.setattr(sandbox._child, "poll", lambda: None)
    with pytest.raises(preopen.InvalidInputError, match="the sandbox is not running: ") as caught:
        sandbox.clock.now()
    assert caught.value.field == "sandbox"
    assert caught.value.__context__ is None


@pytest.mark.parametrize("index", [-1, 99, "0"])
def test_accounts_that_do_not_exist(sandbox, index):
    with pytest.raises(preopen.InvalidInputError) as caught:
        sandbox.samco_credentials(index)
    assert caught.value.field == "index"


def test_it_ends_with_its_parent():
    text = """
import os
from preopen.sandbox import Sandbox
sandbox = Sandbox().start()
print(sandbox._child.pid, flush=True)
os._exit(0)
"""
    code, out, _ = run_script(text)
    assert code == 0

    def gone():
        try:
            with open(f"/proc/{int(out)}/stat") as status:
                return status.read().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    if os.path.isdir("/proc/self"):
        until(gone)


@pytest.mark.parametrize("command", ["/nowhere/preopen", sys.executable])
def test_a_command_that_is_not_ours(monkeypatch, command):
    monkeypatch.setenv("PREOPEN_BIN", command)
    with pytest.raises(preopen.InvalidInputError) as caught, Sandbox():
        pass
    assert caught.value.field == "sandbox"
    assert command in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "field", "told"),
    [
        (
            {"script": "bad-dya"},
            "script",
            "the script cannot be played: bad-dya cannot be read (No such file or",
        ),
        (
            {"data": "nowhere/state.db"},
            "data",
            "nowhere/state.db: its folder does not exist: create that first",
        ),
    ],
)
def test_an_argument_that_cannot_be_used_is_told_in_a_sentence(arguments, field, told):
    with pytest.raises(preopen.InvalidInputError) as caught:
        Sandbox(**arguments).start()
    assert caught.value.field == field
    assert told in str(caught.value)
    assert "{" not in str(caught.value) and "os error" not in str(caught.value)


def test_without_a_command_it_tells_what_to_install(monkeypatch):
    monkeypatch.delenv("PREOPEN_BIN")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(preopen.InvalidInputError, match=r"cargo install --path crates/cli"):
        Sandbox().start()


def test_the_command_of_this_environment_is_found_when_it_is_not_on_the_path(monkeypatch, tmp_path):
    name = "preopen" + (sysconfig.get_config_var("EXE") or "")
    os.symlink(os.environ["PREOPEN_BIN"], tmp_path / name)
    monkeypatch.delenv("PREOPEN_BIN")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sysconfig, "get_path", lambda *_: str(tmp_path))
    with Sandbox() as broker:
        assert broker.requests().count == 0


def test_a_proxy_in_the_environment_is_not_asked(sandbox, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert sandbox.requests().count == 0


def test_asyncio_sessions(sandbox):
    async def main():
        async with sandbox.async_session("angelone") as session:
            return (
                await session.profile(),
                await session.whoami(),
                await session.headers(),
                await session.logout(),
            )

    profile, who, headers, logout = asyncio.run(main())
    assert (profile.order_types, who.verdict, logout.acknowledged) == ([], "unsupported", True)
    assert headers["Authorization"].startswith("Bearer ")
