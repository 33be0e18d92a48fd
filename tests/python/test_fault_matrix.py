"""The rows of tests/faults/matrix.json: what goes wrong on the way to a broker, by a blocking and by an
asyncio session."""

import asyncio
import gc
import json
import pathlib
import shutil
import subprocess
import sys
import time

import pytest
import wire
from conftest import LOGIN, MORNING, QUOTE, READ, ROOT, assert_has, logins, until
from renderings import assert_no_secret

import preopen

ROWS = json.loads((ROOT / "tests" / "faults" / "matrix.json").read_text())
WRITE = {"samco": "/order/placeOrder", "angelone": "/rest/secure/angelbroking/order/v1/placeOrder"}
#: The largest reply that is read.
CAP = 8 << 20
STATUS = pathlib.Path("/proc/self/status")


def kind_of(name):
    """Every call as a plain function, for both kinds of session."""
    if name == "blocking":
        return preopen.Session, "session", lambda call: call()
    return preopen.AsyncSession, "async_session", lambda call: asyncio.run(call())


def account(sandbox, broker, wrong):
    own = {**next(one for one in sandbox.accounts if one["broker"] == broker), **wrong}
    names = (
        ("api_key", "api_secret") if broker == "samco" else ("api_key", "client_code", "pin", "totp_secret")
    )
    return own, {"samco": preopen.Samco, "angelone": preopen.AngelOne}[broker](**{n: own[n] for n in names})


def memory(field):
    return (
        next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(field)) << 10
    )


def measured(act):
    """What an action gives, and the bytes that memory rises to above where it was."""
    gc.collect()
    if not STATUS.exists():
        return act(), 0
    before = memory("VmRSS")
    # The peak from now on.
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    done = act()
    return done, memory("VmHWM") - before


class Case:
    """One row, on one kind of call."""

    def __init__(self, sandbox, row, on, kind):
        self.sandbox, self.row, self.on = sandbox, row, on
        self.broker = row.get("broker", "samco")
        self.path = {"login": LOGIN, "read": READ, "write": WRITE}[on][self.broker]
        self.plain, self.method, self.run = kind_of(kind)
        self.own, self.credentials = account(sandbox, self.broker, row.get("wrong", {}))
        self.options = {"timeout": row["timeout"]} if "timeout" in row else {}

    def session(self, server):
        if server is None:
            make = getattr(self.sandbox, self.method)
            return make(self.broker, credentials=self.credentials, **self.options)
        if self.row["server"].get("tls") and self.row["server"].get("trusted", True):
            self.options["ca_file"] = str(wire.TLS / "ca.pem")
        # The embedded broker's credentials are refused nowhere on loopback.
        return self.plain(self.credentials, base_url=server, **self.options)

    def call(self, session):
        if self.on == "login":
            return self.run(session.token)
        if self.on == "read":
            params = QUOTE if self.broker == "samco" else None
            return self.run(lambda: session.get(self.path, params=params))
        return self.run(lambda: session.post(self.path, json={"symbolName": "INFY", "quantity": "1"}))

    def play(self, server=None, elsewhere=None):
        self.sandbox.clock.set(MORNING)
        session = self.session(server)
        if self.row.get("wrong") and self.broker == "angelone":
            # A refused code is tried again in the next step.
            self.sandbox.clock.set_rate(200)
        if self.on != "login" and (server is None or "error" not in self.row["expect"]):
            self.run(session.token)
        if self.row.get("warm"):
            self.warm(session)
        for fault in self.row.get("faults", []):
            fault = dict(fault)
            if fault.pop("redirect", False):
                fault["redirect_to"] = f"{elsewhere.url}/login?x=CANARY-in-a-query"
            self.sandbox.fault(self.broker, self.path, **fault)
        began = time.monotonic()
        for _ in range(self.row.get("repeat", 1)):
            self.once(session)
        if "within" in self.row:
            assert time.monotonic() - began < self.row["within"]
        if "seen" in self.row:
            assert self.sandbox.requests(self.broker, self.path).count == self.row["seen"]
        if "logins" in self.row:
            assert logins(self.sandbox, self.broker) == self.row["logins"]
        if self.row.get("renewed"):
            until(lambda: session.state().generation == 2 and session.state().name == "active")
        if elsewhere is not None:
            assert elsewhere.seen == []
        self.no_secret(session.state())

    def warm(self, session):
        """Leaves a kept connection behind."""
        read = READ[self.broker]
        self.run(lambda: session.get(read, params=QUOTE))

    def once(self, session):
        expected = self.row["expect"].get("error")
        if expected is None:
            return self.call(session)

        def fails():
            with pytest.raises(preopen.PreopenError) as caught:
                self.call(session)
            return caught.value

        if self.row.get("memory"):
            error, rise = measured(fails)
            assert rise <= 2 * CAP, f"{rise >> 20} MiB"
        else:
            error = fails()
        assert type(error) is preopen.errors.BY_CODE[expected["code"]]
        assert_has(error, expected)
        assert self.row.get("message", "") in str(error)
        assert len(error.body or "") <= 512
        self.no_secret(error)

    def no_secret(self, thing):
        secrets = [self.own.get(name) for name in ("api_key", "api_secret", "pin", "totp_secret")]
        canaries = [wire.TOKEN, "CANARY-in-a-query"]
        assert_no_secret(thing, [*canaries, *(one for one in secrets if one and len(one) > 8)])


CASES = [
    pytest.param(row, on, kind, id=f"{row['name']}-{on}-{kind}")
    for row in ROWS
    for on in row["on"]
    for kind in ("blocking", "asyncio")
]


@pytest.mark.parametrize(("row", "on", "kind"), CASES)
def test_row(sandbox, row, on, kind, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case = Case(sandbox, row, on, kind)
    server = row.get("server")
    if server is None:
        with wire.serving(wire.broker()) as elsewhere:
            case.play(elsewhere=elsewhere)
    elif "refused" in server:
        case.play(f"http://127.0.0.1:{wire.unused_port()}")
    else:
        body = server["body"].encode("latin-1") if "body" in server else wire.READ
        answers = wire.broker(
            body, server.get("close", False), body if on == "login" and "body" in server else None
        )
        with wire.serving(answers, server.get("tls")) as played:
            case.play(played.url)
    # Nothing is said or left behind.
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_the_rows_are_there():
    names = [row["name"] for row in ROWS]
    assert len(names) == len(set(names)) >= 35


BLACK_HOLE = """
import os, time
began = time.monotonic()
threads = len(os.listdir("/proc/self/task"))
import preopen
from preopen import AngelOne, AsyncSession, Samco, Session
codes = {"pin": "0000", "totp_secret": "JBSWY3DPEHPK3PXPJBSWY3DPEH"}
for kind in (Session, AsyncSession):
    kind(Samco(api_key="k", api_secret="s"))
    kind(AngelOne(api_key="k", client_code="A1", **codes))
assert len(os.listdir("/proc/self/task")) == threads
assert os.listdir() == []
print(time.monotonic() - began < 5)
try:
    Session(Samco(api_key="k", api_secret="s"), timeout=2).token()
except preopen.PreopenError as error:
    print(error.code)
"""


def isolated():
    """A command's beginning that gives it a network of its own with nothing in it, where the kernel allows
    that."""
    command = ["unshare", "--map-root-user", "--net"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], stderr=subprocess.DEVNULL).returncode != 0
    ):
        return []
    return command


def test_import_and_construction_with_the_network_black_holed(tmp_path):
    alone = isolated()
    # A live broker is only ever asked where it cannot be reached.
    text = BLACK_HOLE if alone else BLACK_HOLE.split("try:")[0]
    command = [*alone, sys.executable, "-c", text]
    done = subprocess.run(command, cwd=str(tmp_path), capture_output=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == ([b"True", *([b"network"] if alone else [])], b"")
