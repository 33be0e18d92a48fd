"""`preopen.smartapi`: Angel One's own client on a session of Preopen."""

from __future__ import annotations

import concurrent.futures
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any, Iterator

import pytest
from streams import streaming

import preopen
from preopen import smartapi
from preopen.sandbox import Sandbox

SBIN = ("NSE", "SBIN-EQ", "3045")
LTP = "/rest/secure/angelbroking/order/v1/getLtpData"
ORDER = "/rest/secure/angelbroking/order/v1/placeOrder"
LOGIN = "/rest/auth/angelbroking/user/v1/loginByPassword"
ENDED = {
    "status": 200,
    "body": {"success": False, "message": "Invalid Token", "errorCode": "AG8001", "data": ""},
}


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    # The client's constructor makes ./logs.
    monkeypatch.chdir(tmp_path)
    with Sandbox() as sandbox:
        sandbox.clock.set("2026-11-23T10:00:00+05:30")
        yield sandbox


@pytest.fixture
def session(broker: Sandbox) -> preopen.Session:
    return broker.session("angelone")


@pytest.fixture
def smart(session: preopen.Session) -> Any:
    return smartapi.connect(session)


def seen(broker: Sandbox, path: str) -> int:
    return broker.requests("angelone", path).count


def test_it_is_the_client_s_own_class_and_sends_nothing_until_it_is_used(smart: Any, broker: Sandbox) -> None:
    from SmartApi import SmartConnect

    assert isinstance(smart, SmartConnect)
    assert type(smart).__name__ == "SmartConnect"
    assert broker.requests().count == 0
    assert smart.ltpData(*SBIN)["data"]["tradingsymbol"] == "SBIN-EQ"
    assert smart.rmsLimit()["status"] is True
    assert seen(broker, LOGIN) == 1


def test_what_scripts_read_from_it_is_live(smart: Any, session: preopen.Session, broker: Sandbox) -> None:
    first = smart.access_token
    assert first == session.token().expose()
    assert smart.getfeedToken() == smart.feed_token == session.feed_token()
    account = next(one for one in broker.accounts if one["broker"] == "angelone")
    assert (smart.api_key, smart.privateKey) == (account["api_key"], account["api_key"])
    assert smart.requestHeaders()["X-PrivateKey"] == account["api_key"]
    # A script hands its refresh token to this one; it does not end in a URL.
    assert smart.refresh_token is None
    assert smart.getProfile("CANARY-refresh-token")["data"]["clientcode"] == account["client_code"]
    broker.clock.advance_to("00:00 IST")
    assert smart.access_token != first
    assert smart.getProfile(smart.refresh_token)["status"] is True


def test_the_daily_logout_is_not_noticed(smart: Any, broker: Sandbox) -> None:
    assert smart.ltpData(*SBIN)["status"] is True
    broker.clock.advance_to("00:00 IST")
    assert smart.ltpData(*SBIN)["status"] is True
    assert seen(broker, LTP) == 2
    assert seen(broker, LOGIN) == 2


def test_a_read_with_an_ended_token_is_sent_again(
    smart: Any, session: preopen.Session, broker: Sandbox
) -> None:
    session.token()
    broker.fault("angelone", LTP, **ENDED)
    assert smart.ltpData(*SBIN)["status"] is True
    assert seen(broker, LTP) == 2
    assert session.state().generation == 2


def test_a_write_with_an_ended_token_is_not(smart: Any, session: preopen.Session, broker: Sandbox) -> None:
    session.token()
    broker.fault("angelone", ORDER, **ENDED)
    answer = smart.placeOrderFullResponse({"tradingsymbol": "SBIN-EQ", "quantity": "1", "squareoff": None})
    assert answer["errorCode"] == "AG8001"
    assert seen(broker, ORDER) == 1
    # The next call has a new session.
    assert smart.ltpData(*SBIN)["status"] is True
    assert session.state().generation == 2


def test_what_a_refused_order_meant(smart: Any, broker: Sandbox) -> None:
    assert smartapi.error(smart) is None
    broker.set_source_ip("198.51.100.20")
    assert smart.placeOrder({"tradingsymbol": "SBIN-EQ", "quantity": "1"}) is None
    assert isinstance(smartapi.error(smart), preopen.StaticIpMismatchError)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        # Each thread has its own last answer.
        assert pool.submit(smartapi.error, smart).result() is None
    assert smart.ltpData(*SBIN)["status"] is True
    assert smartapi.error(smart) is None


def test_ten_threads_renew_once(smart: Any, session: preopen.Session, broker: Sandbox) -> None:
    session.token()
    broker.fault("angelone", LTP, times=1, **ENDED)
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: smart.ltpData(*SBIN), range(10)))
    # Some of them are over the documented limit of calls; none is without a session.
    assert all("errorCode" not in answer for answer in answers)
    assert session.state().generation == 2


def test_every_call_goes_to_the_session_s_host(smart: Any, broker: Sandbox) -> None:
    # This one forgets `root`, and asks the live broker when left alone.
    smart.individual_order_details("no-such-order")
    assert seen(broker, "/rest/secure/angelbroking/order/v1/details/no-such-order") == 1
    # Routes without a slash at their beginning.
    smart.putCallRatio()
    assert seen(broker, "/rest/secure/angelbroking/marketData/v1/putCallRatio") == 1


def test_a_reply_that_is_no_json_is_the_client_s_exception_with_preopen_s_below(
    smart: Any, broker: Sandbox
) -> None:
    from SmartApi.smartExceptions import DataException

    broker.fault("angelone", LTP, status=403, body="Access denied because of exceeding access rate")
    with pytest.raises(DataException, match="exceeding access rate") as caught:
        smart.ltpData(*SBIN)
    assert type(caught.value.__cause__) is preopen.RateLimitedError
    broker.fault("angelone", LTP, status=200, body="[]")
    with pytest.raises(DataException):
        smart.ltpData(*SBIN)


def test_what_the_session_does_itself_is_refused_before_anything_is_sent(smart: Any, broker: Sandbox) -> None:
    calls = {
        "generateSession": lambda: smart.generateSession("A1", "0000", "CANARY"),
        "generateToken": lambda: smart.generateToken("CANARY"),
        "renewAccessToken": lambda: smart.renewAccessToken(),
        "access_token": lambda: smart.setAccessToken("CANARY"),
        "feed_token": lambda: smart.setFeedToken("CANARY"),
        "refresh_token": lambda: smart.setRefreshToken("CANARY"),
    }
    for field, call in calls.items():
        with pytest.raises(preopen.InvalidInputError) as caught:
            call()
        assert caught.value.field == field
        assert "CANARY" not in str(caught.value)
    assert broker.requests().count == 0


def test_its_logout_is_the_session_s(smart: Any, session: preopen.Session) -> None:
    assert smart.ltpData(*SBIN)["status"] is True
    answer = smart.terminateSession("A1")
    assert answer["status"] is True
    assert answer["message"]
    assert session.state().name == "signed_out"


def test_options_of_the_session_are_refused_and_others_handed_on(
    session: preopen.Session, broker: Sandbox
) -> None:
    for option in ("api_key", "access_token", "root", "disable_ssl"):
        with pytest.raises(preopen.InvalidInputError) as caught:
            smartapi.connect(session, **{option: "CANARY"})
        assert (caught.value.field, "CANARY" in str(caught.value)) == (option, False)
    smart = smartapi.connect(session, timeout=0.2)
    session.token()
    broker.fault("angelone", LTP, stall="before")
    import requests

    with pytest.raises(requests.Timeout):
        smart.ltpData(*SBIN)


def test_other_sessions_are_refused(broker: Sandbox) -> None:
    for wrong in (broker.async_session("angelone"), broker.session("samco"), None):
        for make in (smartapi.connect, smartapi.websocket, smartapi.order_updates):
            with pytest.raises(preopen.InvalidInputError) as caught:
                make(wrong)
            assert caught.value.field == "session"


def test_a_version_with_other_parts_is_named(
    session: preopen.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("SmartApi.smartConnect")
    module.SmartConnect = type("SmartConnect", (), {"_request": None})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "SmartApi.smartConnect", module)
    with pytest.raises(
        preopen.InvalidInputError, match=re.escape("smartapi-python 1.5.5 has no SmartApi")
    ) as caught:
        smartapi.connect(session)
    assert caught.value.field == "smartapi-python"
    assert "_routes" in str(caught.value)


IMPORT = """
import os, socket, sys
asked = []
def hook(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect"):
        asked.append((event, repr(arguments)))
sys.addaudithook(hook)
import requests
before = requests.get
from preopen import AngelOne, Session
from preopen.smartapi import connect
codes = {"pin": "0000", "totp_secret": "JBSWY3DPEHPK3PXPJBSWY3DPEH"}
smart = connect(Session(AngelOne(api_key="k", client_code="A1", **codes)))
assert requests.get is before
assert smart.root == "https://apiconnect.angelone.in"
print(asked)
"""


def test_its_import_looks_up_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == ["[]"], done.stderr
    assert "retriving" not in done.stderr


def test_nothing_secret_is_logged_or_shown(
    smart: Any, session: preopen.Session, broker: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    account = next(one for one in broker.accounts if one["broker"] == "angelone")
    secrets = [session.token().expose(), session.feed_token(), account["api_key"], account["pin"]]
    # What the client alone writes to standard error and ./logs, with its headers.
    broker.fault("angelone", LTP, status=200, body={"status": False, "message": "no", "errorcode": "AB1004"})
    assert smart.ltpData(*SBIN)["status"] is False
    texts = [
        *capfd.readouterr(),
        repr(smart),
        repr(vars(smart)),
        repr(smart.access_token),
        repr(smart.feed_token),
    ]
    texts += [path.read_text() for path in tmp_path.rglob("*.log")]
    for secret in secrets:
        assert not any(secret in text for text in texts if len(secret) > 4)


def test_the_market_stream_connects_with_live_tokens(session: preopen.Session, broker: Sandbox) -> None:
    from SmartApi.smartWebSocketV2 import SmartWebSocketV2

    with streaming() as server:
        stream = smartapi.websocket(session, url=server.url, max_retry_attempt=0)
        assert isinstance(stream, SmartWebSocketV2)
        assert broker.requests().count == 0
        stream.connect()
        broker.clock.advance_to("00:00 IST")
        stream.connect()
        account = next(one for one in broker.accounts if one["broker"] == "angelone")
        first, second = server.handshakes
        for name, value in (("x-api-key", account["api_key"]), ("x-client-code", account["client_code"])):
            assert (first[name], second[name]) == (value, value)
        assert second["x-feed-token"] == session.feed_token() == stream.feed_token
        assert second["authorization"] == session.stream_headers()["Authorization"]
        assert first["x-feed-token"] != second["x-feed-token"]
        assert first["authorization"] != second["authorization"]
        assert (stream.client_code, stream.api_key) == (account["client_code"], account["api_key"])
        assert stream.auth_token == session.token().expose()


def test_order_updates_connect_with_the_live_token(session: preopen.Session) -> None:
    with streaming() as server:
        stream = smartapi.order_updates(session, url=server.url)
        # It connects again by itself, a few times.
        stream.RETRY_DELAY_SECONDS = 0
        stream.connect()
        bearer = "Bearer " + session.token().expose()
        assert {headers["authorization"] for headers in server.handshakes} == {bearer}
        assert len(server.handshakes) > 1


@pytest.mark.parametrize(
    "url", [None, "wss://smartapisocket.angelone.in/smart-stream", "ws://127.0.0.1@evil.example/"]
)
def test_a_sandbox_s_stream_stays_on_this_machine(session: preopen.Session, url: str | None) -> None:
    with pytest.raises(preopen.InvalidInputError) as caught:
        smartapi.websocket(session, url=url)
    assert caught.value.field == "url"


def test_a_live_stream_goes_to_the_broker_alone() -> None:
    codes = {"pin": "0000", "totp_secret": "JBSWY3DPEHPK3PXPJBSWY3DPEH"}
    live = preopen.Session(preopen.AngelOne(api_key="k", client_code="A1", **codes))
    with pytest.raises(preopen.InvalidInputError):
        smartapi.websocket(live, url="wss://evil.example/smart-stream")
