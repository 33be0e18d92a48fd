"""Samco's own Python client, `stocknotebridge` 3.2.2, against the embedded broker.

That release answers with JSON text, not with objects, and raises nothing for a failure status.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import Sandbox
from snapi_py_client.api_client import ApiClient
from snapi_py_client.configuration import Configuration
from snapi_py_client.snapi_bridge import StocknoteAPIPythonBridge

JSON_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}


@pytest.fixture
def bridge(sandbox: Sandbox) -> StocknoteAPIPythonBridge:
    configuration = Configuration()
    configuration.host = sandbox.samco_url
    return StocknoteAPIPythonBridge(api_client=ApiClient(configuration))


def log_in(bridge: StocknoteAPIPythonBridge, account: dict[str, str]) -> dict[str, Any]:
    """The way that works in this release: the call its own `generate_session_token` would make."""
    reply = bridge.api_client.call_api(
        "/session/token",
        "POST",
        header_params=dict(JSON_HEADERS),
        body={"apiKey": account["api_key"], "apiSecret": account["api_secret"]},
        response_type="object",
        _return_http_data_only=True,
    )
    return json.loads(reply)


@pytest.fixture
def session(bridge: StocknoteAPIPythonBridge, sandbox: Sandbox) -> StocknoteAPIPythonBridge:
    bridge.set_session_token(log_in(bridge, sandbox.account("samco"))["sessionToken"])
    return bridge


def test_its_documented_login_raises_before_any_request(
    bridge: StocknoteAPIPythonBridge, sandbox: Sandbox
) -> None:
    before = sandbox.requests_seen("samco", "/session/token")
    with pytest.raises(TypeError, match="multiple values for keyword argument 'body'"):
        bridge.generate_session_token(body={"apiKey": "key", "apiSecret": "secret"})
    assert sandbox.requests_seen("samco", "/session/token") == before


def test_login_through_its_api_client(bridge: StocknoteAPIPythonBridge, sandbox: Sandbox) -> None:
    account = sandbox.account("samco")
    reply = log_in(bridge, account)
    assert reply["status"] == "Success"
    assert reply["sessionToken"]
    assert reply["accountID"] == account["account"]
    assert reply["primaryIp"] == account["primary_ip"]
    assert isinstance(reply["exchangeList"], list)


def test_a_wrong_secret_is_answered_as_text_with_its_status(
    bridge: StocknoteAPIPythonBridge, sandbox: Sandbox
) -> None:
    reply = log_in(bridge, {**sandbox.account("samco"), "api_secret": "not-the-secret"})
    assert bridge.api_client.last_response.status == 401
    assert reply["status"] == "Failure"
    assert reply["errorCode"] == "EOAUTH008"


def test_whoami(session: StocknoteAPIPythonBridge, sandbox: Sandbox) -> None:
    reply = json.loads(session.whoami())
    assert reply["status"] == "Success"
    assert reply["srcIp"]
    assert reply["primaryIp"] == sandbox.account("samco")["primary_ip"]
    assert isinstance(reply["matches"], bool)


def test_whoami_without_a_good_token_is_a_failure(bridge: StocknoteAPIPythonBridge) -> None:
    bridge.set_session_token("not-a-token")
    assert json.loads(bridge.whoami())["status"] == "Failure"
    assert bridge.api_client.last_response.status == 401


def test_quote(session: StocknoteAPIPythonBridge) -> None:
    reply = json.loads(session.get_quote("RELIANCE", exchange="NSE"))
    assert reply["status"] == "Success"
    assert reply["quoteDetails"]


def test_limits(session: StocknoteAPIPythonBridge) -> None:
    assert json.loads(session.get_limits())["status"] == "Success"


def test_logout_ends_the_session(session: StocknoteAPIPythonBridge) -> None:
    assert json.loads(session.logout())["status"] == "Success"
    assert json.loads(session.whoami())["status"] == "Failure"
