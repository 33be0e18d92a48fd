"""Programs that fork with a session (P8): multiprocessing, os.fork, gunicorn and Celery, without a store and
with one in files."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from conftest import LOGIN, logins, until
from test_consent import App

# What every program here begins with: the session of the test's account, at the import.
SESSION = """
import json, os, pathlib, sys, threading, warnings
import preopen
# Newer Pythons warn of forks with threads, which is what is tested.
warnings.simplefilter("ignore", DeprecationWarning)
where = json.loads(pathlib.Path(__file__).with_name("where.json").read_text())
samco = preopen.Samco(api_key=where["api_key"], api_secret=where["api_secret"])
session = preopen.Session(samco, base_url=where["url"], store=where["store"])
def told():
    token = session.token()
    session.get("/limit/getLimits")
    return {"pid": os.getpid(), "token": token.expose(), "generation": token.generation}
def say(what):
    sys.stdout.write(json.dumps(what) + "\\n")
    sys.stdout.flush()
"""

STORES = ["memory", "file"]


class Programs:
    """A folder with programs that share an account, and perhaps a store."""

    def __init__(self, folder, sandbox, store):
        self.folder, self.sandbox, self.shares = folder, sandbox, store == "file"
        # Without a store each process has a session of its own, and all of them are used.
        sandbox.switch(samco_second_login_revokes_first=False)
        account = next(one for one in sandbox.accounts if one["broker"] == "samco")
        where = {"url": sandbox.samco_url, "store": f"file:{folder}/store" if store == "file" else "memory"}
        where.update({name: account[name] for name in ("api_key", "api_secret")})
        (folder / "where.json").write_text(json.dumps(where))

    @contextlib.contextmanager
    def run(self, text, *command):
        """Starts a program, `program.py` in the folder unless `command` says how, and ends it."""
        (self.folder / "program.py").write_text(SESSION + text)
        environment = {name: value for name, value in os.environ.items() if name != "PREOPEN_KEY"}
        with subprocess.Popen(
            [sys.executable, *(command or ["program.py"])],
            cwd=str(self.folder),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        ) as child:
            try:
                yield child
            finally:
                child.kill()

    def said(self, text, told=None):
        """Everything that a program says until it has ended well."""
        with self.run(text) as child:
            out, err = child.communicate(told, timeout=60)
            assert (child.returncode, err) == (0, "")
            return [json.loads(line) for line in out.splitlines()]


@pytest.fixture(params=STORES)
def programs(request, tmp_path, sandbox):
    return Programs(tmp_path, sandbox, request.param)


@pytest.fixture
def with_files(tmp_path, sandbox):
    return Programs(tmp_path, sandbox, "file")


def assert_shared(answers, processes):
    """All of one session, from so many processes."""
    assert len({one["pid"] for one in answers}) == processes, answers
    assert {one["generation"] for one in answers} == {1}, answers
    assert len({one["token"] for one in answers}) == 1, answers


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_p8_multiprocessing(programs, method, warm):
    text = f"""
import multiprocessing
def child(queue, barrier):
    barrier.wait(30)
    queue.put(told())
if __name__ == "__main__":
    before = [told()] if {warm} else []
    context = multiprocessing.get_context("{method}")
    queue, barrier = context.Queue(), context.Barrier(4)
    children = [context.Process(target=child, args=(queue, barrier)) for _ in range(4)]
    for one in children: one.start()
    answers = [queue.get(timeout=40) for _ in children]
    for one in children: one.join(40)
    assert [one.exitcode for one in children] == [0] * 4
    say(before + answers + [told()])
"""
    (answers,) = programs.said(text)
    count = logins(programs.sandbox)
    if programs.shares:
        assert count == 1
        assert_shared(answers, 5)
    elif warm and method == "fork":
        # The children go on with what their parent had.
        assert count == 1
        assert_shared(answers, 5)
    else:
        assert count == 5
        assert len({one["token"] for one in answers}) == 5


def test_p8_forks_of_a_pool_that_grows_while_it_is_used(programs):
    text = """
answers = [told()]
for turn in range(6):
    child = os.fork()
    if child == 0:
        say([told()])
        os._exit(0)
    answers.append(told())
    assert os.waitpid(child, 0)[1] == 0
say(answers)
"""
    answers = [one for line in programs.said(text) for one in line]
    assert_shared(answers, 7)
    assert logins(programs.sandbox) == 1


# A child that is forked while a thread of its parent logs in.
DURING = """
thread = threading.Thread(target=session.token)
thread.start()
sys.stdin.readline()
child = os.fork()
"""


def test_p8_a_child_forked_during_a_login_takes_it_over_and_its_parent_still_works(with_files):
    text = """
say(told())
if child == 0:
    os._exit(0)
thread.join()
assert os.waitpid(child, 0)[1] == 0
"""
    sandbox = with_files.sandbox
    sandbox.fault("samco", LOGIN["samco"], delay_ms=700, times=1)
    with with_files.run(DURING + text) as program:
        until(lambda: logins(sandbox) == 1)
        out, err = program.communicate("fork\n", timeout=60)
        assert (program.returncode, err) == (0, "")
    assert_shared([json.loads(line) for line in out.splitlines()], 2)
    assert logins(sandbox) == 1


@pytest.mark.parametrize("busy", [True, False], ids=["child asks", "child sleeps"])
def test_p8_a_child_does_not_hold_the_lock_of_a_parent_that_was_killed(with_files, busy):
    text = f"""
if child == 0:
    say(os.getpid())
    if {busy}:
        say(told())
    # Lives on, whatever became of its parent: until the test ends it.
    sys.stdin.readline()
    os._exit(0)
thread.join()
"""
    sandbox = with_files.sandbox
    sandbox.fault("samco", LOGIN["samco"], delay_ms=20_000, times=1)
    with with_files.run(DURING + text) as program:
        until(lambda: logins(sandbox) == 1)
        program.stdin.write("fork\n")
        program.stdin.flush()
        child = int(program.stdout.readline())
        # The login is under way, and holds the lock.
        time.sleep(0.2)
        program.kill()
        began = time.monotonic()
        answers = with_files.said("say(told())\n")
        if busy:
            answers.append(json.loads(program.stdout.readline()))
        assert time.monotonic() - began < 10
        assert len({one["token"] for one in answers}) == 1
        assert logins(sandbox) == 2
        os.kill(child, 0)
        os.kill(child, signal.SIGKILL)


# A child that is forked by what shows the page of a login, and what it does then.
SHOWN = """
import time
person = preopen.SamcoOAuth(**json.loads(sys.stdin.readline()))
person = preopen.Session(person, base_url=where["url"])
began = []
def show(start):
    child = os.fork()
    if child == 0:
        began.append(time.monotonic())
        {then}
    else:
        assert os.waitpid(child, 0)[1] == 0
        say(start.url)
try:
    person.login(open_browser=False, timeout=30, show=show)
except {ends}:
    # What is left of the parent's login here is dropped.
    took = time.monotonic() - began[0]
    say(took)
    os._exit(0 if took < 2 else 1)
say(person.token().generation)
"""


@pytest.mark.parametrize(
    ("then", "ends"),
    [("return", "preopen.CancelledError"), ("raise KeyError", "KeyError")],
    ids=["returns", "raises"],
)
def test_p8_a_child_forked_during_a_login_at_the_page_leaves_it_to_its_parent(with_files, then, ends):
    app = App(with_files.sandbox)
    with with_files.run(SHOWN.format(then=then, ends=ends)) as program:
        program.stdin.write(json.dumps({"api_key": app.api_key, "redirect_url": app.redirect_url}) + "\n")
        program.stdin.flush()
        took, url = (json.loads(program.stdout.readline() or "null") for _ in range(2))
        assert url, program.stderr.read()
        assert took < 2
        with urllib.request.urlopen(with_files.sandbox.consent(url), timeout=10) as page:
            assert page.status == 200
        out, err = program.communicate(timeout=30)
        assert (program.returncode, out, err) == (0, "1\n", "")


APP = """
def app(environ, start):
    body = json.dumps(told()).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
"""


def ask(port, processes, but=()):
    """Asks a server until so many processes have answered, beside those in `but`."""
    found, answers, end = set(), [], time.monotonic() + 40
    while len(found) < processes:
        assert time.monotonic() < end, answers
        with contextlib.suppress(ConnectionError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/")
            reply = connection.getresponse()
            assert reply.status == 200
            answers.append(json.loads(reply.read()))
            connection.close()
            found = {one["pid"] for one in answers} - set(but)
    return [one for one in answers if one["pid"] not in but], found


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_p8_gunicorn_preloads_and_reloads(programs, warm):
    command = ["-m", "gunicorn", "--preload", "--workers", "3", "--bind", "127.0.0.1:0", "program:app"]
    with programs.run(APP + ("told()\n" if warm else ""), *command) as server:
        for line in server.stderr:
            if "Listening at: http://127.0.0.1:" in line:
                port = int(line.split("127.0.0.1:")[1].split(" ")[0])
                break
        first, workers = ask(port, 3)
        server.send_signal(signal.SIGHUP)
        second, others = ask(port, 3, but=workers)
        server.terminate()
        _, err = server.communicate(timeout=30)
        assert server.returncode == 0, err
        assert "Traceback" not in err
    assert not workers & others
    if warm or programs.shares:
        assert_shared(first + second, 6)
        assert logins(programs.sandbox) == 1
    else:
        assert logins(programs.sandbox) == 6
        assert len({one["token"] for one in first + second}) == 6


TASKS = """
import celery
here = pathlib.Path(__file__).parent
for name in ("queue", "results", "control"):
    (here / name).mkdir(exist_ok=True)
app = celery.Celery("program", broker="filesystem://", backend=f"file://{here}/results")
app.conf.broker_transport_options = {
    "data_folder_in": f"{here}/queue", "data_folder_out": f"{here}/queue",
    "control_folder": f"{here}/control", "polling_interval": 0.05,
}
app.conf.worker_hijack_root_logger = False
# One task at a time for each process, so that both of them work.
app.conf.worker_prefetch_multiplier = 1
@app.task(name="ask")
def ask():
    answer = told()
    __import__("time").sleep(0.3)
    return answer
"""

CLIENT = """
import sys; sys.path.insert(0, ".")
import json, program
waiting = [program.ask.delay() for _ in range(6)]
print(json.dumps([one.get(timeout=100, interval=0.05) for one in waiting]))
"""


def test_p8_celery_prefork(programs):
    # The worker's children go on with its session, or, in front of an empty store, log in once.
    warm = not programs.shares
    command = ["-m", "celery", "--app", "program", "worker", "--pool", "prefork", "--concurrency", "2"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"]
    start = "if 'worker' in sys.argv: told()\n" if warm else ""
    (programs.folder / "program.py").write_text(SESSION + TASKS + start)
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT],
        cwd=str(programs.folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    with client:
        # A worker ends when it finds a file of its queue half written: all are there before it looks.
        until(lambda: time.sleep(0.05) or len(list((programs.folder / "queue").glob("*.msg"))) == 6, 60)
        with programs.run(TASKS + start, *command, *quiet) as worker:
            out, err = client.communicate(timeout=120)
            worker.terminate()
            said, told = worker.communicate(timeout=40)
            assert client.returncode == 0, (err, said, told)
            assert "Traceback" not in told
    answers = json.loads(out)
    assert_shared(answers, 2)
    assert logins(programs.sandbox) == 1
