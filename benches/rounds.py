"""Client processes one at a time, in rounds that alternate over the peers; the broker's counts are theirs."""

import dataclasses
import json
import os
import statistics
import subprocess
import time

from broker import PATH


@dataclasses.dataclass
class Peer:
    """One row: its name, the program that is run, and what it is told beside the common settings.

    `path` is what the broker must have seen as often as the client claims, of `broker`; None when nothing is sent.
    """

    name: str
    command: list
    settings: dict = dataclasses.field(default_factory=dict)
    broker: str = "samco"
    path: str = PATH


def run_client(command, settings, seconds=300):
    """One client process: settings on its standard input, one line of JSON from it. One that errs ends the run."""
    # Node reads further authorities from the environment only.
    extra = {"NODE_EXTRA_CA_CERTS": settings["ca_file"]} if settings.get("ca_file") else {}
    done = subprocess.run(
        command,
        input=json.dumps(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=seconds,
        env={**os.environ, **extra},
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def alternate(broker, peers, rounds, **common):
    """Row -> one result for each round.

    A client says in `calls` how many calls it measured, and in `sent` how many requests it made in all, warm-up
    included; the broker must have seen just those.
    """
    results = {peer.name: [] for peer in peers}
    headers = broker.login()
    for _ in range(rounds):
        for peer in peers:
            settings = broker.settings(headers=headers, **{**common, **peer.settings})
            before = broker.seen(peer.path, peer.broker) if peer.path else 0
            result = run_client(peer.command, settings)
            sent = broker.seen(peer.path, peer.broker) - before if peer.path else result["sent"]
            if sent != result["sent"]:
                raise SystemExit(f"{peer.name} claims {result['sent']} requests, the broker saw {sent}")
            results[peer.name].append(result)
    return results


def warm_up(workers, least=64):
    """Calls before any is measured; the same number for each worker."""
    return -(-least // workers) * workers


def spawn(command, environment=None):
    """One process from its start to its end: CPU of it and its children, and wall, in microseconds."""
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{command} ended with {child.returncode}")
    return {"cpu_us": (usage.ru_utime + usage.ru_stime) * 1e6, "wall_us": wall * 1e6}


def median(results, key):
    """Over the rounds of one row."""
    return statistics.median(result[key] for result in results)
