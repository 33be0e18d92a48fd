"""One Python client process of the fault table: it prepares, waits, acts once, and reports what came of it.

The first line on standard input says what to do; reports go to the file descriptor that the first argument
names, so that standard output and standard error hold nothing but what the client itself says there."""

import gc
import json
import os
import pathlib
import sys
import time
import traceback

#: The kernel's counters of this process's network: packets that left, and those that had nowhere to go.
COUNTERS = pathlib.Path("/proc/self/net/snmp")
STATUS = pathlib.Path("/proc/self/status")
#: So much of an exception's text is looked at: one client puts whole replies into it.
LONG = 1 << 20
#: What is sent behind the scenes is sent by then.
SETTLED = 0.5


class Client:
    """What a peer has to say; `spec` is the first line. Methods raise what the client raises."""

    def __init__(self, spec):
        self.spec = spec

    def login(self):
        raise NotImplementedError

    def read(self):
        raise NotImplementedError

    def write(self):
        raise NotImplementedError

    def tokens(self):
        """The tokens that the client holds now."""
        raise NotImplementedError

    def told(self, reply):
        """What a caller learns from a reply by the client's documented check: see `success`, `failure` and
        `other`."""
        raise NotImplementedError


def success(wanted):
    """The check says success; `genuine`, when the reply has what was asked for: `wanted` is something, and
    nothing was put in the place of bytes that are no text."""
    return {"kind": "success", "genuine": bool(wanted) and "\ufffd" not in str(wanted)}


def failure(what):
    """The reply says that it is a failure, and which."""
    return {"kind": "failure", "what": str(what)[:80]}


def other(reply):
    """Neither."""
    what = reply if isinstance(reply, str) and reply else repr(reply)
    return {"kind": "other", "what": what[:80]}


def raised(error):
    kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]
    texts = [str(error)[:LONG]]
    if len(texts[0]) < LONG:
        texts += [repr(error), *traceback.format_exception(type(error), error, error.__traceback__)]
    return {"kind": "raised", "types": kinds, "shown": "\n".join(texts)}


def memory(field):
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) << 10


def act(client, spec):
    """Calls as often as the row says, and stops at what is no success: how often, and the last reply or
    error."""
    call = getattr(client, spec["on"])
    for done in range(1, spec["repeat"] + 1):
        try:
            reply = call()
        except Exception as error:
            return done, error
        if client.told(reply)["kind"] != "success":
            break
    return done, reply


def measured(client, spec):
    rises = spec["memory"] and STATUS.exists()
    if rises:
        gc.collect()
        before = memory("VmRSS")
        # The peak from now on.
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    began = time.monotonic()
    calls, got = act(client, spec)
    told = {"calls": calls, "seconds": time.monotonic() - began}
    if rises:
        told["rise"] = memory("VmHWM") - before
    # Looking at an error costs memory and time of its own.
    return {**told, **(raised(got) if isinstance(got, Exception) else client.told(got))}


def packets():
    """So many packets were sent, or wanted to be."""
    names, values = [line.split()[1:] for line in COUNTERS.read_text().splitlines() if line.startswith("Ip:")]
    counted = dict(zip(names, map(int, values)))
    return counted["OutRequests"] + counted["OutNoRoutes"]


def threads():
    return len(os.listdir("/proc/self/task"))


def started(make, spec):
    """Import and construction."""
    sent, running, began = packets(), threads(), time.monotonic()
    try:
        client = make(spec)
    except Exception as error:
        return {**raised(error), "seconds": time.monotonic() - began}
    seconds = time.monotonic() - began
    time.sleep(SETTLED)
    done = {**success(True), "seconds": seconds, "sent": packets() - sent, "threads": threads() - running}
    # Until here it has to live.
    del client
    return done


def main(make):
    """Plays one row with the client that `make` imports and constructs."""
    reports = os.fdopen(int(sys.argv[1]), "w")

    def report(**told):
        reports.write(json.dumps(told) + "\n")
        reports.flush()

    spec = json.loads(sys.stdin.readline())
    if spec["on"] == "start":
        report(**started(make, spec))
        return
    client = make(spec)
    if spec["login_first"]:
        client.login()
    if spec["warm"]:
        assert client.told(client.read())["kind"] == "success"
    report(kind="ready", tokens=client.tokens())
    # The faults are set when the driver answers.
    sys.stdin.readline()
    report(**measured(client, spec), tokens=client.tokens())
