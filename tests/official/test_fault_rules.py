"""The rules of the fault table: whoever breaks one is told so, and who breaks none passes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "faults"))

import rules

FAILS = {"expect": {"error": {}}}
SUCCEEDS = {"expect": {"ok": True}}
RENEWS = {**SUCCEEDS, "needs": "renewal"}
#: A call that failed as it should.
GOOD: dict[str, Any] = {
    "kind": "raised",
    "types": ["some.NetworkError", "builtins.Exception"],
    "calls": 1,
    "seconds": 0.1,
    "bound": 4.0,
    "exit": 0,
    "last_words": "",
    "shown": {},
    "written": [],
    "seen": 1,
    "reached": True,
    "went_elsewhere": False,
    "leaked": [],
    "unproven": [],
}
SUCCESS = {"kind": "success", "genuine": True}
REFUSED = {"kind": "failure", "what": "AG8001"}


@pytest.mark.parametrize(
    ("row", "on", "observed", "cell"),
    [
        (FAILS, "read", {}, "pass: `NetworkError`"),
        (FAILS, "read", REFUSED, "pass: failure `AG8001`"),
        (
            FAILS,
            "read",
            {"types": ["builtins.ConnectionResetError", "builtins.OSError"]},
            "pass: `ConnectionResetError`",
        ),
        (SUCCEEDS, "read", SUCCESS, "pass: success"),
        (RENEWS, "read", REFUSED, "no renewal: failure `AG8001`"),
        (RENEWS, "read", SUCCESS, "pass: success"),
        (FAILS, "read", {"kind": "success", "genuine": False}, "fail: told as a success"),
        (FAILS, "read", {"kind": "other", "what": "<a | b>"}, "fail: returned as a reply: `<a / b>`"),
        (FAILS, "read", {"types": ["builtins.KeyError"]}, "fail: `KeyError`"),
        (FAILS, "read", {"types": ["json.decoder.JSONDecodeError"]}, "fail: `JSONDecodeError`"),
        (FAILS, "read", {"types": ["TypeError", "Error"]}, "fail: `TypeError`"),
        (SUCCEEDS, "read", {"calls": 3}, "fail: `NetworkError` at call 3 in place of a success"),
        (
            FAILS,
            "read",
            {"exit": 1, "last_words": "Error: no"},
            "fail: the process ends: `Error: no` (`NetworkError`)",
        ),
        (FAILS, "read", {"exit": None}, "fail: the process does not end (`NetworkError`)"),
        (FAILS, "read", {"kind": "hangs", "exit": None}, "fail: goes on past its deadline of 4 s (ended)"),
        (FAILS, "read", {"seconds": 4.5}, "fail: takes longer than 4 s (`NetworkError`)"),
        (FAILS, "write", {"seen": 2}, "fail: sent 2 times (`NetworkError`)"),
        (FAILS, "read", {"seen": 2}, "pass: `NetworkError`"),
        (
            FAILS,
            "login",
            {"shown": {"stderr": ["api_key", "token"]}},
            "fail: api key, token in stderr (`NetworkError`)",
        ),
        (
            {**FAILS, "memory": True},
            "read",
            {"rise": 17 << 20},
            "fail: memory rises by more than 16 MiB (`NetworkError`)",
        ),
        (
            {**FAILS, "memory": True},
            "read",
            {"rise": 320 << 20},
            "fail: memory rises by more than 100 MiB (`NetworkError`)",
        ),
        ({**FAILS, "memory": True}, "read", {"rise": 16 << 20}, "pass: `NetworkError`"),
        (FAILS, "read", {"reached": False}, "fail: never met the fault (`NetworkError`)"),
        (FAILS, "read", {"reached": None}, "pass: `NetworkError`"),
        (SUCCEEDS, "read", {**SUCCESS, "reached": False}, "fail: never met the fault"),
        (FAILS, "read", {"leaked": ["token"]}, "fail: followed to another host with token (`NetworkError`)"),
        (
            FAILS,
            "read",
            {**SUCCESS, "went_elsewhere": True},
            "fail: took another host's reply for the broker's",
        ),
        (
            FAILS,
            "login",
            {**SUCCESS, "unproven": ["api_secret"]},
            "fail: api secret sent to a server that cannot prove who it is",
        ),
        (SUCCEEDS, "read", {**SUCCESS, "unproven": ["token"]}, "pass: success"),
        (
            SUCCEEDS,
            "start",
            {**SUCCESS, "seconds": 11.0, "sent": 1, "threads": 1, "written": ["logs"]},
            "fail: takes 11 s; uses the network; starts a thread; writes `logs`",
        ),
        (SUCCEEDS, "start", {**SUCCESS, "sent": 0, "threads": 0}, "pass: success"),
        (SUCCEEDS, "start", {}, "fail: `NetworkError`"),
    ],
)
def test_a_cell(row: dict[str, Any], on: str, observed: dict[str, Any], cell: str) -> None:
    assert rules.cell(row, on, {**GOOD, **observed}) == cell
