"""One cell of the fault table: a broker, the fault, and one client in a process of its own."""

import contextlib
import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
# The tests' server that is played by hand, and their paths.
sys.path.insert(0, str(HERE.parent / "python"))

import wire  # noqa: E402
from conftest import LOGIN, READ, one_time_code  # noqa: E402

from preopen.sandbox import Sandbox  # noqa: E402

PATHS = {
    "login": LOGIN,
    "read": READ,
    "write": {"samco": "/order/placeOrder", "angelone": "/rest/secure/angelbroking/order/v1/placeOrder"},
}
ORDERS = {
    "samco": {"symbolName": "INFY", "exchange": "NSE", "transactionType": "BUY", "quantity": "1"},
    "angelone": {"tradingsymbol": "SBIN-EQ", "symboltoken": "3045", "exchange": "NSE", "quantity": "1"},
}
#: Seconds above a timeout that a client may take.
MARGIN = 3.5
#: Seconds that a row without a timeout may take: a code that was refused is tried in the next half minute.
LIMIT = 45.0
#: Seconds to start and to log in.
PREPARED = 60.0
#: Seconds to end after the last report.
ENDED = 10.0
#: What a request's query carries to another host in the row that redirects.
QUERY = "CANARY-in-a-query"
NOT_TO_BE_SHOWN = ("api_key", "api_secret", "pin", "totp_secret")
#: A client without a way out of this machine; nothing else than the kernel's own words counts what it sent.
ALONE = ["unshare", "--map-root-user", "--net"]


def row_of(row, broker):
    """The row as it is for a broker: some say the same thing in other words."""
    return {**row, **row.get(broker, {}), "broker": broker}


def bound(row):
    """The seconds after which a row has to be over; nobody has to be quicker than the timeout that it was
    given."""
    if "timeout" not in row:
        return row.get("within", LIMIT)
    return max(row.get("within", row["timeout"] + MARGIN), row["timeout"])


def can_be_alone():
    if shutil.which(ALONE[0]) is None:
        return False
    return subprocess.run([*ALONE, "true"], stderr=subprocess.DEVNULL).returncode == 0


def tells_memory():
    """Whether a process can be told the most memory that it had from a moment on."""
    return pathlib.Path("/proc/self/clear_refs").exists()


class Child:
    """A client's process. Its reports come through a pipe of their own."""

    def __init__(self, command, folder, settings):
        reading, writing = os.pipe()
        self.out, self.err = (folder.parent / name for name in ("stdout", "stderr"))
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [*command, str(writing)],
                cwd=folder,
                env={**os.environ, "HOME": str(folder), "TMPDIR": str(folder), **settings},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                pass_fds=[writing],
            )
        os.close(writing)
        self.reports = queue.Queue()
        threading.Thread(target=self._listen, args=[reading], daemon=True).start()

    def _listen(self, reading):
        with os.fdopen(reading) as lines:
            for line in lines:
                self.reports.put(json.loads(line))
        # It has ended.
        self.reports.put(None)

    def say(self, **message):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def report(self, seconds):
        """The next report, nothing when the process has ended; `queue.Empty` when there is none in time."""
        return self.reports.get(timeout=seconds)

    def end(self):
        """The exit code, if it ended by itself."""
        try:
            return self.process.wait(ENDED)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()


def play(row, on, peer):
    """Plays a row with a client, and gives what was observed."""
    row = row_of(row, peer.broker or row.get("broker", "samco"))
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place) / "folder"
        folder.mkdir()
        with Sandbox() as sandbox, wire.serving(another_host(row["broker"], on)) as elsewhere:
            return Cell(row, on, peer, sandbox, elsewhere, folder).play()


def answers(broker, body=None, close=False, login=None):
    """As `wire.broker`, in the words of either broker."""
    if broker == "samco":
        return wire.broker(wire.READ if body is None else body, close, login)
    tokens = dict.fromkeys(("jwtToken", "refreshToken", "feedToken"), wire.TOKEN)
    good = [{**tokens, "clientcode": "A1"}, {"net": "1", "clientcode": "A1"}]
    token, read = [json.dumps({"status": True, "message": "SUCCESS", "data": data}).encode() for data in good]

    def answer(path):
        if path == LOGIN["angelone"]:
            return wire.reply(token if login is None else login, close)
        return wire.reply(read if body is None else body, close)

    return answer


def another_host(broker, on):
    """Answers whatever it is asked as the broker would: a client that follows shall not stumble over that."""
    answer = answers(broker)
    meant = LOGIN[broker] if on == "login" else READ[broker]
    return lambda _: answer(meant)


class Cell:
    """A row with one client on one stage."""

    def __init__(self, row, on, peer, sandbox, elsewhere, folder):
        self.row, self.on, self.peer, self.sandbox, self.folder = row, on, peer, sandbox, folder
        self.elsewhere = elsewhere
        self.broker = row["broker"]
        own = next(one for one in sandbox.accounts if one["broker"] == self.broker)
        self.account = {**own, **row.get("wrong", {})}
        self.path = PATHS.get(on, READ)[self.broker]
        self.secrets = {name: self.account.get(name) for name in NOT_TO_BE_SHOWN}

    def play(self):
        server = self.row.get("server")
        if server is None:
            url = getattr(self.sandbox, f"{self.broker}_url")
            return self.run(url, None)
        if "refused" in server:
            return self.run(f"http://127.0.0.1:{wire.unused_port()}", None)
        body = server["body"].encode("latin-1") if "body" in server else None
        answer = answers(self.broker, body, server.get("close", False), body if self.on == "login" else None)
        with wire.serving(answer, server.get("tls")) as played:
            return self.run(played.url, played)

    def spec(self, url):
        server = self.row.get("server", {})
        named = "tls" in server and server.get("trusted", True)
        angelone = self.broker == "angelone"
        return {
            "on": self.on,
            "broker": self.broker,
            "url": url,
            "account": self.account,
            "code": one_time_code(self.account["totp_secret"], self.sandbox.clock) if angelone else None,
            "paths": {action: paths[self.broker] for action, paths in PATHS.items()},
            "order": ORDERS[self.broker],
            "timeout": self.row.get("timeout"),
            "ca_file": str(wire.TLS / "ca.pem") if named else None,
            # A server that is played takes any token.
            "token": wire.TOKEN if server and self.on != "login" else None,
            "login_first": not server and self.on in ("read", "write"),
            "warm": self.row.get("warm", False),
            "repeat": self.row.get("repeat", 1),
            "memory": self.row.get("memory", False),
        }

    def run(self, url, played):
        spec = self.spec(url)
        settings = {}
        if spec["ca_file"]:
            # For clients without an option of their own.
            settings = {"REQUESTS_CA_BUNDLE": spec["ca_file"], "NODE_EXTRA_CA_CERTS": spec["ca_file"]}
        command = self.peer.command
        child = Child([*ALONE, *command] if self.on == "start" else command, self.folder, settings)
        try:
            child.say(**spec)
            if self.on != "start":
                self.prepared(child)
            return self.observed(child, played)
        finally:
            child.kill()

    def prepared(self, child):
        ready = child.report(PREPARED)
        if ready is None or ready["kind"] != "ready":
            raise RuntimeError(f"{self.peer.name} is not ready: {child.err.read_text()[-2000:]}")
        self.secrets["token"] = [*ready["tokens"], wire.TOKEN]
        for fault in self.row.get("faults", []):
            fault = dict(fault)
            if fault.pop("redirect", False):
                # The port and the name are other ones.
                there = self.elsewhere.url.replace("127.0.0.1", "localhost")
                fault["redirect_to"] = f"{there}/login?x={QUERY}"
            self.sandbox.fault(self.broker, self.path, **fault)
        self.before = self.sandbox.requests(self.broker, self.path).count
        child.say(go=True)

    def observed(self, child, played):
        limit = bound(self.row)
        began = time.monotonic()
        try:
            # A little more, so that one who is late can say so.
            told = child.report(limit + 2.0)
            ended = child.end()
        except queue.Empty:
            told, ended = {"kind": "hangs"}, None
            child.kill()
        if told is None:
            told = {"kind": "crash"}
        told.setdefault("seconds", time.monotonic() - began)
        if "tokens" in told:
            self.secrets["token"] = {*self.secrets["token"], *told["tokens"]}
        said = {"stdout": child.out, "stderr": child.err}
        texts = {name: path.read_text(errors="replace") for name, path in said.items()}
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        texts["a file"] = "\n".join(path.read_text(errors="replace") for path in files)
        texts["the exception"] = told.pop("shown", "")
        shown = {name: sorted(self.found(text, QUERY)) for name, text in texts.items()}
        return {
            **told,
            "exit": ended,
            "last_words": last_words(texts["stderr"]),
            "bound": limit,
            "shown": {name: kinds for name, kinds in shown.items() if kinds},
            "written": sorted({path.relative_to(self.folder).parts[0] for path in self.folder.rglob("*")}),
            "seen": self.seen(played),
            "reached": self.reached(played),
            "went_elsewhere": bool(self.elsewhere.seen),
            "leaked": sorted(self.received(self.elsewhere)),
            "unproven": sorted(self.received(played)) if self.row.get("server", {}).get("tls") else [],
        }

    def seen(self, played):
        """How often the broker saw what was asked."""
        if played is not None:
            return sum(path == self.path for path in played.seen)
        if self.on == "start":
            return 0
        return self.sandbox.requests(self.broker, self.path).count - self.before

    def reached(self, played):
        """Whether the client met what the row is about: an error of one that did not would say nothing."""
        if self.on == "start" or "refused" in self.row.get("server", {}):
            return None
        if played is not None and self.row["server"].get("tls"):
            return played.connected > 0
        if self.row.get("faults"):
            return any(one["fault"] for one in self.sandbox.requests(self.broker, self.path).requests)
        return self.seen(played) > 0

    def found(self, text, *canaries):
        """The kinds of secrets in a text. A PIN of four digits is anywhere."""
        kinds = {"query"} if any(canary in text for canary in canaries) else set()
        for kind, values in self.secrets.items():
            values = [values] if isinstance(values, str) else values or []
            if any(len(value) > 8 and value in text for value in values):
                kinds.add(kind)
        return kinds

    def received(self, server):
        """The kinds of secrets that a server was sent."""
        if server is None:
            return set()
        headers = [value for sent in server.headers for value in sent.values()]
        return self.found("\n".join([*headers, *(body.decode("latin-1") for body in server.bodies)]))


def last_words(text):
    """The line of standard error that names what ended the process."""
    lines = [line.strip() for line in text.splitlines() if "Error" in line.split(":")[0].split(" ")[-1]]
    return lines[-1] if lines else ""
