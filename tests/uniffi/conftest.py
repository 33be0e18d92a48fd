"""The shared drivers of ``tests/python`` on the Python that UniFFI generates, which is in the folder
``PREOPEN_UNIFFI``."""

import importlib.util
import os
import pathlib
import sys
from datetime import datetime, timezone

import pytest

PYTHON = pathlib.Path(__file__).resolve().parents[1] / "python"
sys.path[:0] = [os.environ["PREOPEN_UNIFFI"], str(PYTHON)]
pytest.register_assert_rewrite("python_conftest", "test_scenarios", "test_vectors")

# The drivers import it as `conftest`, which is this file.
_spec = importlib.util.spec_from_file_location("python_conftest", PYTHON / "conftest.py")
_shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shared)
globals().update({name: value for name, value in vars(_shared).items() if not name.startswith("_")})

import skin  # noqa: E402

import preopen.sandbox  # noqa: E402


class Clocks:
    """The broker's clock for its own package and for the skin."""

    def __init__(self, theirs):
        self.theirs = theirs
        self.mine = skin.native.VirtualClock(datetime.now(timezone.utc), 1.0)

    def set(self, now_ms, rate):
        self.theirs.set(now_ms, rate)
        self.mine.set(datetime.fromtimestamp(now_ms / 1000, timezone.utc), rate)

    def __getattr__(self, name):
        return getattr(self.theirs, name)


class Sandbox(preopen.sandbox.Sandbox):
    """An embedded broker whose sessions are the skin's."""

    def start(self):
        super().start()
        self._clock = Clocks(self._clock)
        self.clock.now()
        return self

    def session(self, broker, **options):
        return skin.Blocking(self.opened(broker, **options))

    def async_session(self, broker, **options):
        return skin.Awaited(self.opened(broker, **options))

    def opened(self, broker, credentials=None, **options):
        account = next(one for one in self.accounts if one["broker"] == broker)
        if credentials is None and broker == "samco":
            credentials = skin.samco(account["api_key"], account["api_secret"])
        elif credentials is None:
            names = ("api_key", "client_code", "pin", "totp_secret")
            credentials = skin.angel_one(*[account[name] for name in names])
        url = {"samco": self.samco_url, "angelone": self.angelone_url}[broker]
        return skin.opened(credentials, self._clock.mine, base_url=url, ca_file=self.ca_file, **options)


@pytest.fixture
def sandbox():
    with Sandbox() as broker:
        yield broker
