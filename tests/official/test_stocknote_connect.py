"""`preopen.stocknote`: Samco's own client on a session of Preopen."""

from __future__ import annotations

import concurrent.futures
import json
import re
import ssl
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Iterator

import pytest
import urllib3
from streams import streaming

import preopen
from preopen import stocknote
from preopen.sandbox import Sandbox

QUOTE = "/quote/getQuote"
ORDER = "/order/placeOrder"
ENDED = {"status": 401, "body": {"status": "Failure", "statusMessage": "Unauthorized - Invalid token."}}
TLS = Path(__file__).resolve().parents[1] / "faults" / "tls"


@pytest.fixture
def broker() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        sandbox.clock.set("2026-11-23T10:00:00+05:30")
        yield sandbox


@pytest.fixture
def session(broker: Sandbox) -> preopen.Session:
    return broker.session("samco")


@pytest.fixture
def samco(session: preopen.Session) -> Any:
    return stocknote.connect(session)


def seen(broker: Sandbox, path: str) -> int:
    return broker.requests("samco", path).count


def quote(samco: Any) -> dict[str, Any]:
    return json.loads(samco.get_quote("RELIANCE", exchange="NSE"))


def test_it_is_the_client_s_own_class_and_sends_nothing_until_it_is_used(samco: Any, broker: Sandbox) -> None:
    from snapi_py_client.snapi_bridge import StocknoteAPIPythonBridge

    assert isinstance(samco, StocknoteAPIPythonBridge)
    assert type(samco).__name__ == "StocknoteAPIPythonBridge"
    assert broker.requests().count == 0
    assert quote(samco)["status"] == "Success"
    assert stocknote.error(samco) is None
    assert json.loads(samco.get_limits())["status"] == "Success"
    assert json.loads(samco.whoami())["status"] == "Success"
    assert seen(broker, "/session/token") == 1


def test_the_daily_logout_is_not_noticed(samco: Any, session: preopen.Session, broker: Sandbox) -> None:
    assert quote(samco)["status"] == "Success"
    first = samco.session_token
    assert first == session.token().expose()
    broker.clock.advance_to("08:00 IST")
    assert quote(samco)["status"] == "Success"
    assert samco.session_token != first
    assert seen(broker, "/session/token") == 2


def test_a_read_with_an_ended_token_is_sent_again(
    samco: Any, session: preopen.Session, broker: Sandbox
) -> None:
    session.token()
    broker.fault("samco", QUOTE, **ENDED)
    assert quote(samco)["status"] == "Success"
    assert seen(broker, QUOTE) == 2
    assert seen(broker, "/session/token") == 2


def test_a_write_with_an_ended_token_is_not(samco: Any, session: preopen.Session, broker: Sandbox) -> None:
    session.token()
    broker.fault("samco", ORDER, **ENDED)
    assert (
        json.loads(samco.place_order(body={"symbolName": "INFY", "exchange": "NSE"}))["status"] == "Failure"
    )
    assert type(stocknote.error(samco)) is preopen.SessionExpiredError
    assert seen(broker, ORDER) == 1
    assert quote(samco)["status"] == "Success"
    assert session.state().generation == 2


def test_ten_threads_renew_once(samco: Any, session: preopen.Session, broker: Sandbox) -> None:
    other = broker.session("samco")
    session.token()
    other.prime(session.export_exposed())
    assert other.logout().acknowledged
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: quote(samco)["status"], range(10)))
    assert answers == ["Success"] * 10
    assert seen(broker, "/session/token") == 2


def test_a_call_in_the_background_has_the_token_too(samco: Any) -> None:
    call = samco.get_quote("RELIANCE", exchange="NSE", async_req=True)
    assert json.loads(call.get(10))["status"] == "Success"


def test_a_write_is_not_repeated_after_a_broken_connection(
    samco: Any, session: preopen.Session, broker: Sandbox
) -> None:
    # urllib3 repeats a PUT by itself unless it is told not to.
    quote(samco)
    path = "/order/modifyOrder/1"
    broker.fault("samco", path, reset="after", times=9)
    with pytest.raises(urllib3.exceptions.HTTPError):
        samco.modify_order("1", body={"quantity": "1"})
    assert seen(broker, path) == 1


def test_a_redirect_is_not_followed(samco: Any, session: preopen.Session, broker: Sandbox) -> None:
    session.token()
    with streaming() as elsewhere:
        target = elsewhere.url.replace("ws://", "http://")
        broker.fault("samco", QUOTE, status=307, redirect_to=target + "/x")
        with pytest.raises(preopen.BrokerUnavailableError):
            samco.get_quote("RELIANCE", exchange="NSE")
        assert elsewhere.handshakes == []


def test_what_the_session_does_itself_is_refused_before_anything_is_sent(samco: Any, broker: Sandbox) -> None:
    calls = {
        "login": lambda: samco.login(body={"userId": "CANARY"}),
        "generate_session_token": lambda: samco.generate_session_token(body={"apiSecret": "CANARY"}),
        "session_token": lambda: samco.set_session_token("CANARY"),
        "path": lambda: samco.api_client.call_api("/session/token", "POST", body={"apiSecret": "CANARY"}),
    }
    for field, call in calls.items():
        with pytest.raises(preopen.InvalidInputError) as caught:
            call()
        assert caught.value.field == field
        assert "CANARY" not in str(caught.value)
    assert broker.requests().count == 0


def test_its_logout_is_the_session_s(samco: Any, session: preopen.Session) -> None:
    quote(samco)
    assert json.loads(samco.logout())["status"] == "Success"
    assert session.state().name == "signed_out"


def test_other_sessions_are_refused(broker: Sandbox) -> None:
    for wrong in (broker.async_session("samco"), broker.session("angelone"), None):
        with pytest.raises(preopen.InvalidInputError) as caught:
            stocknote.connect(wrong)
        assert caught.value.field == "session"


def test_certificates_are_checked(broker: Sandbox) -> None:
    seen: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            body = b'{"status": "Success", "sessionToken": "a-token-of-this-test"}'
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            seen.append(self.path)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "good.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        # The session trusts this authority; the client was not told of it, and hands the token to nobody.
        url = f"https://127.0.0.1:{server.server_address[1]}"
        session = preopen.Session(broker.samco_credentials(), base_url=url, ca_file=str(TLS / "ca.pem"))
        session.token()
        with pytest.raises(Exception, match=r"(?i)certificate.verify.failed"):
            stocknote.connect(session).get_quote("RELIANCE", exchange="NSE")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert seen == []


def test_a_proxy_gets_the_request_and_a_silent_one_a_deadline(
    session: preopen.Session, broker: Sandbox
) -> None:
    session.token()
    samco = stocknote.connect(session, proxy=session.base_url)
    # The sandbox takes the place of a proxy: it answers requests for its own address.
    assert quote(samco)["status"] == "Success"
    broker.fault("samco", QUOTE, stall="before")
    with pytest.raises(urllib3.exceptions.HTTPError):
        stocknote.connect(session, timeout=0.2).get_quote("RELIANCE", exchange="NSE")


def test_nothing_secret_is_logged_or_shown(
    samco: Any, session: preopen.Session, broker: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    secrets = [session.token().expose(), broker.accounts[0]["api_secret"]]
    broker.fault("samco", QUOTE, status=400, body={"status": "Failure", "statusMessage": "no"})
    quote(samco)
    with streaming() as server:
        samco.STREAMING_URL = server.url
        samco.set_streaming_data(["3045_NSE"])
        samco.start_streaming()
        assert server.handshakes[0]["x-session-token"] == secrets[0]
    texts = [*capfd.readouterr(), repr(samco), repr(vars(samco)), repr(samco.session_token)]
    for secret in secrets:
        assert not any(secret in text for text in texts)


def test_a_stream_connects_with_the_live_token_each_time(
    samco: Any, session: preopen.Session, broker: Sandbox
) -> None:
    samco.set_streaming_data(["3045_NSE"])
    with streaming() as server:
        samco.STREAMING_URL = server.url
        samco.start_streaming()
        broker.clock.advance_to("08:00 IST")
        samco.start_streaming()
        tokens = [headers["x-session-token"] for headers in server.handshakes]
    assert len(set(tokens)) == 2
    assert tokens[1] == session.token().expose()


def test_a_stream_goes_to_no_other_host(samco: Any, session: preopen.Session) -> None:
    for url in (None, "wss://evil.example", "ws://127.0.0.1.evil.example", "http://127.0.0.1:1"):
        if url is not None:
            samco.STREAMING_URL = url
        with pytest.raises(preopen.InvalidInputError) as caught:
            samco.start_streaming()
        assert caught.value.field == "url"
    with pytest.raises(preopen.InvalidInputError) as caught:
        samco.start_streaming(verify_ssl=False)
    assert caught.value.field == "verify_ssl"


def test_a_version_with_other_parts_is_named(
    session: preopen.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("snapi_py_client.snapi_bridge")
    module.StocknoteAPIPythonBridge = type("StocknoteAPIPythonBridge", (), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "snapi_py_client.snapi_bridge", module)
    with pytest.raises(preopen.InvalidInputError, match=re.escape("stocknotebridge 3.2.2 has no")) as caught:
        stocknote.connect(session)
    assert caught.value.field == "stocknotebridge"
