"""What a whole command costs: `preopen token` from a warm store, beside other small programs."""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

#: Processes in a row; a round's number is the median of them.
ROW = 40


def spawn(command, environment):
    """One process, from its start to its end: CPU of the process and wall, in microseconds."""
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{command} ended with {child.returncode}")
    return {"cpu_us": (usage.ru_utime + usage.ru_stime) * 1e6, "wall_us": wall * 1e6}


def run(broker, args, table):
    """The table; the broker must have seen one login and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "PREOPEN_STORE": f"file:{folder}/store",
            "SAMCO_API_KEY": broker.account["api_key"],
            "SAMCO_API_SECRET": broker.account["api_secret"],
        }
        session = ["samco", "--base-url", broker.ready["samco_url"]]
        plain = Path(folder, "token")
        token = subprocess.run(
            [args.preopen_bin, "token", *session], stdout=subprocess.PIPE, check=True, env=environment
        )
        plain.write_bytes(token.stdout)
        commands = {
            "preopen token": [args.preopen_bin, "token", *session],
            "preopen headers": [args.preopen_bin, "headers", *session],
            "preopen --version": [args.preopen_bin, "--version"],
            "cat a file": [shutil.which("cat"), str(plain)],
            "python -S -c pass": [shutil.which("python3"), "-S", "-c", "pass"],
            "node -e 0": [args.node, "-e", "0"],
        }
        results = {name: [] for name in commands}
        for _ in range(args.rounds):
            for name, command in commands.items():
                row = [spawn(command, environment) for _ in range(ROW)]
                results[name].append(
                    {key: statistics.median(one[key] for one in row) for key in ("cpu_us", "wall_us")}
                )
        logins = broker.seen("/session/token")
        if logins != 1:
            raise SystemExit(f"the broker saw {logins} logins")
    return table("The command: a token from a warm store, per process", results, "ms", 0.001)
