"""The audit file, log records and metrics as Python gets them: what they hold, that waiting for a record
keeps nothing alive, and what a forked child has."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import logins, run_script

import preopen
from preopen import _native

ENTRY = ["at", "broker", "account", "host", "action", "why", "outcome", "duration_ms"]


def entries(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def said(path):
    return [(one["action"], one["why"], one["outcome"]) for one in entries(path)]


def taken(logs):
    return list(iter(lambda: logs.next(0.0), None))


def test_each_login_is_one_line_however_many_callers_wait(sandbox, tmp_path):
    path = tmp_path / "audit.jsonl"
    session = sandbox.session("samco", audit=str(path))
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda _: session.token(), range(64)))
    assert logins(sandbox) == 1
    (entry,) = entries(path)
    assert list(entry) == ENTRY
    assert entry["broker"] == "samco" and entry["at"].endswith("+05:30") and entry["duration_ms"] >= 0
    session.logout()
    assert said(path) == [("login", "first_use", "ok"), ("logout", "asked", "ok")]
    assert session.state().name == "signed_out"


def test_a_path_is_a_text_that_is_not_empty(sandbox):
    for wrong in ("", 7, b"audit"):
        with pytest.raises(preopen.InvalidInputError) as caught:
            sandbox.session("samco", audit=wrong)
        assert caught.value.field == "audit"


def test_records_are_plain_and_of_the_level_that_was_asked_for(sandbox):
    logs, fine = _native.Logs("info"), _native.Logs("DEBUG")
    session = sandbox.session("samco")
    session.get("/limit/getLimits")
    records = taken(logs)
    (audit,) = [one for one in records if one["target"] == "preopen.audit"]
    assert list(audit) == ["at", "level", "target", "message", "fields"]
    assert audit["level"] == "info" and abs(audit["at"] - time.time()) < 60
    assert list(audit["fields"]) == ENTRY
    (renewed,) = [one for one in records if one["fields"].get("event") == "renewed"]
    assert renewed["target"] == "preopen" and renewed["fields"]["generation"] == 1
    assert {one["level"] for one in taken(fine)} == {"info", "debug"}
    assert session.token().expose() not in repr(records)
    logs.close()
    session.logout()
    assert taken(logs) == [] and logs.closed and not fine.closed
    fine.close()
    with pytest.raises(preopen.InvalidInputError) as caught:
        _native.Logs("loud")
    assert caught.value.field == "level"


def test_one_who_waits_is_woken_by_a_record_and_by_the_end():
    logs = _native.Logs("info")
    seen = []
    waits = threading.Thread(target=lambda: seen.append(logs.next()))
    waits.start()
    logs.close()
    waits.join(10)
    assert seen == [None]
    began = time.monotonic()
    assert _native.Logs("info").next(0.05) is None
    assert time.monotonic() - began >= 0.05


def test_metrics_count_what_happened(sandbox):
    def number(name, **labels):
        found = [
            one
            for one in _native.metrics()
            if one["name"] == name and labels.items() <= one["labels"].items()
        ]
        return sum(one.get("value", one.get("count")) for one in found)

    names = ("preopen_logins_total", "preopen_calls_total", "preopen_login_wait_seconds")
    before = [number(name, broker="samco") for name in names]
    session = sandbox.session("samco")
    for _ in range(3):
        session.get("/limit/getLimits")
    after = [number(name, broker="samco") for name in names]
    assert [now - then for now, then in zip(after, before)] == [1, 3, 1]
    assert number("preopen_live_sessions", broker="samco") >= 1
    # Other tests of this process may have used the other broker.
    histograms = [one for one in _native.metrics() if one["kind"] == "histogram"]
    (histogram,) = [one for one in histograms if one["labels"] == {"broker": "samco"}]
    assert sorted(histogram) == ["buckets", "count", "help", "kind", "labels", "name", "sum", "unit"]
    assert histogram["buckets"][-1][1] <= histogram["count"] and histogram["sum"] > 0


# The main program waits for records in a thread that nobody joins, forks, and ends.
FORKED = """
import json, os, sys, threading, warnings
import preopen
from preopen import _native
warnings.simplefilter("ignore", DeprecationWarning)
url, path = sys.argv[1:]
def session():
    return preopen.Session(preopen.Samco(api_key="key", api_secret="secret"), base_url=url, audit=path)
def fails():
    try:
        session().token()
    except preopen.PreopenError as error:
        return error.code
logs = _native.Logs("info")
threading.Thread(target=logs.next, daemon=True).start()
fails()
child = os.fork()
if child == 0:
    mine = logs.closed, logs.next(10)
    own = _native.Logs("info")
    counted = sum(one.get("value", 0) for one in _native.metrics())
    fails()
    record = own.next(10)
    logs.close()
    print(json.dumps([mine, counted, record["target"], own.closed]), flush=True)
    os._exit(0)
os.waitpid(child, 0)
threading.Thread(target=logs.next, daemon=True).start()
print(json.dumps(logs.closed))
"""


def test_a_forked_child_has_its_own_and_a_program_that_waits_still_ends(tmp_path):
    path = tmp_path / "audit.jsonl"
    code, out, err = run_script(FORKED, "http://127.0.0.1:9", path)
    assert (code, err) == (0, "")
    child, parent = map(json.loads, out.splitlines())
    assert child == [[True, None], 0, "preopen.audit", False] and parent is False
    assert said(path) == [("login", "first_use", "network")] * 2


def test_ctrl_c_ends_waiting_for_a_record():
    text = """
import signal
from preopen import _native
signal.setitimer(signal.ITIMER_REAL, 0.2)
signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
try:
    _native.Logs("info").next()
except KeyboardInterrupt:
    print("interrupted")
"""
    assert run_script(text)[:2] == (0, "interrupted\n")
