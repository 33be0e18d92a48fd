"""What calls take with them, and how many there may be: the headers that SmartAPI is told, those of
streams, limits."""

import json
import os

import pytest
import wire
from conftest import LOGIN, QUOTE, READ
from renderings import assert_no_secret

import preopen

SECRETS = {"pin": "0000", "totp_secret": "JBSWY3DPEHPK3PXPJBSWY3DPEH"}
TOLD = {
    "X-UserType": "USER",
    "X-SourceID": "WEB",
    "X-ClientLocalIP": "127.0.0.1",
    "X-ClientPublicIP": "127.0.0.1",
    "X-MACAddress": "00:00:00:00:00:00",
}
SAYS = {
    "local_ip": "192.168.1.7",
    "public_ip": "203.0.113.9",
    "mac_address": "02:00:5e:10:00:01",
    "user_type": "USER",
    "source_id": "WEB2",
}
SAID = dict(zip(TOLD, ["USER", "WEB2", "192.168.1.7", "203.0.113.9", "02:00:5e:10:00:01"]))
ORDER = "/order/placeOrder"


def angel_one(**told):
    return preopen.AngelOne(api_key="a-key", client_code="A1", **SECRETS, **told)


def publisher(**told):
    return preopen.AngelOnePublisher(api_key="a-key", client_code="A1", **told)


@pytest.fixture
def server():
    """A SmartAPI that gives a token with a scheme, and a reply without data."""
    tokens = {"jwtToken": "Bearer the.jwt", "refreshToken": "the-refresh", "feedToken": "the-feed-token"}
    login = json.dumps({"status": True, "message": "SUCCESS", "errorcode": "", "data": tokens}).encode()
    empty = json.dumps({"status": True, "message": "SUCCESS", "errorcode": "", "data": {}}).encode()
    with wire.serving(lambda path: wire.reply(login if path == LOGIN["angelone"] else empty)) as served:
        yield served


def seen(server):
    """The headers of every request, by names that ignore case."""
    names = {name.lower(): name for name in [*TOLD, "Authorization", "X-PrivateKey"]}
    return [
        {names[n.lower()]: v for n, v in headers.items() if n.lower() in names} for headers in server.headers
    ]


def test_smartapi_is_told_what_is_true_of_any_machine(server):
    session = preopen.Session(angel_one(), base_url=server.url)
    session.get(READ["angelone"])
    login, read = seen(server)
    assert login == {**TOLD, "X-PrivateKey": "a-key"}
    assert read == {**login, "Authorization": "Bearer the.jwt"}


def test_smartapi_is_told_what_the_caller_says(server):
    preopen.Session(angel_one(**SAYS), base_url=server.url).token()
    assert seen(server) == [{**SAID, "X-PrivateKey": "a-key"}]


@pytest.mark.parametrize(("says", "said"), [({}, TOLD), (SAYS, SAID)], ids=["nothing", "all"])
def test_smartapi_is_told_the_same_after_a_publisher_login(server, says, said):
    session = preopen.Session(publisher(**says), base_url=server.url)
    state = session.begin_login().url.split("state=")[1].split("&")[0]
    session.complete_login(f"/callback?auth_token=the.jwt&feed_token=the-feed-token&state={state}")
    session.get(READ["angelone"])
    # The profile, which tells whose login it was, and the call.
    assert seen(server) == [{**said, "X-PrivateKey": "a-key", "Authorization": "Bearer the.jwt"}] * 2


@pytest.mark.parametrize("echo", [None, "mine-1", "another"])
def test_smartapi_echoes_the_state_of_a_login(echo):
    data = {"jwtToken": "the.jwt", "refreshToken": "the-refresh", "feedToken": "the-feed-token"}
    data.update({} if echo is None else {"state": echo})
    body = json.dumps({"status": True, "message": "SUCCESS", "errorcode": "", "data": data}).encode()
    with wire.serving(lambda path: wire.reply(body)) as served:
        session = preopen.Session(angel_one(state="mine-1"), base_url=served.url)
        if echo == "another":
            with pytest.raises(preopen.MalformedResponseError, match="another login"):
                session.token()
        else:
            assert session.token().expose() == "the.jwt"


def test_a_publisher_login_takes_no_state_of_the_caller():
    with pytest.raises(TypeError, match="state"):
        publisher(state="mine")


@pytest.mark.parametrize("credentials", [angel_one, publisher])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("local_ip", "my host"),
        ("public_ip", "203.0.113.9\r\nX-Evil: 1"),
        ("mac_address", "02:00:5e"),
        ("user_type", ""),
        ("source_id", "W B"),
    ],
)
def test_what_cannot_be_told_is_refused_before_anything_is_sent(server, credentials, field, value):
    with pytest.raises(preopen.InvalidInputError) as caught:
        preopen.Session(credentials(**{field: value}), base_url=server.url)
    assert caught.value.field == field
    with pytest.raises(preopen.InvalidInputError) as caught:
        credentials(**{field: 5})
    assert (caught.value.field, server.seen) == (field, [])


def test_streams_get_live_tokens_without_a_doubled_scheme(server):
    session = preopen.Session(angel_one(), base_url=server.url)
    market = {
        "Authorization": "the.jwt",
        "x-api-key": "a-key",
        "x-client-code": "A1",
        "x-feed-token": "the-feed-token",
    }
    assert session.stream_headers() == session.stream_headers("smart-stream") == market
    assert session.stream_headers("smart-order-update") == {"Authorization": "Bearer the.jwt"}
    assert session.feed_token() == "the-feed-token"
    assert session.token().expose() == "the.jwt"
    assert len(server.seen) == 1
    assert_no_secret(session, ["the-feed-token", "the.jwt"])


def test_streams_follow_the_session(sandbox):
    session = sandbox.session("samco")
    first = session.stream_headers()
    assert first == {"x-session-token": session.token().expose()}
    session.invalidate(session.token().generation)
    assert session.stream_headers() == {"x-session-token": session.token().expose()} != first
    with pytest.raises(preopen.InvalidInputError) as caught:
        session.stream_headers(7)
    assert caught.value.field == "stream"


def test_x3_no_secret_of_the_session_goes_into_a_url(sandbox):
    session = sandbox.session("samco")
    token = session.token().expose()
    for arguments, field in [
        ({"path": READ["samco"], "params": {"token": token}}, "params"),
        ({"path": READ["samco"], "params": {"x": "a" + sandbox.accounts[0]["api_secret"]}}, "params"),
        ({"path": f"/x/{token}"}, "path"),
    ]:
        with pytest.raises(preopen.InvalidInputError) as caught:
            session.get(**arguments)
        assert caught.value.field == field
        assert_no_secret(caught.value, [token, sandbox.accounts[0]["api_secret"]])
    assert sandbox.requests("samco").count == 1


@pytest.mark.parametrize(
    "limits",
    [
        5,
        "orders",
        {"orders": 5},
        {"orders": {"per_day": 5}},
        {"orders": {"per_second": 0}},
        {"orders": {"per_second": True}},
        {"orders": {"per_second": 1.5}},
        {"orders": {"per_second": object()}},
        {"no such group": {"per_second": 1}},
    ],
)
def test_bad_limits_are_refused_by_name(sandbox, limits):
    with pytest.raises(preopen.InvalidInputError) as caught:
        sandbox.session("samco", rate_limits=limits)
    assert caught.value.field == "rate_limits"


def test_a_call_without_a_slot_is_not_sent(sandbox):
    session = sandbox.session("samco", rate_limits={"other": {"per_hour": 1}})
    session.get(READ["samco"], params=QUOTE)
    with pytest.raises(preopen.RateLimitedError) as caught:
        session.get(READ["samco"], params=QUOTE)
    error = caught.value
    assert 3590 < error.retry_after <= 3600
    assert (error.advice, error.advice_seconds, error.http_status) == ("after", error.retry_after, None)
    assert error.endpoint == f"GET {READ['samco']}"
    assert sandbox.requests("samco", READ["samco"]).count == 1


def test_a_forked_child_counts_what_its_parent_sent_and_then_on_its_own(sandbox):
    session = sandbox.session("samco", rate_limits={"other": {"per_hour": 2}})
    session.get(READ["samco"], params=QUOTE)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            session.get(READ["samco"], params=QUOTE)
            try:
                session.get(READ["samco"], params=QUOTE)
            except preopen.RateLimitedError:
                code = 0
        finally:
            os._exit(code)
    assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 0
    session.get(READ["samco"], params=QUOTE)
    with pytest.raises(preopen.RateLimitedError):
        session.get(READ["samco"], params=QUOTE)
