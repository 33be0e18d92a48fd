"""Client processes one at a time, in rounds that alternate over the peers; the broker's counts are theirs."""

import dataclasses
import json
import os
import re
import statistics
import subprocess
import tempfile
import time

from broker import PATH


@dataclasses.dataclass
class Peer:
    """One row: its name, the program that is run, and what it is told beside the common settings.

    `path` is what the `broker` must have seen as often as the client claims; `EVERY` where no request may
    go unclaimed.
    """

    name: str
    command: list
    settings: dict = dataclasses.field(default_factory=dict)
    broker: str = "samco"
    path: str = PATH


def run_client(command, settings, seconds=300):
    """One client process: settings go in, one line of JSON comes out. One that errs ends the run."""
    # Node reads further authorities from the environment only.
    extra = {"NODE_EXTRA_CA_CERTS": settings["ca_file"]} if settings.get("ca_file") else {}
    # SDKs leave files where they run.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command,
            input=json.dumps(settings),
            capture_output=True,
            text=True,
            timeout=seconds,
            cwd=folder,
            env={**os.environ, **extra},
        )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def alternate(broker, peers, rounds, **common):
    """Row -> one result for each round.

    A client says in `sent` how many requests it made in all, warm-up included; the broker saw as many.
    """
    results = {peer.name: [] for peer in peers}
    headers = broker.login()
    for _ in range(rounds):
        for peer in peers:
            settings = broker.settings(headers=headers, **{**common, **peer.settings})
            before = broker.seen(peer.path, peer.broker)
            result = run_client(peer.command, settings)
            sent = broker.seen(peer.path, peer.broker) - before
            if sent != result["sent"]:
                raise SystemExit(f"{peer.name} claims {result['sent']} requests, the broker saw {sent}")
            results[peer.name].append(result)
    return results


def warm_up(workers, least=64):
    """Calls before any is measured; the same number for each worker."""
    return -(-least // workers) * workers


def spawn(command, environment=None, folder=None):
    """One process from its start to its end: CPU of it and its children, wall, the most memory that it had
    if it says so itself (its `/proc/self/status`; what its parent is told has the parent's own in it)."""
    began = time.perf_counter()
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environment, cwd=folder
    )
    said = child.stdout.read()
    child.stdout.close()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{command} ended with {child.returncode}")
    found = {"cpu_us": (usage.ru_utime + usage.ru_stime) * 1e6, "wall_us": wall * 1e6}
    memory = re.search(r"^VmHWM:\s+(\d+) kB", said, re.MULTILINE)
    return {**found, "memory_mb": int(memory[1]) / 1000} if memory else found


def spawned(commands, rounds, row, environment=None):
    """Whole processes: row -> one result for each round, the median of so many in a row."""
    results = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name, command in commands.items():
                found = [spawn(command, environment, folder) for _ in range(row)]
                results[name].append({key: median(found, key) for key in found[0]})
    return results


def above(results, bare):
    """Adds to each result by how much it is above the bare one of the same round."""
    bases = [dict(base) for base in results[bare]]
    for found in results.values():
        for result, base in zip(found, bases):
            for key in base:
                result[f"{key}_above"] = result[key] - base[key]
    return results


def median(results, key):
    """Over the rounds of one row."""
    return statistics.median(result[key] for result in results)
