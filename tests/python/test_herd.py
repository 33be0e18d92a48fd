"""Many threads that wait for one login: all are served, at little cost, and a fork is not in
their way. Ctrl-C among them is in `test_exit.py`."""

import json
import threading

from conftest import LOGIN, logins, run_script
from test_concurrency import IGNORE_WARNINGS, program

CALLERS = 300


def test_a_herd_of_threads_shares_one_login(sandbox):
    sandbox.fault("samco", LOGIN["samco"], delay_ms=500)
    session = sandbox.session("samco")
    tokens, headers = [], []

    def ask():
        tokens.append(session.token())
        headers.append(session.headers())

    threads = [threading.Thread(target=ask) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(tokens) == len(headers) == CALLERS
    assert {token.generation for token in tokens} == {1}
    assert {one["x-session-token"] for one in headers} == {tokens[0].expose()}
    assert logins(sandbox) == 1


def test_threads_that_wait_for_a_login_sleep(sandbox):
    text = """
import json, resource
s = session(timeout=60)
threads = [threading.Thread(target=s.token, daemon=True) for _ in range(100)]
for thread in threads:
    thread.start()
# Each has looked for signals once; the next look is a second later.
time.sleep(0.3)
def switches():
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
before = switches()
time.sleep(0.3)
say(json.dumps({"each": (switches() - before) / 100, "state": s.state().name}))
"""
    sandbox.fault("samco", LOGIN["samco"], stall="before")
    code, out, err = run_script(*program(sandbox, text))
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert said["state"] == "opening"
    # Twenty looks a second would be six for each, and as many waits for the interpreter's lock.
    assert said["each"] < 3


FORKS = """
s = session()
served = []
def ask():
    s.token()
    served.append(s.get("/limit/getLimits").http_status)
threads = [threading.Thread(target=ask) for _ in range(100)]
for thread in threads:
    thread.start()
forks = 0
while len(served) < 100 or forks < 5:
    child = os.fork()
    if child == 0:
        # More than there are places for, of which other threads had some.
        del served[:]
        threads = [threading.Thread(target=ask) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sys.exit(served != [200] * 40)
    assert os.waitpid(child, 0)[1] == 0
    forks += 1
for thread in threads:
    thread.join()
say(served == [200] * 100)
"""


def test_children_forked_while_a_herd_comes_back_work(sandbox):
    sandbox.switch(samco_second_login_revokes_first=False)
    sandbox.fault("samco", LOGIN["samco"], delay_ms=300, times=1)
    assert run_script(*program(sandbox, IGNORE_WARNINGS + FORKS)) == (0, "True\n", "")


def test_the_interpreter_ends_while_a_herd_comes_back(sandbox):
    text = """
s = session()
for _ in range(200):
    threading.Thread(target=s.token, daemon=True).start()
while s.state().name != "active":
    pass
"""
    for _ in range(3):
        sandbox.fault("samco", LOGIN["samco"], delay_ms=300, times=1)
        assert run_script(*program(sandbox, text)) == (0, "", "")
