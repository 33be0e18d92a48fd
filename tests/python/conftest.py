"""What all tests share: the preopen command, and an embedded broker for each test."""

import base64
import contextlib
import hmac
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

from preopen.sandbox import Sandbox

ROOT = pathlib.Path(__file__).resolve().parents[2]
MORNING = "2026-11-23T10:00:00+05:30"
LOGIN = {"samco": "/session/token", "angelone": "/rest/auth/angelbroking/user/v1/loginByPassword"}
READ = {"samco": "/quote/getQuote", "angelone": "/rest/secure/angelbroking/user/v1/getRMS"}
QUOTE = {"symbolName": "INFY", "exchange": "NSE"}


@pytest.fixture(scope="session", autouse=True)
def command():
    """The preopen command: ``PREOPEN_BIN``, one on the PATH, or what cargo built last."""
    known = os.environ.get("PREOPEN_BIN") or shutil.which("preopen")
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = pathlib.Path(known) if known else target / "debug" / "preopen"
    if not path.exists():
        pytest.fail("no preopen command: cargo build -p preopen-cli, or set PREOPEN_BIN", pytrace=False)
    os.environ["PREOPEN_BIN"] = str(path)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        os.environ.pop(name, None)
    return path


@pytest.fixture
def sandbox():
    with Sandbox() as broker:
        yield broker


def logins(sandbox, broker="samco"):
    """How many logins the broker saw."""
    return sandbox.requests(broker, LOGIN[broker]).count


def one_time_code(secret, clock):
    """The code of a TOTP secret (RFC 6238, six digits, 30 seconds) at the time of an embedded broker."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, (int(clock.now().timestamp()) // 30).to_bytes(8, "big"), "sha1").digest()
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def until(condition, seconds=30.0):
    """Asks again and again, at most so long; each question is a call to the broker, so that it takes a
    while."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"


@contextlib.contextmanager
def script(text, *arguments):
    """A Python program of its own, with pipes for its input and output."""
    command = [sys.executable, "-c", text, *map(str, arguments)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, universal_newlines=True, **pipes) as child:
        try:
            yield child
        finally:
            child.kill()


def run_script(text, *arguments, seconds=60):
    """Runs a program to its end: exit code, output, errors."""
    with script(text, *arguments) as child:
        out, err = child.communicate(timeout=seconds)
        return child.returncode, out, err


def comparable(value):
    """A value as vectors and scenarios write it: times are RFC 3339 in UTC."""
    if hasattr(value, "tzinfo"):
        text = value.isoformat(timespec="milliseconds" if value.microsecond else "auto")
        assert text.endswith("+00:00")
        return text[: -len("+00:00")] + "Z"
    return value


def assert_has(found, expected, where=""):
    """Every field that `expected` names is equal in `found`, an object or a dict."""
    for name, wanted in expected.items():
        got = found[name] if isinstance(found, dict) else getattr(found, name)
        if name == "clock_skew" and got is not None:
            # Scenarios know it to the second.
            got = int(got)
        if isinstance(wanted, dict) and got is not None:
            assert_has(got, wanted, f"{where}.{name}")
        else:
            assert comparable(got) == wanted, f"{where}.{name}"
