"""A thousand callers who ask at once: one login, and how long after its reply the last is served."""

import datetime

from broker import LOGIN
from report import Column, Group, Table, Target
from rounds import median, run_client

CALLERS = 1000
#: How long the broker takes for the login, in milliseconds: all callers wait by then.
DELAY = 1500
#: The floor of the threads.
EVENT = "threading.Event"
NOTE = f"""\
{CALLERS:,} callers of one session that has not logged in, in one process, over http. The broker
answers the login after {DELAY} ms, when all of them wait; times count from when its reply was due
(its log of requests, both on the clock of this machine), so its own lateness is in them. It saw one
login in every round, and each caller got the same session. `{EVENT}` is what the
interpreter takes for as many threads: one asks Preopen, and sets an event for which the others
wait. Threads end when all are served.
"""
COLUMNS = [
    Column("last served, ms", "last_ms"),
    Column("first served, ms", "first_ms"),
    Column("CPU µs/caller", "each_us"),
]


def rows(bench):
    """Name -> command; each says when its first and its last caller was served."""
    return {
        "Python, asyncio": bench.python("herd asyncio"),
        "Python, threads": bench.python("herd threads"),
        EVENT: bench.python("herd event"),
        "Node, Promise.all": bench.node("herd"),
        "Rust": bench.rust("herd"),
    }


def measure(bench, command):
    with bench.broker() as broker:
        broker.control("POST", "/faults", {"broker": "samco", "path": LOGIN, "delay_ms": DELAY})
        found = run_client(command, broker.settings(calls=CALLERS))
        told = broker.control("GET", f"/requests?broker=samco&path={LOGIN}&limit=1")
    if told["count"] != 1:
        raise SystemExit(f"{command}: the broker saw {told['count']} logins")
    arrived = datetime.datetime.fromisoformat(told["requests"][0]["at"]).timestamp()
    due = arrived + DELAY / 1e3
    # One who asks after the reply is served at once, and would make the herd look quick.
    if found["asked_at"] >= due:
        raise SystemExit(f"{command}: a caller asked {found['asked_at'] - due:.3f} s after the reply was due")
    return {
        "last_ms": (found["last_at"] - due) * 1e3,
        "first_ms": (found["first_at"] - due) * 1e3,
        "each_us": found["cpu_us"] / CALLERS,
    }


def run(bench):
    commands = rows(bench)
    found = {name: [] for name in commands}
    for _ in range(bench.rounds):
        for name, command in commands.items():
            found[name].append(measure(bench, command))
    targets = [
        Target(f"{name}: last of 1,000 callers served", 20, median(found[name], "last_ms"), "ms")
        for name in found
        if name != EVENT
    ]
    table = Table("After the login's reply", found, COLUMNS, ours=("Python", "Node", "Rust"))
    return Group("herd", "A herd of 1,000 callers", [table], NOTE, targets)
