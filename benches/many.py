"""The benchmark of many sessions in one process: memory at rest, and a mass renewal at the boundary."""

import json
import re
import statistics
import subprocess
from pathlib import Path

LOGIN = "/session/token"
CALL = "/quote/getQuote"
QUERY = [["symbolName", "INFY"], ["exchange", "NSE"]]
NOTE = """\
One Samco account for each session, over http, {workers} busy at the same time, on warm connections. Bytes are
for each session: `cold` was built and never used, `live` is logged in, `used` has made a call. The heap is
exact (a counting allocator); the tokens, and not the credentials (`keys`), are left out of `live` and `used`.
`RSS` is by how much the process grew from before the first session to `used`, tokens included. A renewal is
the broker's clock at 08:00 IST, when every session is over at once: medians of {rounds} rounds, CPU of all
threads of the client. The broker's own counts of logins and calls were the client's in every round.
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
        "query": QUERY,
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


def per(results, name, count):
    return [result[name] / count for result in results]


def table(results):
    """Bytes and microseconds for each session; ratios to the first row show what grows with the number."""
    columns = (
        f"{'sessions':>9}{'heap cold':>11}{'heap live':>11}{'heap used':>11}{'tokens':>8}{'keys':>6}"
        f"{'RSS':>7}{'logins/s':>10}{'CPU us/login':>14}{'min-max':>11}{'ratio':>8}{'CPU us/GET':>12}"
        f"{'login/GET':>11}"
    )
    lines, base = [columns], None
    for count, found in results.items():
        tokens = found["live"]["token_bytes"] / count
        heap = {name: found[name]["heap"] / count for name in ("cold", "live", "used")}
        cpu = per(found["renewals"], "cpu_us", count)
        rate = statistics.median(1e6 / wall for wall in per(found["renewals"], "wall_us", count))
        login, get = statistics.median(cpu), statistics.median(per(found["calls"], "cpu_us", count))
        base = base or login
        rss = [found[name]["rss"] for name in ("ready", "used")]
        resident = f"{(rss[1] - rss[0]) / count:.0f}" if all(rss) else "-"
        lines.append(
            f"{count:>9}{heap['cold']:>11.0f}{heap['live'] - tokens:>11.0f}{heap['used'] - tokens:>11.0f}"
            f"{tokens:>8.0f}{found['cold']['credential_bytes'] / count:>6.0f}{resident:>7}"
            f"{rate:>10.0f}{login:>14.1f}{f'{min(cpu):.0f}-{max(cpu):.0f}':>11}{login / base:>7.2f}x"
            f"{get:>12.1f}{login / get:>10.2f}x"
        )
    return "\n".join(lines)


def run(start_broker, program, counts, workers, rounds):
    """The section of the report. Every number of sessions gets a broker and a client of its own."""
    results = {}
    for count in counts:
        with start_broker() as broker:
            results[count] = measure(broker, program, count, workers, rounds)
    title, text = "Rust: many sessions in one process", table(results)
    print(f"\n{title}\n{text}", flush=True)
    note = NOTE.format(workers=workers, rounds=rounds)
    return f"### {title}\n\n{note}\n```\n{text}\n```\n"
