"""Ctrl-C, and every way in which a program may end while a session is at work: it ends, at once, with its own
exit code and without a word; a login under way lives as long as its process."""

import signal
import time

import pytest
from conftest import LOGIN, logins, run_script, script, until
from test_concurrency import IGNORE_WARNINGS, program

#: One of those who wait for a login is the main thread.
AMONG = """
s = session()
threads = [threading.Thread(target=s.token) for _ in range({})]
for thread in threads:
    thread.start()
say("ready")
try:
    s.token()
except KeyboardInterrupt:
    say(time.monotonic())
for thread in threads:
    thread.join()
say(s.token().generation)
"""
INTERRUPTED = {
    "a call that blocks": """
s = session()
say("ready")
try:
    s.token()
except KeyboardInterrupt:
    say(time.monotonic())
say(s.token().generation)
""",
    "an event loop": """
s = session(preopen.AsyncSession)
say("ready")
try:
    asyncio.run(s.token())
except KeyboardInterrupt:
    say(time.monotonic())
say(asyncio.run(s.token()).generation)
""",
    "the wait for a thread that blocks": AMONG.format(1),
    "one wait among two hundred": AMONG.format(200),
}


@pytest.mark.parametrize("what", INTERRUPTED)
def test_control_c_leaves_the_login_to_the_next_call(sandbox, what):
    sandbox.fault("samco", LOGIN["samco"], delay_ms=2500)
    with script(*program(sandbox, INTERRUPTED[what])) as child:
        assert child.stdout.readline() == "ready\n"
        until(lambda: logins(sandbox) == 1)
        sent = time.monotonic()
        child.send_signal(signal.SIGINT)
        caught = float(child.stdout.readline())
        # Waits look for signals every 100 ms.
        assert 0 <= caught - sent <= 0.5
        out, err = child.communicate(timeout=30)
    assert (out, err, child.returncode) == ("1\n", "", 0)
    assert logins(sandbox) == 1


def test_control_c_without_a_handler_ends_the_program_like_any_other(sandbox):
    sandbox.fault("samco", LOGIN["samco"], stall="before")
    with script(*program(sandbox, "say('ready'); session(timeout=60).token()")) as child:
        assert child.stdout.readline() == "ready\n"
        until(lambda: logins(sandbox) == 1)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=10)
    assert child.returncode == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")


#: Programs, and the exit codes that they ask for.
ENDS = {
    "a session keeps itself warm": ("s = session(keep_warm=True); s.token()", 0),
    "warm, with listeners on threads and in a loop": (
        """
s = session(keep_warm=True)
a = session(preopen.AsyncSession, keep_warm=True)
threading.Thread(target=lambda: list(s.events()), daemon=True).start()
s.token()
async def main():
    asyncio.ensure_future(a.events().__anext__())
    await a.token()
asyncio.run(main())
""",
        0,
    ),
    "sys.exit in a callback ends the login and no more": (
        """
def secret():
    sys.exit(5)
s = preopen.Session(preopen.Samco(api_key=sys.argv[2], api_secret=secret), base_url=sys.argv[1])
try:
    s.token()
except preopen.InvalidInputError as error:
    assert "SystemExit" in str(error), error
    sys.exit(7)
""",
        7,
    ),
    "a callback is still asking": (
        """
asked = threading.Event()
def secret():
    asked.set()
    time.sleep(60)
s = preopen.Session(preopen.Samco(api_key=sys.argv[2], api_secret=secret), base_url=sys.argv[1])
threading.Thread(target=s.token, daemon=True).start()
asked.wait()
sys.exit(3)
""",
        3,
    ),
    "os._exit with a login under way": (
        """
s = session(keep_warm=True)
threading.Thread(target=s.token, daemon=True).start()
while s.state().name == "signed_out":
    pass
os._exit(4)
""",
        4,
    ),
    "an exception that nobody handles": (
        """
s = session(keep_warm=True)
threading.Thread(target=s.token, daemon=True).start()
while s.state().name == "signed_out":
    pass
sys.stderr = None
raise ValueError
""",
        1,
    ),
    "a thread that is waited for": (
        """
s = session()
done = []
threading.Thread(target=lambda: done.append(s.token())).start()
atexit.register(lambda: say(len(done)))
""",
        0,
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_the_program_ends_as_it_wants(sandbox, how):
    text, wanted = ENDS[how]
    sandbox.fault("samco", LOGIN["samco"], delay_ms=300, times=100)
    code, _, err = run_script(*program(sandbox, text), seconds=20)
    assert (code, err) == (wanted, "")


# What runs last at exit is what was registered first: before the import, and so after Preopen's own handler.
LATE = """
import atexit, sys
@atexit.register
def late():
    {text}
"""
LATE_USES = {
    "blocking": 'say(s.token().generation, s.get("/limit/getLimits").http_status, s.logout().acknowledged)',
    "asynchronous": """
    async def main():
        say((await a.token()).generation, (await a.get("/limit/getLimits")).http_status)
        say((await a.logout()).acknowledged)
    asyncio.run(main())""",
    "events": "e = s.events(); s.token(); say(next(e).name); s.close(); say(list(e))",
    # No thread is there to call it on: that is told, and waits for nobody.
    "a callback": """
    asked = preopen.Samco(api_key=sys.argv[2], api_secret=lambda: sys.argv[3])
    try:
        preopen.Session(asked, base_url=sys.argv[1]).token()
    except preopen.InvalidInputError as error:
        say(error.field)""",
}
TOLD = {
    "blocking": "1 200 True\n",
    "asynchronous": "1 200\nTrue\n",
    "events": "renewed\n[]\n",
    "a callback": "api_secret\n",
}


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
@pytest.mark.parametrize("use", LATE_USES)
def test_the_last_exit_handlers_can_still_use_a_session(sandbox, use, warm):
    text, *arguments = program(sandbox, "s, a = session(), session(preopen.AsyncSession)\n")
    # The background thread is there already, or must be made at exit.
    text = LATE.format(text=LATE_USES[use]) + text + ("session(store='memory').whoami()\n" if warm else "")
    sandbox.switch(samco_second_login_revokes_first=False)
    assert run_script(text, *arguments, seconds=20) == (0, TOLD[use], "")


def test_a_child_of_a_fork_ends_as_it_wants(sandbox):
    text = """
s = session(keep_warm=True)
s.token()
events = s.events()
threading.Thread(target=lambda: list(events), daemon=True).start()
codes = []
for end in ("sys.exit(3)", "os._exit(4)", "raise SystemExit"):
    child = os.fork()
    if child == 0:
        s.get("/limit/getLimits")
        exec(end)
    codes.append(os.waitpid(child, 0)[1] >> 8)
say(*codes)
"""
    code, out, err = run_script(*program(sandbox, IGNORE_WARNINGS + text), seconds=20)
    assert (code, out, err) == (0, "3 4 0\n", "")


def test_a_terminated_program_is_gone(sandbox):
    sandbox.fault("samco", LOGIN["samco"], stall="before")
    with script(*program(sandbox, "say('ready'); session(timeout=60).token()")) as child:
        assert child.stdout.readline() == "ready\n"
        until(lambda: logins(sandbox) == 1)
        child.terminate()
        assert child.wait(10) == -signal.SIGTERM
