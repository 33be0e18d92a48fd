"""The rules that every drop-in for another HTTP client keeps, as tests: each test module of a client imports
them all and brings a fixture `client` with a `Driver`."""

import asyncio
import concurrent.futures
import itertools
import json
import traceback

import pytest
import wire
from conftest import LOGIN, MORNING, QUOTE, READ, ROOT, assert_has, logins, until
from renderings import assert_no_secret

import preopen
from preopen.sandbox import Sandbox

WRITE = {"samco": "/order/placeOrder", "angelone": "/rest/secure/angelbroking/order/v1/placeOrder"}
#: A POST that Samco documents as a read.
POST_READ = "/quote/multiQuote"
ENDED = {
    "samco": {"status": 401, "body": {"status": "Failure", "statusMessage": "Unauthorized - Invalid token."}},
    # A success by its status (observed).
    "angelone": {
        "status": 200,
        "body": {"success": False, "message": "Invalid Token", "errorCode": "AG8001", "data": ""},
    },
}
BROKERS = pytest.mark.parametrize("broker", ["samco", "angelone"])
ROWS = [
    row
    for row in json.loads((ROOT / "tests" / "faults" / "matrix.json").read_text())
    # What goes wrong on the way is the client's own to tell, and so is what is repeated after a moment.
    if all("status" in fault for fault in row.get("faults", [{}]))
    and "server" not in row
    and row["name"] != "502 that is gone after a moment"
]
CASES = [pytest.param(row, on, id=f"{row['name']}-{on}") for row in ROWS for on in row["on"]]


class Reply:
    """What a client got: its status, its JSON, and what the drop-in says of it."""

    def __init__(self, status, text, error):
        self.status, self.text, self.error = status, text, error

    def json(self):
        return json.loads(self.text)


class Driver:
    """One kind of client; `send` opens one, sends one request and gives a `Reply`."""

    #: The method of `Sandbox` that makes the session, and the session's class.
    makes, plain = "session", preopen.Session

    def session(self, sandbox, broker="samco", **options):
        return getattr(sandbox, self.makes)(broker, **options)

    def run(self, call):
        """A call of the session."""
        return call()

    def close(self, session):
        session.close()

    def send(self, session, method, url, **options):
        raise NotImplementedError

    def together(self, session, count, method, url, **options):
        """So many at once, with one drop-in."""
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            sent = [pool.submit(self.send, session, method, url, **options) for _ in range(count)]
            return [one.result() for one in sent]

    def stream(self):
        """A body that can be sent once."""
        yield b"{}"


class AsyncDriver(Driver):
    """One for asyncio: `sends` is awaited."""

    makes, plain = "async_session", preopen.AsyncSession

    def __init__(self):
        self.loop = asyncio.new_event_loop()

    def run(self, call):
        async def made():
            return await call()

        return self.loop.run_until_complete(made())

    def close(self, session):
        self.run(session.close)

    def send(self, *arguments, **options):
        return self.run(lambda: self.sends(*arguments, **options))

    async def sends(self, session, method, url, **options):
        raise NotImplementedError

    def together(self, session, count, *arguments, **options):
        async def all_of_them():
            calls = (self.sends(session, *arguments, **options) for _ in range(count))
            return await asyncio.gather(*calls)

        return self.run(all_of_them)

    async def stream(self):
        yield b"{}"


def read(client, session, broker="samco", **options):
    params = QUOTE if broker == "samco" else None
    return client.send(session, "GET", session.base_url + READ[broker], params=params, **options)


def write(client, session, broker="samco", **options):
    body = {"symbolName": "INFY", "quantity": "1"}
    return client.send(session, "POST", session.base_url + WRITE[broker], json=body, **options)


def openings(sandbox, broker="samco"):
    """How many sessions were opened: SmartAPI's are renewed without a login."""
    renewals = sandbox.requests("angelone", "/rest/auth/angelbroking/jwt/v1/generateTokens").count
    return logins(sandbox, broker) + renewals


def end_elsewhere(sandbox, session, run, broker="samco"):
    """Ends a session at the broker without its knowing."""
    exposed = run(session.export_exposed)
    other = sandbox.session(broker)
    other.prime(exposed)
    assert other.logout().acknowledged


@BROKERS
def test_a_request_has_the_live_token_each_time(client, sandbox, broker):
    sandbox.clock.set(MORNING)
    session = client.session(sandbox, broker)
    assert sandbox.requests().count == 0
    assert read(client, session, broker).status == 200
    assert read(client, session, broker).status == 200
    assert logins(sandbox, broker) == 1
    sandbox.clock.advance_to("08:00 IST" if broker == "samco" else "00:00 IST")
    reply = read(client, session, broker)
    assert (reply.status, reply.error) == (200, None)
    assert reply.json()["status"] in ("Success", True)
    assert session.state().generation == 2
    assert openings(sandbox, broker) == 2


@BROKERS
def test_a_read_with_an_ended_token_is_sent_again_and_its_caller_sees_that_reply(client, sandbox, broker):
    session = client.session(sandbox, broker)
    first = client.run(session.token)
    # A one-time code is good for one login: the next one comes soon.
    sandbox.clock.set_rate(200)
    end_elsewhere(sandbox, session, client.run, broker)
    reply = read(client, session, broker)
    assert (reply.status, reply.error) == (200, None)
    assert reply.json()["status"] in ("Success", True)
    assert session.state().generation == first.generation + 1
    assert logins(sandbox, broker) == 2
    assert sandbox.requests(broker, READ[broker]).count == 2


@BROKERS
def test_a_read_is_sent_again_once(client, sandbox, broker):
    session = client.session(sandbox, broker)
    client.run(session.token)
    sandbox.fault(broker, READ[broker], times=9, **ENDED[broker])
    reply = read(client, session, broker)
    assert reply.status == ENDED[broker]["status"]
    assert (reply.error.code, reply.error.advice, reply.error.advice_seconds) == (
        "session_expired",
        "after",
        1,
    )
    assert sandbox.requests(broker, READ[broker]).count == 2
    # The second token is moments old and not the reason: it is kept.
    assert openings(sandbox, broker) == 2
    assert session.state().name == "active"


@BROKERS
def test_a_write_with_an_ended_token_is_never_sent_again(client, sandbox, broker):
    session = client.session(sandbox, broker)
    client.run(session.token)
    sandbox.fault(broker, WRITE[broker], **ENDED[broker])
    reply = write(client, session, broker)
    assert reply.status == ENDED[broker]["status"]
    assert type(reply.error) is preopen.SessionExpiredError
    assert sandbox.requests(broker, WRITE[broker]).count == 1
    # The next one finds a new session.
    until(lambda: session.state().generation == 2 and session.state().name == "active")
    assert openings(sandbox, broker) == 2


def test_twenty_at_once_renew_once(client, sandbox):
    session = client.session(sandbox)
    client.run(session.token)
    end_elsewhere(sandbox, session, client.run)
    replies = client.together(session, 20, "GET", session.base_url + READ["samco"], params=QUOTE)
    assert [(reply.status, reply.error) for reply in replies] == [(200, None)] * 20
    assert logins(sandbox) == 2
    assert session.state().generation == 2


def test_a_post_that_reads_is_sent_again_and_a_stream_is_not(client, sandbox):
    session = client.session(sandbox)
    client.run(session.token)
    url = session.base_url + POST_READ
    sandbox.fault("samco", POST_READ, **ENDED["samco"])
    symbols = {"NSE": ["INFY"]}
    assert client.send(session, "POST", url, json=symbols).status != 401
    assert sandbox.requests("samco", POST_READ).count == 2
    sandbox.fault("samco", POST_READ, **ENDED["samco"])
    reply = client.send(session, "POST", url, content=client.stream())
    assert reply.status == 401
    assert type(reply.error) is preopen.SessionExpiredError
    assert sandbox.requests("samco", POST_READ).count == 3


def test_the_token_goes_to_no_other_host(client, sandbox):
    session = client.session(sandbox)
    token = client.run(session.token)
    before = sandbox.requests().count
    with wire.serving(wire.broker()) as elsewhere:
        others = [
            elsewhere.url,
            elsewhere.url.replace("127.0.0.1", "localhost"),
            session.base_url.replace("http://", "https://"),
            session.base_url.replace("127.0.0.1", "localhost"),
        ]
        urls = [other + path for other in others for path in ("/login", "//evil", "/../../x", "")]
        for url in urls:
            with pytest.raises(preopen.InvalidInputError) as caught:
                client.send(session, "GET", url)
            assert caught.value.field == "url"
            assert "base_url" in str(caught.value)
            assert_no_secret(caught.value, [token.expose()])
        assert elsewhere.seen == []
    assert sandbox.requests().count == before


def test_another_host_is_refused_before_a_login(client, sandbox):
    session = client.session(sandbox)
    with wire.serving(wire.broker()) as elsewhere:
        with pytest.raises(preopen.InvalidInputError):
            client.send(session, "GET", elsewhere.url + "/x")
        assert elsewhere.seen == []
    assert sandbox.requests().count == 0


def test_a_redirect_never_has_the_token(client, sandbox):
    session = client.session(sandbox)
    token = client.run(session.token)
    with wire.serving(wire.broker()) as elsewhere:
        calls = (("GET", READ["samco"]), ("POST", WRITE["samco"]))
        for (method, path), status in itertools.product(calls, (301, 302, 303, 307, 308)):
            sandbox.clear_requests()
            sandbox.fault("samco", path, status=status, redirect_to=elsewhere.url + "/x?CANARY-in-a-query")
            with pytest.raises(preopen.PreopenError) as caught:
                client.send(session, method, session.base_url + path, follow=True)
            expected = "broker_unavailable" if method == "GET" else "outcome_unknown"
            assert (caught.value.code, caught.value.http_status) == (expected, status)
            assert_no_secret(caught.value, [token.expose(), "CANARY-in-a-query"])
            assert sandbox.requests("samco", path).count == 1
        for headers in elsewhere.headers:
            # Only httpx gets here: it decides before anybody can say no.
            assert client.follows
            assert "x-session-token" not in {name.lower() for name in headers}
            assert token.expose() not in repr(headers)
        assert client.follows or elsewhere.seen == []


def test_another_host_header_is_refused_before_a_login(client, sandbox):
    session = client.session(sandbox)
    own = session.base_url.split("//")[1]
    for name, value in (("Host", "evil.example"), ("hOST", own + ".evil.example"), ("host", "127.0.0.1")):
        with pytest.raises(preopen.InvalidInputError, match="Host") as caught:
            read(client, session, headers={name: value})
        assert caught.value.field == "headers"
    assert sandbox.requests().count == 0
    assert read(client, session, headers={"Host": own}).status == 200


def test_a_read_that_a_header_makes_a_write_is_not_sent_again(client, sandbox):
    session = client.session(sandbox)
    client.run(session.token)
    sandbox.fault("samco", READ["samco"], **ENDED["samco"])
    assert read(client, session, headers={"X-HTTP-Method-Override": "POST"}).status == 401
    assert sandbox.requests("samco", READ["samco"]).count == 1


@BROKERS
def test_the_session_s_own_calls_are_refused(client, sandbox, broker):
    session = client.session(sandbox, broker)
    logout = {
        "samco": ("DELETE", "/logout"),
        "angelone": ("POST", "/rest/secure/angelbroking/user/v1/logout"),
    }
    for method, path in (("POST", LOGIN[broker]), logout[broker]):
        with pytest.raises(preopen.InvalidInputError) as caught:
            client.send(session, method, session.base_url + path)
        assert caught.value.field == "path"
    assert sandbox.requests().count == 0


def test_a_url_holds_no_secret(client, sandbox):
    session = client.session(sandbox)
    token = client.run(session.token)
    with pytest.raises(preopen.InvalidInputError) as caught:
        client.send(session, "GET", session.base_url + READ["samco"], params={"t": token.expose()})
    assert caught.value.field == "params"
    assert_no_secret(caught.value, [token.expose()])
    assert sandbox.requests("samco", READ["samco"]).count == 0


def test_what_the_caller_chose_stays_and_the_token_does_not(client, sandbox):
    with wire.serving(wire.broker()) as server:
        session = client.plain(sandbox.samco_credentials(), base_url=server.url)
        headers = {"Accept": "text/plain", "x-mine": "1", "x-session-token": "of another session"}
        assert client.send(session, "GET", server.url + "/x", headers=headers).status == 200
        sent = {name.lower(): value for name, value in server.headers[-1].items()}
        assert (sent["accept"], sent["x-mine"]) == ("text/plain", "1")
        assert sent["x-session-token"] == wire.TOKEN
        assert client.send(session, "GET", server.url + "/x").status == 200
        assert {name.lower(): value for name, value in server.headers[-1].items()}["accept"] == (
            "application/json"
        )


def test_a_login_that_fails_is_raised_by_the_request(client, sandbox):
    wrong = preopen.Samco(api_key=sandbox.accounts[0]["api_key"], api_secret="CANARY-secret-that-is-wrong")
    session = client.session(sandbox, credentials=wrong)
    for _ in range(2):
        with pytest.raises(preopen.CredentialsRejectedError) as caught:
            read(client, session)
        assert_no_secret(caught.value, ["CANARY-secret-that-is-wrong"])
    assert sandbox.requests().count == 1


def test_a_closed_session_is_refused(client, sandbox):
    session = client.session(sandbox)
    client.close(session)
    with pytest.raises(preopen.InvalidInputError) as caught:
        read(client, session)
    assert caught.value.field == "session"


def test_a_logout_is_final(client, sandbox):
    session = client.session(sandbox)
    assert read(client, session).status == 200
    client.run(session.logout)
    # Whoever calls after a logout wants a session again, as with the session's own calls.
    assert read(client, session).status == 200
    assert logins(sandbox) == 2


@pytest.fixture(scope="module")
def one_sandbox():
    """One embedded broker for all rows: most rows need nothing new."""
    with Sandbox() as broker:
        broker.clock.set(MORNING)
        yield broker


@pytest.mark.parametrize(("row", "on"), CASES)
def test_row_of_the_fault_matrix(client, one_sandbox, row, on):
    sandbox = one_sandbox
    sandbox.clear_faults()
    sandbox.clear_requests()
    # Nothing of the row before is waited for: a one-time code is good for one login.
    sandbox.clock.advance(seconds=60)
    sandbox.clock.set_rate(1)
    broker = row.get("broker", "samco")
    path = {"login": LOGIN, "read": READ, "write": WRITE}[on][broker]
    options = {}
    if row.get("wrong"):
        own = {**next(one for one in sandbox.accounts if one["broker"] == broker), **row["wrong"]}
        kind, names = {
            "samco": (preopen.Samco, ("api_key", "api_secret")),
            "angelone": (preopen.AngelOne, ("api_key", "client_code", "pin", "totp_secret")),
        }[broker]
        options["credentials"] = kind(**{name: own[name] for name in names})
        if broker == "angelone":
            sandbox.clock.set_rate(200)
    session = client.session(sandbox, broker, **options)
    if on != "login":
        client.run(session.token)
    call = write if on == "write" else read
    with wire.serving(wire.broker()) as elsewhere:
        redirects = False
        for fault in row.get("faults", []):
            fault = dict(fault)
            if fault.pop("redirect", False):
                redirects = True
                fault["redirect_to"] = f"{elsewhere.url}/login?x=CANARY-in-a-query"
            sandbox.fault(broker, path, **fault)
        expected = row["expect"].get("error")
        if on == "login" or redirects:
            with pytest.raises(preopen.PreopenError) as caught:
                call(client, session, broker)
            error = caught.value
        else:
            error = call(client, session, broker).error
        assert elsewhere.seen == []
    if expected is None:
        assert error is None
    else:
        assert isinstance(error, preopen.errors.BY_CODE[expected["code"]])
        assert_has(error, expected)
        assert_no_secret(error, ["CANARY-in-a-query", *row.get("wrong", {}).values()])
    if "seen" in row and expected is not None:
        assert sandbox.requests(broker, path).count == row["seen"]
    if "logins" in row:
        assert logins(sandbox, broker) == row["logins"]
    if row.get("renewed"):
        until(lambda: session.state().generation == 2 and session.state().name == "active")


def plain_traceback(error):
    """A traceback as it is printed. One with local variables would show what Python's own HTTP client
    sends."""
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))
