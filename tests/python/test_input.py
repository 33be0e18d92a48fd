"""Arguments: wrong ones are refused by name before anything is sent, right ones arrive as they should."""

import asyncio
import datetime
import inspect

import pytest
from conftest import QUOTE, READ

import preopen
from preopen._base import SessionBase

SAMCO = preopen.Samco(api_key="a-key", api_secret="a-secret")

SETTINGS = [
    ("base_url", 5),
    ("base_url", "ftp://x"),
    ("base_url", "https://elsewhere.example"),
    ("base_url", "http://api.samco.in"),
    ("timeout", 0),
    ("timeout", -1),
    ("timeout", float("nan")),
    ("timeout", 1e9),
    ("timeout", "10"),
    ("timeout", True),
    ("ip_version", 5),
    ("ip_version", "4"),
    ("ip_version", -4),
    ("ip_version", True),
    ("source_ip", "here"),
    ("source_ip", 127),
    ("proxy", "10.0.0.1:3128"),
    ("proxy", 1),
    ("ca_file", 1),
    ("allowed_hosts", "api.example"),
    ("allowed_hosts", 5),
    ("allowed_hosts", [5]),
    ("allowed_hosts", None),
]

OPTIONS = [
    ("params", ["a"]),
    ("params", "a=b"),
    ("params", {"a": None}),
    ("params", {"a": [1]}),
    ("params", {"a": float("inf")}),
    ("params", {1: "a"}),
    ("json", {1, 2}),
    ("json", float("nan")),
    ("json", {"a": [float("inf")]}),
    ("headers", [("a", "b")]),
    ("headers", {"a": 1}),
    ("headers", {"Authorization": "b"}),
    ("replay_safe", 1),
    ("replay_safe", "yes"),
    ("timeout", 0),
    ("timeout", -1),
    ("timeout", "1"),
    ("timeout", float("inf")),
]


@pytest.mark.parametrize("kind", [preopen.Session, preopen.AsyncSession])
@pytest.mark.parametrize(("field", "value"), SETTINGS)
def test_settings(kind, field, value):
    with pytest.raises(preopen.InvalidInputError) as caught:
        kind(SAMCO, **{field: value})
    assert caught.value.field == field
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("value", [None, "samco", {"api_key": "a"}, preopen.Samco, object()])
def test_what_are_no_credentials(value):
    with pytest.raises(preopen.InvalidInputError) as caught:
        preopen.Session(value)
    assert caught.value.field == "credentials"


@pytest.mark.parametrize(("field", "value"), OPTIONS)
def test_options_of_a_call(sandbox, field, value):
    session, other = sandbox.session("samco"), sandbox.async_session("samco")
    for verb in ("get", "post", "put", "delete"):
        with pytest.raises(preopen.InvalidInputError) as caught:
            getattr(session, verb)("/quote/getQuote", **{field: value})
        assert caught.value.field == field
        with pytest.raises(preopen.InvalidInputError) as caught:
            asyncio.run(getattr(other, verb)("/quote/getQuote", **{field: value}))
        assert caught.value.field == field
    assert sandbox.requests().count == 0


NAMED = [
    (
        {"params": {"symbolName": None}},
        'value of "symbolName" must be a str, int, float or bool, not NoneType',
    ),
    ({"params": {"a": 1, "b": [1]}}, 'value of "b" must be a str, int, float or bool, not list'),
    ({"params": {"a": float("nan")}}, 'value of "a" must be a finite number, not NaN'),
    ({"params": {"a": "x\ud800"}}, 'value of "a" holds characters that are not valid Unicode'),
    ({"params": {1: "a"}}, "key must be a str, not int"),
    ({"params": {"\ud800": "a"}}, "key holds characters that are not valid Unicode"),
    ({"headers": {"x-a": 1}}, 'value of "x-a" must be a str, not int'),
    ({"headers": {b"x-a": "a"}}, "key must be a str, not bytes"),
]


@pytest.mark.parametrize(("options", "problem"), NAMED, ids=str)
def test_the_wrong_key_is_named(options, problem):
    (field,) = options
    with pytest.raises(preopen.InvalidInputError) as caught:
        preopen.Session(SAMCO, base_url="http://127.0.0.1:9").get("/x", **options)
    assert (caught.value.field, caught.value.message) == (field, f"{field} {problem}")


@pytest.mark.parametrize("kind", [preopen.Session, preopen.AsyncSession])
def test_missing_arguments_name_what_people_know(kind):
    session = kind(SAMCO)
    for call, name in ((kind, "__init__"), (session.invalidate, "invalidate")):
        with pytest.raises(TypeError, match="missing 1 required positional argument") as caught:
            call()
        assert "SessionBase" not in str(caught.value)
        assert getattr(kind, name).__qualname__ == f"{kind.__name__}.{name}"
        assert inspect.signature(getattr(kind, name)) == inspect.signature(getattr(SessionBase, name))

    class Own(kind):
        def __init__(self):
            super().__init__(SAMCO)

    assert Own().broker == "samco"


@pytest.mark.parametrize(
    "path", [1, None, b"/x", "x", "", "https://elsewhere.example/x", "//x", "/a/../b", "/session/token\n"]
)
def test_paths(sandbox, path):
    with pytest.raises(preopen.InvalidInputError) as caught:
        sandbox.session("samco").get(path)
    assert caught.value.field == "path"
    assert sandbox.requests().count == 0


@pytest.mark.parametrize(
    ("verb", "path"),
    [("delete", path) for path in ("/logout", "/Logout/", "/%6cogout")]
    + [
        ("post", path)
        for path in ("/session/token", "/Session/Token/", "/session/%74oken", "/session/./token")
    ],
)
def test_logins_and_logouts_by_hand_are_refused(sandbox, verb, path):
    with pytest.raises(preopen.InvalidInputError) as caught:
        getattr(sandbox.session("samco"), verb)(path)
    assert caught.value.field == "path"
    assert sandbox.requests().count == 0


@pytest.mark.parametrize("generation", [-1, 1.5, "1", None, True, 2**64])
def test_generations(generation):
    with pytest.raises(preopen.InvalidInputError) as caught:
        preopen.Session(SAMCO).invalidate(generation)
    assert caught.value.field == "generation"


def test_a_deep_body_is_refused(sandbox):
    deep = {}
    for _ in range(100000):
        deep = {"a": deep}
    with pytest.raises(preopen.InvalidInputError) as caught:
        sandbox.session("samco").post("/x", json=deep)
    assert caught.value.field == "json"
    while deep:
        deep = deep["a"]


def test_query_values(sandbox):
    params = {"symbolName": "a b/c?%", "exchange": "NSE", "a": 1, "b": 2.5, "c": True, "d": 2**70}
    session = sandbox.session("samco")
    with pytest.raises(preopen.PreopenError):
        session.get("/x/y", params=params)
    query = sandbox.requests("samco", "/x/y").requests[0]["query"]
    assert [part.split("=")[0] for part in query.split("&")] == list(params)


def test_replies(sandbox):
    sandbox.clock.set_rate(0)
    sandbox.clock.set("2026-11-23T10:00:00+05:30")
    session = sandbox.session("samco")
    data = {
        "text": "ab\u20b9\U0001f4c8",
        "whole": 2**63,
        "less": -(2**63),
        "part": 0.1,
        "no": None,
        "yes": True,
        "list": [[], {}],
    }
    sandbox.fault(
        "samco",
        READ["samco"],
        status=200,
        body={"status": "Success", "statusMessage": "ok", "msgId": "m", **data},
    )
    reply = session.get(READ["samco"], params=QUOTE)
    assert {name: reply.data[name] for name in data} == data
    assert [type(reply.data[name]) for name in data] == [type(value) for value in data.values()]
    assert list(data) == [name for name in reply.data if name in data]
    assert (reply.message, reply.message_id, reply.http_status) == ("ok", "m", 200)
    time = session.get(READ["samco"], params=QUOTE).server_time
    assert time == datetime.datetime(2026, 11, 23, 4, 30, tzinfo=datetime.timezone.utc)


def test_values_are_immutable_and_equal_by_value(sandbox):
    session = sandbox.session("samco")
    who = session.whoami()
    assert who == session.whoami()
    assert who != session.profile()
    with pytest.raises(AttributeError):
        who.verdict = "match"
    with pytest.raises(AttributeError):
        del who.verdict
    with pytest.raises(AttributeError):
        who.other = 1
    with pytest.raises(TypeError):
        preopen.WhoAmI(verdict="match")


def test_times_are_aware_and_in_utc(sandbox):
    sandbox.clock.set_rate(0)
    sandbox.clock.set("2026-11-23T10:00:00.123+05:30")
    session = sandbox.session("samco")
    eight = datetime.datetime(2026, 11, 24, 2, 30, tzinfo=datetime.timezone.utc)
    assert session.token().expires_at == eight
    state = session.state()
    assert state.expires_at == eight
    assert state.issued_at == datetime.datetime(2026, 11, 23, 4, 30, 0, 123000, tzinfo=datetime.timezone.utc)
    assert eight in [evidence.at for evidence in state.expiry_evidence]
    for time in (session.token().expires_at, state.expires_at, state.issued_at):
        assert time.utcoffset() == datetime.timedelta(0)


def test_sessions_are_context_managers(sandbox):
    with sandbox.session("samco") as session:
        session.token()

    async def main():
        async with sandbox.async_session("samco") as other:
            await other.token()
        return other

    for closed in (session, asyncio.run(main())):
        assert closed.state().name == "closed"
        closed.reset()
        assert closed.state().name == "closed"
    with pytest.raises(preopen.InvalidInputError) as caught:
        session.token()
    assert caught.value.field == "session"
    assert sandbox.requests("samco", "/logout").count == 0


def test_environments():
    assert preopen.Session(SAMCO).environment == "live"
    assert preopen.Session(SAMCO, base_url="http://127.0.0.1:1").environment == "sandbox"
    custom = preopen.Session(SAMCO, base_url="https://broker.example", allowed_hosts=["broker.example"])
    assert (custom.environment, custom.broker) == ("custom", "samco")
    assert repr(custom) == "Session(samco, custom, signed_out)"
    assert repr(preopen.AsyncSession(SAMCO)) == "AsyncSession(samco, live, signed_out)"


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (preopen.Samco, ["SAMCO_API_KEY", "SAMCO_API_SECRET"]),
        (
            preopen.AngelOne,
            ["ANGELONE_API_KEY", "ANGELONE_CLIENT_CODE", "ANGELONE_PIN", "ANGELONE_TOTP_SECRET"],
        ),
    ],
)
def test_credentials_from_the_environment(monkeypatch, kind, names):
    for name in names:
        monkeypatch.setenv(name, "JBSWY3DPEHPK3PXPJBSWY3DPEH" if name.endswith("TOTP_SECRET") else "1234")
    assert type(kind.from_env()) is kind
    preopen.Session(kind.from_env())
    for name in names:
        with monkeypatch.context() as without:
            without.delenv(name)
            with pytest.raises(preopen.InvalidInputError, match=name):
                kind.from_env()
