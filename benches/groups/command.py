"""What a whole command costs: `preopen token` from a warm store, beside other small programs."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from broker import LOGIN
from report import IN_MS, Group, Table, Target
from rounds import median, spawned

#: Processes in a row; a round's number is the median of them.
ROW = 40


def rows(bench, broker, folder):
    """The commands; a login has been made, and its token is also in a plain file."""
    environment = {
        **os.environ,
        "PREOPEN_STORE": f"file:{folder}/store",
        "SAMCO_API_KEY": broker.account["api_key"],
        "SAMCO_API_SECRET": broker.account["api_secret"],
    }
    preopen, node = bench.program("preopen"), bench.program("node")
    session = ["samco", "--base-url", broker.ready["samco_url"]]
    token = subprocess.run([preopen, "token", *session], stdout=subprocess.PIPE, check=True, env=environment)
    plain = Path(folder, "token")
    plain.write_bytes(token.stdout)
    right_token(preopen, session, token.stdout, environment)
    return environment, {
        "preopen token": [preopen, "token", *session],
        "preopen headers": [preopen, "headers", *session],
        "preopen --version": [preopen, "--version"],
        "cat a file": [shutil.which("cat"), str(plain)],
        "python -S -c pass": [bench.program("python"), "-S", "-c", "pass"],
        "node -e 0": [node, "-e", "0"],
    }


def right_token(preopen, session, expected, environment):
    """What is measured is a command that does its work: the store's token, and nothing but it."""
    if not expected.strip():
        raise SystemExit("`preopen token` printed no token")
    for what in ("token", "headers"):
        done = subprocess.run([preopen, what, *session], stdout=subprocess.PIPE, check=True, env=environment)
        if expected.strip() not in done.stdout or (what == "token" and done.stdout != expected):
            raise SystemExit(f"`preopen {what}` printed another token than the one in the store")


def run(bench):
    """The broker must have seen one login and nothing else."""
    with bench.broker() as broker, tempfile.TemporaryDirectory() as folder:
        environment, commands = rows(bench, broker, folder)
        results = spawned(commands, bench.rounds, ROW, environment)
        logins = broker.seen(LOGIN)
        if logins != 1:
            raise SystemExit(f"the broker saw {logins} logins")
    wall = median(results["preopen token"], "wall_us") / 1e3
    return Group(
        "command",
        "The command: a token from a warm store, per process",
        [Table("Whole processes", results, IN_MS, note=f"Medians of {ROW} processes in a row.")],
        targets=[Target("`preopen token`, warm store, process included", 10, wall, "ms")],
    )
