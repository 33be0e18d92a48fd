"""The benchmark of the embedded broker itself: requests a second beside a floor, and memory over them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from report import Column, Group, Table, Target
from rounds import median

PATH = "/ip/whoami"
CONNECTIONS = 64
#: What counts as flat: the allocator's own ups and downs.
FLAT = 1.1
NOTE = """\
`GET {path}` with a live token over http on {connections} keep-alive connections, by {wrk} with one
thread. The server has one core to itself and wrk another. The floor is the same HTTP library with
one fixed reply of 256 bytes and nothing else. Medians of {rounds} rounds of {seconds} s,
alternating; CPU is the server's, user and system. The broker's own count of requests was at least
wrk's; no reply was other than HTTP 200. Resident memory of the broker: {warm:.1f} MiB after the
first round (its request log is full then), {end:.1f} MiB at the end, {total:,} requests later.
"""


def wrk_version():
    if shutil.which("wrk") is None:
        raise SystemExit("the group `sandbox` needs wrk: install it (Debian: apt-get install wrk)")
    told = subprocess.run(["wrk", "-v"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return " ".join(told.stdout.split()[:2])


def cores():
    """One core for the server and one for wrk."""
    if not hasattr(os, "sched_getaffinity"):
        raise SystemExit("the group `sandbox` pins processes to cores, which needs Linux")
    found = sorted(os.sched_getaffinity(0))
    if len(found) < 2:
        raise SystemExit("the group `sandbox` needs two cores: one for the server, one for wrk")
    return found[0], found[1]


def needs():
    """What a run would miss only at its end."""
    wrk_version()
    cores()


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    """Resident memory in MiB."""
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def pin(pid, core):
    """Every thread that a process has; those it starts later follow."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def load(url, headers, core, seconds):
    """One round of wrk; every reply must be a 2xx."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    done = subprocess.run(
        [*command, url],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=seconds + 30,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    told = done.stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(f"wrk did not only get 2xx replies:\n{told}")
    tail = re.search(r"99%\s+([\d.]+)(us|ms|s)", told)
    return {
        "requests": int(re.search(r"(\d+) requests in", told)[1]),
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1]),
        "p99_ms": float(tail[1]) * {"us": 0.001, "ms": 1, "s": 1000}[tail[2]],
    }


def measured(pid, url, headers, core, seconds):
    before = cpu_seconds(pid)
    found = load(url, headers, core, seconds)
    return {**found, "cpu_us": (cpu_seconds(pid) - before) / found["requests"] * 1e6, "rss": resident(pid)}


def run(bench):
    rounds, seconds, floor_program = bench.rounds, bench.seconds, bench.program("floor")
    wrk, (server_core, client_core) = wrk_version(), cores()
    floor = subprocess.Popen([floor_program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        floor_url = floor.stdout.readline().strip()
        pin(floor.pid, server_core)
        with bench.broker() as broker:
            pid = broker.child.pid
            pin(pid, server_core)
            headers, url = broker.login(), broker.ready["samco_url"] + PATH
            load(floor_url, {}, client_core, 1)
            sent = load(url, headers, client_core, seconds)["requests"]
            warm = resident(pid)
            names = f"preopen sandbox, {PATH}", "floor"
            results = {name: [] for name in names}
            for _ in range(rounds):
                results[names[0]].append(measured(pid, url, headers, client_core, seconds))
                results[names[1]].append(measured(floor.pid, floor_url, {}, client_core, seconds))
            total = sum(run["requests"] for run in results[names[0]])
            # wrk leaves the last requests of its connections uncounted.
            seen, claimed = broker.seen(PATH), sent + total
            if not claimed <= seen <= claimed + CONNECTIONS * (rounds + 1):
                raise SystemExit(f"wrk claims {claimed} requests, the broker saw {seen}")
    finally:
        floor.stdin.close()
        floor.wait(10)
    rate = median(results[names[0]], "rate")
    grown = results[names[0]][-1]["rss"] / warm
    note = NOTE.format(
        path=PATH,
        connections=CONNECTIONS,
        wrk=wrk,
        rounds=rounds,
        seconds=seconds,
        warm=warm,
        end=results[names[0]][-1]["rss"],
        total=total,
    )
    columns = [
        Column("requests/s", "rate", digits=0),
        Column("CPU µs/request", "cpu_us"),
        Column("p99 ms", "p99_ms"),
    ]
    return Group(
        "sandbox",
        "The embedded broker: requests on one core",
        [Table("Requests a second", results, columns, note)],
        targets=[
            Target("embedded broker, whoami on one core", 20_000, rate, "/s", at_least=True),
            Target("embedded broker, memory at the end, of that after the first round", FLAT, grown, "x"),
        ],
    )
