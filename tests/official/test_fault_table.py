"""`docs/fault-matrix.md` has the rows of `tests/faults/matrix.json`, and some of them give the same cells
again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DRIVER = ROOT / "tests" / "faults" / "run.py"
PEERS = ["Preopen, Python", "Preopen, Node", "smartapi-python", "stocknotebridge", "smartapi-javascript"]
#: A fault of the embedded broker, one on a server that is played, and a wrong login.
AGAIN = [("a web page with 502", "read"), ("TLS: an expired certificate", "login"), ("a wrong key", "login")]

#: Logins that never come to a broker, and what a cell says beside.
NOBODY = {
    'return type("Made", (), {"data": "up"})()': "",
    'raise __import__("preopen").NetworkError("no route")': " (`NetworkError`)",
    'raise ConnectionRefusedError("nobody")': " (`ConnectionRefusedError`)",
}


def tables() -> Any:
    """What writes the page reads it."""
    sys.path.insert(0, str(DRIVER.parent))
    try:
        import page
    finally:
        sys.path.pop(0)
    return page.read((ROOT / "docs" / "fault-matrix.md").read_text())


def test_the_page_has_every_row_and_action_of_the_matrix_and_no_other() -> None:
    matrix = json.loads((DRIVER.parent / "matrix.json").read_text())
    wanted = [(row["name"], on) for row in matrix for on in row["on"]]
    wanted.append(("import and construction without a network", "start"))
    rows = tables()
    assert [(name, on) for name, on, _ in rows] == wanted
    for _, _, cells in rows:
        assert list(cells) == PEERS
        assert all(cell.startswith(("pass: ", "no ", "fail: ", "n/a: ")) for cell in cells.values())


@pytest.mark.parametrize("row", ["500 with a gateway's body", "TLS: an expired certificate", "a wrong key"])
@pytest.mark.parametrize(("client", "rest"), NOBODY.items())
def test_a_client_that_never_comes_to_the_fault_does_not_pass(
    tmp_path: Path, row: str, client: str, rest: str
) -> None:
    """Not by the error that it gives instead, nor by a success that it makes up."""
    faults = tmp_path / "tests" / "faults"
    shutil.copytree(DRIVER.parent, faults)
    (tmp_path / "tests" / "python").symlink_to(ROOT / "tests" / "python")
    (tmp_path / "tests" / "official").symlink_to(ROOT / "tests" / "official")
    peer = faults / "clients" / "preopen_python.py"
    peer.write_text(peer.read_text().replace("return self.session.token()", client))
    command = [sys.executable, str(faults / "run.py"), "--only", row, "--on", "login", "--json"]
    command += ["--peer", "Preopen, Python"]
    played = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=120)
    assert json.loads(played.stdout) == [
        [row, "login", {"Preopen, Python": f"fail: never met the fault{rest}"}]
    ]


def test_preopen_passes_every_row() -> None:
    missed = [
        (name, on, peer, cells[peer])
        for name, on, cells in tables()
        for peer in PEERS[:2]
        if not cells[peer].startswith("pass: ")
    ]
    assert missed == []


@pytest.mark.parametrize(("name", "on"), AGAIN)
def test_a_row_that_is_played_again_gives_the_cells_of_the_page(name: str, on: str) -> None:
    node = os.environ.get("PREOPEN_FAULTS_NODE")
    assert node, "PREOPEN_FAULTS_NODE must name the Node of the Node clients; `cargo xtask test` sets it"
    command = [sys.executable, str(DRIVER), "--node", node, "--only", name, "--on", on, "--json"]
    played = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=120)
    assert json.loads(played.stdout) == [[*row] for row in tables() if row[:2] == (name, on)]
