"""The benchmark of many sessions in one process: memory at rest, and a mass renewal at the boundary."""

import json
import re
import subprocess
from pathlib import Path

from broker import LOGIN, PARAMS
from broker import PATH as CALL
from report import Column, Group, Table, Target
from rounds import median

#: Busy at the same time.
WORKERS = 64
NOTE = """\
One Samco account for each session, over http, {workers} busy at the same time, on warm connections.
Bytes are for each session: `cold` was built and never used, `live` is logged in, `used` has made a
call. The heap is exact (a counting allocator); the tokens, and not the credentials (`keys`), are
left out of `live` and `used`. `RSS` is by how much the process grew from before the first session
to `used`, tokens included. A renewal is the broker's clock at 08:00 IST, when every session is over
at once: medians of {rounds} rounds, CPU of all threads of the client. The broker's own counts of
logins and calls were the client's in every round.
"""
START = "2026-11-23T07:30:00+05:30"


class Client:
    """The process that holds the sessions; it says what each command cost."""

    def __init__(self, program, settings):
        self.child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = self.ask(settings)

    def ask(self, command):
        self.child.stdin.write(json.dumps(command) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit(f"the client of the sessions ended with {self.child.wait(10)}")
        return {**json.loads(line), "rss": self.resident()}

    def resident(self):
        """Resident memory in bytes, where the system tells it this way."""
        status = Path(f"/proc/{self.child.pid}/status")
        found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text()) if status.exists() else None
        return int(found[1]) * 1024 if found else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(30)


def counted(broker, path, expected, act):
    """Runs `act`; the broker must have seen exactly the requests that the client claims."""
    before = broker.seen(path)
    result = act()
    sent = broker.seen(path) - before
    if not sent == result["done"] == expected:
        raise SystemExit(f"{path}: {expected} meant, {result['done']} claimed, the broker saw {sent}")
    return result


def measure(broker, program, count, workers, rounds):
    """One process with `count` sessions: built, logged in, used, and then renewed in rounds."""
    broker.control("PUT", "/clock", {"now": START, "rate": 0})
    accounts = broker.control("POST", "/accounts", {"broker": "samco", "count": workers + count})["accounts"]
    keys = [{name: account[name] for name in ("api_key", "api_secret")} for account in accounts]
    settings = {
        "url": broker.ready["samco_url"],
        "ca_file": broker.ready["ca_file"],
        "now": START,
        "workers": workers,
        "warm_up": keys[:workers],
        "path": CALL,
        "query": list(PARAMS.items()),
        "accounts": keys[workers:],
    }
    with Client(program, settings) as client:

        def login(now, generation):
            command = {"login": {"now": now, "generation": generation}}
            return counted(broker, LOGIN, count, lambda: client.ask(command))

        def call():
            return counted(broker, CALL, count, lambda: client.ask("call"))

        ready, cold, live = client.ready, client.ask("build"), login(START, 1)
        used, renewals, calls = call(), [], []
        for generation in range(2, rounds + 2):
            # Every session is over at this moment, so each must log in again.
            now = broker.control("POST", "/clock/advance", {"to": "08:00 IST"})["now"]
            renewals.append(login(now, generation))
            calls.append(call())
        found = {"ready": ready, "cold": cold, "live": live, "used": used}
        return {**found, "renewals": renewals, "calls": calls}


def row(found, count):
    """One result for each round: bytes and microseconds for each session."""
    tokens = found["live"]["token_bytes"] / count
    heap = {name: found[name]["heap"] / count for name in ("cold", "live", "used")}
    resident = [found[name]["rss"] for name in ("ready", "used")]
    still = {
        "cold": heap["cold"],
        "live": heap["live"] - tokens,
        "used": heap["used"] - tokens,
        "tokens": tokens,
        "keys": found["cold"]["credential_bytes"] / count,
        "rss": (resident[1] - resident[0]) / count if all(resident) else None,
    }
    return [
        {
            "cpu_us": login["cpu_us"] / count,
            "rate": count / login["wall_us"] * 1e6,
            # What one core would do: a login's CPU is the client's, the broker has its own.
            "rate_of_a_core": count / login["cpu_us"] * 1e6,
            "get_us": get["cpu_us"] / count,
            **still,
        }
        for login, get in zip(found["renewals"], found["calls"])
    ]


COLUMNS = [
    Column("CPU µs/login", "cpu_us"),
    Column("logins/s", "rate", digits=0),
    Column("CPU µs/GET", "get_us"),
    Column("heap cold", "cold", digits=0),
    Column("heap live", "live", digits=0),
    Column("heap used", "used", digits=0),
    Column("tokens", "tokens", digits=0),
    Column("keys", "keys", digits=0),
    Column("RSS", "rss", digits=0),
]


def run(bench):
    """Every number of sessions gets a broker and a client of its own."""
    rows = {}
    for count in bench.sessions:
        with bench.broker() as broker:
            found = measure(broker, bench.program("sessions"), count, WORKERS, bench.rounds)
        rows[f"{count:,} sessions"] = row(found, count)
    first, last = (rows[f"{count:,} sessions"] for count in (bench.sessions[0], bench.sessions[-1]))
    growth = median(last, "cpu_us") / median(first, "cpu_us")
    return Group(
        "sessions",
        "Rust: many sessions in one process",
        [
            Table(
                "Held, and renewed at the boundary",
                rows,
                COLUMNS,
                NOTE.format(workers=WORKERS, rounds=bench.rounds),
                ours=("",),
            )
        ],
        targets=[
            Target("heap of a session at rest, token bytes aside", 2048, median(last, "used"), "bytes"),
            Target(
                "renewal at the boundary, logins of a core",
                2000,
                median(last, "rate_of_a_core"),
                "/s",
                at_least=True,
            ),
            Target("CPU of a login, most sessions to fewest", 1.5, growth, "x"),
        ],
    )
