"""Every vector of tests/vectors: the embedded broker answers with the reply, the session says what it is."""

import json
import pickle
from decimal import Decimal

import pytest
from conftest import LOGIN, MORNING, ROOT, assert_has

import preopen

CREDENTIALS = {
    "samco": preopen.Samco(api_key="vector-key", api_secret="vector-secret"),
    "angelone": preopen.AngelOne(
        api_key="vector-key", client_code="VEC100", pin="0000", totp_secret="JBSWY3DPEHPK3PXPJBSWY3DPEH"
    ),
}
FILES = sorted(
    path for broker in CREDENTIALS for path in (ROOT / "tests" / "vectors" / broker).glob("*.json")
)
PATHS = {"whoami": "/ip/whoami", "profile": "/rest/secure/angelbroking/user/v1/getProfile"}


def fault_of(reply):
    headers = {}
    if "content_type" in reply:
        headers["content-type"] = reply["content_type"]
    if "retry_after" in reply:
        headers["retry-after"] = str(reply["retry_after"])
    fault = {"status": reply["status"], "headers": headers, "times": 10}
    body = reply.get("body", reply.get("text"))
    return {**fault, "body_kind": "empty"} if body == "" else {**fault, "body": body}


def outcome(session, call):
    """What the call gives, with the fields of the format."""
    if call == "login":
        token = session.token().expose()
        # SmartAPI's profile is a call, which the vector does not answer.
        account = session.profile().account_id if session.broker == "samco" else "VEC100"
        return {"token": token, "account_id": account}
    if call in ("whoami", "profile"):
        return getattr(session, call)()
    method, path = call.split(" ")
    return getattr(session, method.lower())(path)


def test_there_are_vectors_of_both_brokers():
    assert sum(path.parent.name == "samco" for path in FILES) >= 150
    assert sum(path.parent.name == "angelone" for path in FILES) >= 120


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_vector(sandbox, path):
    vector = json.loads(path.read_text())
    broker, call = path.parent.name, vector["call"]
    sandbox.clock.set(MORNING)
    # A refused one-time code is tried again in the next step: it need not take half a minute.
    sandbox.clock.set_rate(200)
    login = call == "login"
    session = sandbox.session(broker, **({"credentials": CREDENTIALS[broker]} if login else {}))
    if not login:
        session.token()
    faulty = LOGIN[broker] if login else PATHS.get(call, call.split(" ")[-1])
    sandbox.fault(broker, faulty, **fault_of(vector["reply"]))
    expected = vector["expect"]
    if "error" in expected:
        with pytest.raises(preopen.PreopenError) as caught:
            outcome(session, call)
        assert_has(caught.value, expected["error"], path.stem)
        assert preopen.errors.BY_CODE[expected["error"]["code"]] is type(caught.value)
    else:
        addresses = ("source_ip", "primary_ip", "secondary_ip") if login else ()
        wanted = {name: value for name, value in expected["ok"].items() if name not in addresses}
        found = outcome(session, call)
        if "rejections" in wanted:
            rejections = [
                {"at": one.at, "order_id": one.order_id, "reason": one.reason} for one in found.rejections
            ]
            assert rejections == wanted.pop("rejections"), path.stem
        assert_has(found, wanted, path.stem)
        if " " in call:
            sent = vector["reply"]
            assert json.loads(found.text) == (sent["body"] if "body" in sent else json.loads(sent["text"]))


def test_numbers_are_reachable_as_they_were_sent(sandbox):
    path = ROOT / "tests" / "vectors" / "samco" / "envelope-numbers.json"
    vector = json.loads(path.read_text())
    session = sandbox.session("samco")
    sandbox.fault("samco", "/quote/getQuote", **fault_of(vector["reply"]))
    reply = session.get("/quote/getQuote")
    assert reply.data["quoteDetails"]["price"] == 1550.25
    exact = json.loads(reply.text, parse_float=Decimal)["quoteDetails"]
    # Python's own integers have no limit, so the data has them whole.
    assert exact["id"] == reply.data["quoteDetails"]["id"] == 9007199254740993
    assert str(exact["price"]) == "1550.2500"
    assert "9007199254740993" not in repr(reply)
    assert pickle.loads(pickle.dumps(reply)) == reply


def test_a_number_beyond_64_bits_is_whole_in_the_text(sandbox):
    session = sandbox.session("samco")
    body = '{"status":"Success","indexData":{"huge":123456789012345678901234567890}}'
    sandbox.fault("samco", "/indexData", status=200, body=body, times=1)
    reply = session.get("/indexData")
    assert reply.data["indexData"]["huge"] == pytest.approx(1.2345678901234568e29)
    assert json.loads(reply.text)["indexData"]["huge"] == 123456789012345678901234567890


def test_data_is_what_is_in_the_text(sandbox):
    """Names in their order, and of one that comes twice the last value in the place of the first."""
    session = sandbox.session("samco")
    payload = '"b":[],"a":{"y":1,"x":2,"y":3},"\\u00e9":"\\ud83d\\ude00","status ":null,"data":{}'
    body = f'{{"status":"Success","msgId":"m",{payload},"serverTime":"","statusMessage":"m"}}'
    sandbox.fault("samco", "/indexData", status=200, body=body, times=2)
    for _ in range(2):
        reply = session.get("/indexData")
        assert json.dumps(reply.data) == json.dumps(json.loads(f"{{{payload}}}"))
        assert reply.text == body


def test_names_are_made_once_and_data_never_shared(sandbox):
    session = sandbox.session("angelone")
    path = "/rest/secure/angelbroking/order/v1/getOrderBook"
    body = '{"status":true,"message":"SUCCESS","data":[{"a name":[]},{"a name":[]}]}'
    sandbox.fault("angelone", path, status=200, body=body, times=2)
    replies = [session.get(path) for _ in range(2)]
    (first, second), (third, _) = (reply.data for reply in replies)
    assert next(iter(first)) is next(iter(second)) is next(iter(third))
    assert first == second == third and first is not second and first["a name"] is not third["a name"]
