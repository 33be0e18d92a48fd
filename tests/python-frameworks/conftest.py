"""What these tests share: the embedded broker comes from Preopen's own pytest plugin."""

import os
import time

import pytest

LOGIN = "/session/token"
READ = "/quote/getQuote"
QUOTE = {"symbolName": "INFY", "exchange": "NSE"}


@pytest.fixture(autouse=True, scope="session")
def no_proxy():
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        os.environ.pop(name, None)


@pytest.fixture
def broker(preopen_sandbox):
    return preopen_sandbox


def logins(broker):
    """How many logins the broker saw."""
    return broker.requests("samco", LOGIN).count


def until(condition, seconds=20.0):
    """Asks again and again, at most so long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"


def account(broker):
    """What a program of its own needs: the broker's address, and a key and secret."""
    found = next(one for one in broker.accounts if one["broker"] == "samco")
    return broker.samco_url, found["api_key"], found["api_secret"]
