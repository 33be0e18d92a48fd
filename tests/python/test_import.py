"""Importing the package, and making credentials and sessions, opens nothing, starts nothing and changes
nothing."""

import json

import pytest
from conftest import run_script

# Audit hooks see what Python does; the counts of files and threads also see what native code does.
WATCH = """
import json, logging, os, sys, sysconfig

def counted(folder):
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

if sys.argv[1] == "before":
    # What a program has loaded anyway stays out of the list.
    import asyncio, http.client, threading

roots = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()}
roots = tuple(os.path.realpath(root) for root in roots if root)
seen, watching = [], True

def hook(event, arguments):
    if not watching:
        return
    if event == "open":
        path = arguments[0]
        if isinstance(path, str):
            path = os.path.realpath(path)
            if not path.startswith(roots) and package not in path:
                seen.append([event, path])
    elif event.split(".")[0] in FAMILIES or event in EVENTS:
        seen.append([event, repr(arguments)])

FAMILIES = ("socket", "subprocess", "tempfile", "urllib", "http", "fcntl", "mmap")
EVENTS = ("_thread.start_new_thread", "os.system", "os.fork", "os.exec", "os.putenv", "os.mkdir", "os.remove")
package = os.path.join("python", "preopen")
loggers = dict(logging.root.manager.loggerDict)
handlers = list(logging.root.handlers)
files, threads = counted("/proc/self/fd"), counted("/proc/self/task")
modules = set(sys.modules)
sys.addaudithook(hook)

import preopen
from preopen import AngelOne, AsyncSession, Samco, Session
import preopen.sandbox

samco = Samco(api_key="a-key", api_secret="a-secret")
angel_one = AngelOne(api_key="a-key", client_code="A1", pin="0000", totp_secret="JBSWY3DPEHPK3PXPJBSWY3DPEH")
sessions = [
    kind(credentials, ca_file="/nowhere/ca.pem", proxy="http://127.0.0.1:1")
    for kind in (Session, AsyncSession) for credentials in (samco, angel_one)
]
texts = [repr(session) + repr(session.state()) for session in sessions]
sandbox = preopen.sandbox.Sandbox()
for session in sessions[:2]:
    session.close()

watching = False
print(json.dumps({
    "seen": seen,
    "loggers": loggers == dict(logging.root.manager.loggerDict) and handlers == logging.root.handlers,
    "files": [files, counted("/proc/self/fd")],
    "threads": [threads, counted("/proc/self/task")],
    "modules": sorted(set(sys.modules) - modules),
}))
"""


@pytest.mark.parametrize("when", ["before", "bare"])
def test_nothing_happens(when):
    code, out, err = run_script(WATCH, when)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["seen"] == []
    assert found["loggers"]
    assert found["files"][0] == found["files"][1]
    assert found["threads"][0] == found["threads"][1]


def test_the_import_is_light():
    code, out, _ = run_script(
        "import sys; known = set(sys.modules); import preopen; print(*sorted(set(sys.modules) - known))"
    )
    assert code == 0
    loaded = set(out.split())
    assert not loaded & {
        "asyncio",
        "subprocess",
        "http",
        "json",
        "logging",
        "threading",
        "ssl",
        "socket",
        "typing",
    }


def test_no_client_is_imported_for_those_who_do_not_use_it():
    clients = "'requests', 'httpx', 'aiohttp', 'urllib3', 'SmartApi', 'snapi_py_client', 'pandas'"
    code, out, err = run_script(
        "import sys; import preopen, preopen.sandbox, preopen.static_ip, preopen.testing; dir(preopen);"
        f" print(*sorted({{{clients}}} & set(sys.modules)), 'preopen._foreign' in sys.modules)"
    )
    assert (code, out.strip(), err) == (0, "False", "")


def test_names_are_public_where_they_are_said_to_be():
    import preopen

    for name in preopen.__all__:
        assert hasattr(preopen, name), name
    for name in preopen.errors.__all__:
        assert getattr(preopen, name) is getattr(preopen.errors, name)
    assert preopen.__version__ == preopen._native.__version__


SUBINTERPRETER = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import preopen

# Two of them: one that ends before the process does, and one that is left to its exit.
for ends in (True, False):
    try:
        interpreter = interpreters.create("legacy")
    except TypeError:
        interpreter = interpreters.create()
    told = interpreters.run_string(interpreter, '''
try:
    import preopen
except ImportError as error:
    assert "subinterpreter" in str(error), error
else:
    raise SystemExit("imported")
''')
    assert told is None, told
    if ends:
        interpreters.destroy(interpreter)

import asyncio
from preopen import AsyncSession, Samco

async def refused():
    # The way back from the background thread is still open.
    session = AsyncSession(Samco(api_key="k", api_secret="s"), base_url="http://127.0.0.1:9", timeout=1)
    try:
        await asyncio.wait_for(session.token(), 30)
    except preopen.NetworkError:
        print("told")

asyncio.run(refused())
"""


def test_a_subinterpreter_is_refused_and_disturbs_nobody():
    assert run_script(SUBINTERPRETER) == (0, "told\n", "")
