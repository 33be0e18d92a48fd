"""Static IPs and preflight: the vectors of the rule on changes, and what only Python has."""

import asyncio
import json
import pickle
from datetime import datetime, timedelta, timezone

import pytest
from conftest import MORNING, ROOT, assert_has

import preopen
from preopen import static_ip

FILES = sorted((ROOT / "tests" / "vectors" / "static_ip").glob("*.json"))
IST = timezone(timedelta(hours=5, minutes=30))


def cases():
    for path in FILES:
        vector = json.loads(path.read_text())
        for number, case in enumerate(vector["cases"]):
            yield pytest.param({**vector["given"], **case["asked"]}, case, id=f"{path.stem}-{number}")


def compare(found, expected):
    parts = {name[: -len("_contains")] for name in expected if name.endswith("_contains")}
    for name in parts:
        assert expected[name + "_contains"] in getattr(found, name)
    assert_has(found, {name: value for name, value in expected.items() if not name.endswith("_contains")})


def test_there_are_vectors():
    assert len(FILES) >= 8


@pytest.mark.parametrize(("asked", "case"), cases())
def test_vector(asked, case):
    ask = {name: asked[name] for name in ("wanted", "rule", "now") if name in asked}
    ask["history"] = asked.get("history") or ()
    if "error" in case:
        with pytest.raises(preopen.InvalidInputError) as caught:
            static_ip.may_change(asked["broker"], **ask)
        compare(caught.value, case["error"])
    else:
        compare(static_ip.may_change(asked["broker"], **ask), case["ok"])


def test_times_are_aware_datetimes():
    changed = datetime(2026, 11, 16, 10, 0, 0, 123000, tzinfo=IST)
    history = ({"at": changed, "primary": "1.1.1.1"},)
    answer = static_ip.may_change("samco", {"primary": "8.8.8.8"}, history, now=changed + timedelta(days=1))
    assert (answer.allowed, answer.at, answer.last_counted) == (False, changed + timedelta(days=7), changed)
    assert answer.at.utcoffset() == timedelta(0)
    assert static_ip.may_change("samco", history=history, now=changed + timedelta(days=7)).allowed
    assert pickle.loads(pickle.dumps(answer)) == answer
    with pytest.raises(AttributeError):
        answer.allowed = True


@pytest.mark.parametrize(
    ("field", "history", "now"),
    [
        ("history[0].at", [{"at": datetime(2026, 11, 16), "primary": "1.1.1.1"}], None),
        ("now", [], datetime(2026, 11, 16)),
        ("history", [{"at": object()}], None),
        ("history", 7, None),
        ("history", [{"at": float("nan")}], None),
    ],
)
def test_what_cannot_be_understood_is_refused(field, history, now):
    with pytest.raises(preopen.InvalidInputError) as caught:
        static_ip.may_change("samco", history=history, now=now)
    assert caught.value.field == field


def test_check_address():
    assert static_ip.check_address(" 1.1.1.1 ") == "1.1.1.1"
    for wrong, words in [
        ("10.0.0.1", "private"),
        ("::1", "IPv6"),
        ("", "four numbers"),
        (7, "must be a str"),
    ]:
        with pytest.raises(preopen.InvalidInputError, match=words) as caught:
            static_ip.check_address(wrong)
        assert caught.value.field == "address"


def test_the_module_is_reached_by_its_name():
    assert preopen.static_ip is static_ip
    assert "static_ip" in dir(preopen)


def test_preflight(sandbox):
    sandbox.clock.set_rate(0)
    sandbox.clock.set(MORNING)
    session = sandbox.session("samco")
    found = session.preflight()
    assert (found.broker, found.ready, found.source_ip) == ("samco", True, "203.0.113.10")
    names = ["session", "broker", "static_ip", "clock", "session_end", "network", "store"]
    assert [check.name for check in found.checks] == names
    assert found.at == datetime.fromisoformat(MORNING)
    assert pickle.loads(pickle.dumps(found)) == found
    sandbox.set_source_ip("198.51.100.7")
    found = session.preflight()
    (failed,) = [check for check in found.checks if check.status == "fail"]
    assert isinstance(failed.error, preopen.StaticIpMismatchError)
    assert (failed.error.source_ip, failed.error.primary_ip) == ("198.51.100.7", "203.0.113.10")
    assert failed.error.secondary_ip == "203.0.113.11"
    assert failed.fix.startswith("register 198.51.100.7 with the broker")
    assert session._native.try_token().expose() not in repr(found)


def test_preflight_wants_a_bool(sandbox):
    session = sandbox.session("samco")
    with pytest.raises(preopen.InvalidInputError) as caught:
        session.preflight(strict=1)
    assert caught.value.field == "strict"


def test_preflights_of_one_loop_share_a_login(sandbox):
    sandbox.clock.set(MORNING)

    async def together():
        async with sandbox.async_session("angelone") as session:
            return await asyncio.gather(*[session.preflight(strict=n == 0) for n in range(10)])

    found = asyncio.run(together())
    assert [one.ready for one in found] == [False, *[True] * 9]
    login = "/rest/auth/angelbroking/user/v1/loginByPassword"
    assert sandbox.requests("angelone", login).count == 1
