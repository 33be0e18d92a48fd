"""The embedded broker as a child process, for the brokers' own Python clients."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from typing import Any, Iterator

import pytest

# No proxy of the machine's may stand between a client and the sandbox.
for _name in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.upper(), None)


class Sandbox:
    """A running `preopen sandbox`: what it printed, and its control API."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.samco_url: str = facts["samco_url"].rstrip("/")
        self.angelone_url: str = facts["angelone_url"].rstrip("/")
        self._control_url: str = facts["control_url"].rstrip("/")
        self._token: str = facts["control_token"]
        self._accounts = facts["accounts"]

    def account(self, broker: str) -> dict[str, str]:
        """The first seeded account of a broker."""
        return next(account for account in self._accounts if account["broker"] == broker)

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call of the control API."""
        request = urllib.request.Request(
            self._control_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"x-sandbox-token": self._token, "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as reply:
            text = reply.read()
        return json.loads(text) if text else None

    def requests_seen(self, broker: str, path: str) -> int:
        """How many requests for a path the broker saw."""
        return int(self.control("GET", f"/requests?broker={broker}&path={path}")["count"])


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    program = os.environ.get("PREOPEN_BIN")
    assert program, "PREOPEN_BIN must name the built `preopen` command; `cargo xtask test` sets it"
    child = subprocess.Popen(
        [program, "sandbox", "--json", "--exit-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        line = child.stdout.readline()
        assert line, f"the sandbox ended with {child.wait(10)} before it was ready"
        yield Sandbox(json.loads(line))
    finally:
        assert child.stdin is not None
        child.stdin.close()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise
