"""Everything that goes wrong at a login: the right kind of error, promptly, without a secret, and no login
more than needed."""

import http.server
import threading
import time

import pytest
from conftest import LOGIN, logins
from renderings import assert_no_secret

import preopen

SECRET = "CANARY-secret-of-the-app-that-must-not-show"
PIN = "90817263544455667788"
TOTP = "CANARYCANARYCANARYCANARYCANARYCA"
SECRETS = ["CANARY-key", SECRET, PIN, TOTP]
BROKERS = ["samco", "angelone"]
#: What a broker might repeat of a login.
ECHO = {"samco": f"CANARY-key {SECRET}", "angelone": f"CANARY-key {PIN} {TOTP}"}


def fails(session, kind, **fields):
    """The login fails with this error, which shows no secret."""
    with pytest.raises(preopen.PreopenError) as caught:
        session.token()
    error = caught.value
    assert type(error) is kind
    for name, value in fields.items():
        assert getattr(error, name) == value, name
    assert_no_secret(error, SECRETS)
    assert_no_secret(session.state(), SECRETS)
    return error


def wrong(sandbox, broker, **changes):
    account = next(one for one in sandbox.accounts if one["broker"] == broker)
    if broker == "samco":
        return preopen.Samco(**{name: {**account, **changes}[name] for name in ("api_key", "api_secret")})
    names = ("api_key", "client_code", "pin", "totp_secret")
    return preopen.AngelOne(**{name: {**account, **changes}[name] for name in names})


def canaries(broker):
    """Credentials that are made of canaries, for brokers that never look at them."""
    if broker == "samco":
        return preopen.Samco(api_key="CANARY-key", api_secret=SECRET)
    return preopen.AngelOne(api_key="CANARY-key", client_code="A1", pin=PIN, totp_secret=TOTP)


def test_a_read_that_is_refused_twice_leaves_the_new_session_active(sandbox):
    refused = {"status": "Failure", "statusMessage": "Unauthorized - Invalid token. sessId missing."}
    session = sandbox.session("samco")
    session.token()
    sandbox.fault("samco", "/limit/getLimits", status=401, body=refused, times=2)
    with pytest.raises(preopen.SessionExpiredError) as caught:
        session.get("/limit/getLimits")
    assert caught.value.advice == "after"
    assert caught.value.advice_seconds > 0
    assert (session.state().name, session.state().generation, logins(sandbox)) == ("active", 2, 2)
    assert session.get("/limit/getLimits").http_status == 200


def test_a_wrong_secret_costs_one_login(sandbox):
    session = sandbox.session("samco", credentials=wrong(sandbox, "samco", api_secret=SECRET))
    for _ in range(5):
        fails(session, preopen.CredentialsRejectedError, which="api_secret", advice="never", http_status=401)
    assert session.state().name == "blocked"
    assert type(session.state().blocked_by) is preopen.CredentialsRejectedError
    for call in (session.headers, session.whoami, session.profile, lambda: session.get("/limit/getLimits")):
        with pytest.raises(preopen.CredentialsRejectedError):
            call()
    assert logins(sandbox) == 1
    session.reset()
    fails(session, preopen.CredentialsRejectedError)
    assert logins(sandbox) == 2


def test_a_wrong_pin_costs_one_login(sandbox):
    session = sandbox.session("angelone", credentials=wrong(sandbox, "angelone", pin=PIN))
    for _ in range(5):
        fails(session, preopen.CredentialsRejectedError, which="pin", advice="never", broker_code="AB1007")
    assert logins(sandbox, "angelone") == 1


def test_a_wrong_totp_secret_costs_one_more_try_in_the_next_step(sandbox):
    sandbox.clock.set_rate(200)
    session = sandbox.session("angelone", credentials=wrong(sandbox, "angelone", totp_secret=TOTP))
    for _ in range(5):
        fails(session, preopen.CredentialsRejectedError, which="totp", advice="never", broker_code="AB1050")
    assert logins(sandbox, "angelone") == 2


@pytest.mark.parametrize("broker", BROKERS)
def test_a_dead_server(sandbox, broker):
    session = sandbox.session(broker, credentials=canaries(broker))
    sandbox.stop()
    fails(session, preopen.NetworkError, phase="connect", broker=broker, http_status=None, advice="now")


@pytest.mark.parametrize("broker", BROKERS)
@pytest.mark.parametrize("status", [200, 502])
def test_an_html_page(sandbox, broker, status):
    page = f"<html><title>Request Rejected</title>{ECHO[broker]}</html>"
    sandbox.fault(broker, LOGIN[broker], status=status, body=page)
    session = sandbox.session(broker, credentials=canaries(broker))
    fails(session, preopen.BrokerUnavailableError, http_status=status)


@pytest.mark.parametrize("broker", BROKERS)
def test_an_empty_body(sandbox, broker):
    sandbox.fault(broker, LOGIN[broker], body_kind="empty", status=200)
    fails(sandbox.session(broker, credentials=canaries(broker)), preopen.BrokerUnavailableError)


@pytest.mark.parametrize("broker", BROKERS)
def test_ten_megabytes(sandbox, broker):
    sandbox.fault(broker, LOGIN[broker], body_kind="large", size=10 << 20)
    error = fails(sandbox.session(broker, credentials=canaries(broker)), preopen.MalformedResponseError)
    assert len(error.body or "") <= 512


@pytest.mark.parametrize("broker", BROKERS)
def test_a_body_that_is_not_json(sandbox, broker):
    sandbox.fault(broker, LOGIN[broker], status=200, body=f'{{"status":"Success","echo":"{ECHO[broker]}')
    fails(sandbox.session(broker, credentials=canaries(broker)), preopen.MalformedResponseError)


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """Another host, which must not see anything."""

    def do_POST(self):
        self.server.seen.append(self.path)
        self.send_response(200)
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the name is the server's

    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize("broker", BROKERS)
@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_to_another_host_is_not_followed(sandbox, broker, status):
    with http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as elsewhere:
        elsewhere.seen = []
        thread = threading.Thread(target=elsewhere.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{elsewhere.server_port}/login?x={SECRET}"
        sandbox.fault(broker, LOGIN[broker], status=status, redirect_to=address)
        fails(
            sandbox.session(broker, credentials=canaries(broker)),
            preopen.BrokerUnavailableError,
            http_status=status,
        )
        elsewhere.shutdown()
        thread.join()
        assert elsewhere.seen == []


@pytest.mark.parametrize("broker", BROKERS)
def test_a_silent_server(sandbox, broker):
    sandbox.fault(broker, LOGIN[broker], stall="before")
    session = sandbox.session(broker, credentials=canaries(broker), timeout=0.5)
    started = time.monotonic()
    fails(session, preopen.TimeoutError, advice="now")
    assert 0.4 < time.monotonic() - started < 3


def test_a_reply_that_stops_half_way(sandbox):
    sandbox.fault("samco", LOGIN["samco"], stall=True)
    fails(sandbox.session("samco", timeout=0.5), preopen.TimeoutError)
