"""P1: Python, Node and command-line programs, all cold, on one file store: one login, a bounded wait, the
same token.

`PREOPEN_HERD_ROUNDS` and `PREOPEN_HERD_SIZE` say how much of it; `PREOPEN_HERD_REPORT` names a file for the
numbers.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

from preopen.sandbox import Sandbox

HERE = pathlib.Path(__file__).parent
ROUNDS = int(os.environ.get("PREOPEN_HERD_ROUNDS", "1"))
SIZE = int(os.environ.get("PREOPEN_HERD_SIZE", "64"))
NODE = os.environ.get("PREOPEN_HERD_NODE", "node")
#: The longest that all of a herd may take from the start on, in seconds, on a busy machine of two cores.
BOUND = 30.0
LOGIN = "/session/token"


def start(nth, environment, store):
    """Starts one program, of each kind in turn."""
    token = ["token", "samco", "--base-url", environment["HERD_URL"], "--store", store]
    commands = [
        [sys.executable, str(HERE / "program.py")],
        [NODE, str(HERE / "program.mjs")],
        [os.environ["PREOPEN_BIN"], *token],
    ]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(commands[nth % 3], env=environment, **pipes)


def answer(kind, program, deadline):
    """What a program found: the digest of the token, and how long it waited if it says so."""
    out, err = program.communicate(timeout=max(deadline - time.monotonic(), 0.1))
    assert (program.returncode, err) == (0, b""), (kind, program.returncode, err)
    if kind == 2:
        return hashlib.sha256(out.strip()).hexdigest(), None
    told = json.loads(out)
    assert told["generation"] == 1
    return told["digest"], told["waited"]


def herd(sandbox, folder):
    """One round: seconds until all have their token, and the longest that one waited for its call."""
    account = next(one for one in sandbox.accounts if one["broker"] == "samco")
    store = f"file:{folder}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREOPEN_")}
    environment.update(HERD_URL=sandbox.samco_url, HERD_STORE=store)
    environment.update(SAMCO_API_KEY=account["api_key"], SAMCO_API_SECRET=account["api_secret"])
    programs = {}
    # Whatever hangs is ended, and then found.
    watch = threading.Timer(4 * BOUND, lambda: [program.kill() for program in list(programs.values())])
    watch.start()
    try:
        # Those that can wait for the start; the command line begins with it.
        for nth in (nth for nth in range(SIZE) if nth % 3 < 2):
            programs[nth] = start(nth, environment, store)
        for program in programs.values():
            assert program.stdout.readline() == b"ready\n", program.stderr.read()
        assert not folder.exists(), "cold"
        began = time.monotonic()
        for nth in range(SIZE):
            if nth % 3 == 2:
                programs[nth] = start(nth, environment, store)
            else:
                programs[nth].stdin.write(b"\n")
                programs[nth].stdin.flush()
        answers = [answer(nth % 3, programs[nth], began + BOUND) for nth in range(SIZE)]
        took = time.monotonic() - began
    finally:
        watch.cancel()
        for program in programs.values():
            program.kill()
            program.wait()
    assert len({digest for digest, _ in answers}) == 1
    return took, max(waited for _, waited in answers if waited is not None)


def test_p1_a_herd_of_cold_programs_of_all_languages_logs_in_once(tmp_path):
    rounds = []
    with Sandbox() as sandbox:
        for nth in range(ROUNDS):
            sandbox.clear_requests()
            folder = tmp_path / f"store-{nth}"
            rounds.append(herd(sandbox, folder))
            assert sandbox.requests("samco", LOGIN).count == 1
            shutil.rmtree(folder)
    numbers = {
        "rounds": ROUNDS,
        "programs": SIZE,
        "slowest_round_ms": round(max(took for took, _ in rounds) * 1000),
        "longest_wait_ms": max(waited for _, waited in rounds),
    }
    if "PREOPEN_HERD_REPORT" in os.environ:
        pathlib.Path(os.environ["PREOPEN_HERD_REPORT"]).write_text(json.dumps(numbers))
