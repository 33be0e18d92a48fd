"""The packages of this machine's platform, installed into clean places without any registry, and used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PYTHON_VERSION, ROOT, VERSION, WANTED, dist, only

SMOKE = ROOT / "tests/package"
# The wheel is for the oldest Python and for the newest: `cargo xtask test` names them.
PYTHONS = os.environ.get("PREOPEN_PYTHONS", sys.executable).split(os.pathsep)
NODES = os.environ.get("PREOPEN_NODES", "node").split(os.pathsep)


def run(*command, cwd, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PREOPEN_", "PYTHON"))}
    clean.update(environment)
    done = subprocess.run(
        command, cwd=cwd, env=clean, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: Path(path).parents[1].name)
def test_python_has_the_package_and_the_command_from_the_two_wheels(python, tmp_path):
    run(python, "-m", "venv", "venv", cwd=tmp_path)
    inside = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = f"preopen[sandbox]=={PYTHON_VERSION}"
    run(inside, "-m", "pip", "install", "--quiet", "--no-index", "--find-links", dist(), wanted, cwd=tmp_path)
    listed = run(inside, "-m", "pip", "list", "--format=freeze", cwd=tmp_path).split()
    brought = {line.split("==")[0] for line in listed} - {"pip", "setuptools", "wheel"}
    assert brought == {"preopen", "preopen-cli"}
    assert f"preopen {VERSION} on Python" in run(inside, SMOKE / "smoke.py", cwd=tmp_path)
    assert run(inside.parent / "preopen", "--version", cwd=tmp_path).split()[-1] == VERSION


@pytest.mark.parametrize(
    "node", NODES, ids=lambda path: Path(path).parents[3].name if os.sep in path else path
)
def test_node_has_the_package_and_the_command_from_their_tarballs(node, tmp_path):
    [target] = WANTED  # this machine's
    tarballs = [
        only(f"{name}-{VERSION}.tgz")
        for name in ("preopen", f"preopen-{target['npm']}", "preopen-cli", f"preopen-cli-{target['npm']}")
    ]
    (tmp_path / "package.json").write_text('{ "private": true }', encoding="utf-8")
    path = (
        os.pathsep.join([str(Path(node).parent), os.environ["PATH"]])
        if os.sep in node
        else os.environ["PATH"]
    )
    run("npm", "install", "--offline", "--no-audit", "--no-fund", *tarballs, cwd=tmp_path, PATH=path)
    installed = {
        folder.name for folder in (tmp_path / "node_modules").iterdir() if not folder.name.startswith(".")
    }
    assert installed == {"preopen", "preopen-cli", "@preopen"}
    assert f"preopen {VERSION} on Node" in run(node, SMOKE / "smoke.mjs", cwd=tmp_path)
    shim = tmp_path / "node_modules/.bin/preopen"
    assert run(shim, "--version", cwd=tmp_path, PATH=path).split()[-1] == VERSION
