"""Angel One's own Python client, `smartapi-python` 1.5.5, against the embedded broker.

Importing it asks a public service for this machine's address; constructing it makes `./logs`. The tests
keep both away from the network and from the repository.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any, Iterator

import pyotp
import pytest
import requests
from conftest import Sandbox

SBIN = ("NSE", "SBIN-EQ", "3045")
LOGIN_PATH = "/rest/auth/angelbroking/user/v1/loginByPassword"
PROFILE_PATH = "/rest/secure/angelbroking/user/v1/getProfile"


@pytest.fixture(scope="module")
def looked_up() -> list[str]:
    """Addresses and host names that the client asked for while it was imported."""
    return []


@pytest.fixture(scope="module")
def client(sandbox: Sandbox, looked_up: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    def get(url: str, *_: object, **__: object) -> None:
        looked_up.append(url)
        raise requests.ConnectionError("no network in tests")

    def gethostbyname(name: str) -> str:
        looked_up.append(name)
        return "127.0.0.1"

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("smartapi"))
        with pytest.MonkeyPatch.context() as importing:
            importing.setattr(requests, "get", get)
            importing.setattr(socket, "gethostbyname", gethostbyname)
            # Another test may have imported it in its own way.
            for name in [name for name in sys.modules if name.split(".")[0] == "SmartApi"]:
                importing.delitem(sys.modules, name)
            from SmartApi import SmartConnect
        account = sandbox.account("angelone")
        yield SmartConnect(api_key=account["api_key"], root=sandbox.angelone_url)


def totp(sandbox: Sandbox) -> str:
    return pyotp.TOTP(sandbox.account("angelone")["totp_secret"]).now()


@pytest.fixture(scope="module")
def profile(client: Any, sandbox: Sandbox) -> Any:
    """What the client's login answers: the profile, with the tokens added to it."""
    account = sandbox.account("angelone")
    return client.generateSession(account["client_code"], account["pin"], totp(sandbox))


def test_its_import_looks_up_an_address_and_its_constructor_makes_a_folder(
    client: Any, looked_up: list[str]
) -> None:
    assert client is not None
    assert any(url.startswith("https://") for url in looked_up)
    assert Path("logs").is_dir()


def test_login_with_a_pin_and_a_totp(client: Any, profile: Any, sandbox: Sandbox) -> None:
    assert profile["status"] is True
    assert profile["data"]["clientcode"] == sandbox.account("angelone")["client_code"]
    # It keeps the bare token and hands out one with the scheme in front.
    assert profile["data"]["jwtToken"] == "Bearer " + client.access_token
    assert client.refresh_token == profile["data"]["refreshToken"]
    assert client.getfeedToken() == profile["data"]["feedToken"]


def test_its_login_is_two_requests(profile: Any, sandbox: Sandbox) -> None:
    assert profile["status"] is True
    assert sandbox.requests_seen("angelone", LOGIN_PATH) >= 1
    assert sandbox.requests_seen("angelone", PROFILE_PATH) >= 1


def test_profile(client: Any, profile: Any) -> None:
    reply = client.getProfile(client.refresh_token)
    assert reply["status"] is True
    assert reply["data"]["clientcode"] == profile["data"]["clientcode"]


def test_last_traded_price(client: Any, profile: Any) -> None:
    assert profile["status"] is True
    reply = client.ltpData(*SBIN)
    assert reply["status"] is True
    assert reply["data"]["tradingsymbol"] == SBIN[1]
    assert float(reply["data"]["ltp"]) > 0


def test_funds(client: Any, profile: Any) -> None:
    assert profile["status"] is True
    assert client.rmsLimit()["status"] is True


def test_refresh_gives_a_token_that_works(client: Any, profile: Any) -> None:
    reply = client.generateToken(profile["data"]["refreshToken"])
    assert reply["status"] is True
    assert reply["data"]["jwtToken"]
    # It keeps the old refresh token, which a broker with rotation has ended.
    client.setRefreshToken(reply["data"]["refreshToken"])
    assert client.getProfile(client.refresh_token)["status"] is True


def test_logout(client: Any, profile: Any) -> None:
    assert client.terminateSession(profile["data"]["clientcode"])["status"] is True
