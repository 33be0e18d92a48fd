"""The live token and its headers, which are the same objects again for as long as they are live; and
replies, whose keys are the same strings again."""

import json
import sys

import pytest
import wire
from conftest import QUOTE, READ

import preopen

ENDS = {
    "by the clock": lambda sandbox, session, token: sandbox.clock.advance_to("08:00 IST"),
    "by its caller": lambda sandbox, session, token: session.invalidate(token.generation),
    "by a logout": lambda sandbox, session, token: session.logout(),
}


def test_a_live_token_is_the_same_object_again(sandbox):
    session = sandbox.session("samco")
    session.token()
    token = session.token()
    assert session.token() is token
    assert session.headers()["x-session-token"] == token.expose()
    session.get(READ["samco"], params=QUOTE)
    assert session.token() is token


@pytest.mark.parametrize("end", ENDS)
def test_a_token_that_has_ended_is_not_given_again(sandbox, end):
    session = sandbox.session("samco")
    session.token()
    before, headers = session.token(), session.headers()
    ENDS[end](sandbox, session, before)
    assert session._native.try_token() is None
    assert session._native.try_headers() is None
    # Headers first: they must not be those that were kept with the token before.
    assert session.headers()["x-session-token"] != headers["x-session-token"]
    after = session.token()
    assert after.generation == before.generation + 1
    assert session.headers()["x-session-token"] == after.expose() != before.expose()


def test_who_changes_his_headers_changes_nobody_elses(sandbox):
    session = sandbox.session("samco")
    session.token()
    mine = session.headers()
    whole = dict(mine)
    mine["x-strategy"] = "mean-reversion"
    del mine["x-session-token"]
    assert session.headers() == whole
    assert session.headers() is not session.headers()


@pytest.mark.parametrize("end", ["close", "logout"])
def test_a_session_that_is_over_holds_no_token(sandbox, end):
    session = sandbox.session("samco")
    session.token()
    token = session.token()
    held = sys.getrefcount(token)
    getattr(session, end)()
    assert sys.getrefcount(token) == held - 1


KEYS = [f"key {number}" for number in range(2000)]
DATA = {
    "many": [{key: number for number, key in enumerate(KEYS)} for _ in range(2)],
    "long": {"k" * length: length for length in range(70)},
    "other letters": {"कुंजी": "मूल्य", "🔑": None, "a\u0000b": 1, "a": 2},
    "numbers": [0, -1, 2**63, 1.5, -0.0, 1e300, True],
    "nested": {"a": {"a": [{"a": {"a": "a"}}]}},
}


@pytest.mark.parametrize("name", DATA)
def test_data_is_what_the_text_says_again_and_again(name):
    body = json.dumps({"status": "Success", "one": DATA[name], "two": "beside it"}).encode()
    with wire.serving(wire.broker(body)) as served:
        session = preopen.Session(preopen.Samco(api_key="k", api_secret="s"), base_url=served.url)
        for _ in range(3):
            reply = session.get(READ["samco"])
            assert reply.data == {"one": DATA[name], "two": "beside it"}
            assert reply.text == body.decode()
            assert repr(reply.data["one"]) == repr(DATA[name])
