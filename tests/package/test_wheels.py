"""The wheels: what they are for, what is in them, what they need."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from email.parser import Parser
from typing import Any

import pytest
from conftest import LICENCES, PYTHON_VERSION, ROOT, bill_of, dist, in_wheel, only, tag
from native import platform

PACKAGE = "preopen"
COMMAND = "preopen_cli"


def wheels(name: str, target: dict[str, str]) -> list[dict[str, bytes]]:
    """For this platform: one for every Python, and in a release one for Python without the GIL."""
    found = sorted(dist().glob(f"{name}-{PYTHON_VERSION}-*{tag(target)}.whl"))
    assert found
    return [in_wheel(path) for path in found]


def metadata(files: dict[str, bytes], name: str) -> Any:
    return Parser().parsestr(files[f"{name}-{PYTHON_VERSION}.dist-info/METADATA"].decode("utf-8"))


def test_one_wheel_serves_every_python(target):
    path = only(f"{PACKAGE}-{PYTHON_VERSION}-cp38-abi3-{tag(target)}.whl")
    files = in_wheel(path)
    suffix = "pyd" if target["os"] == "win32" else "abi3.so"
    native = files.pop(f"preopen/_native.{suffix}")
    assert platform(native) == (target["os"], target["cpu"])
    sources = {
        path.relative_to(ROOT / "python").as_posix()
        for path in (ROOT / "python/preopen").rglob("*")
        if path.suffix in (".py", ".pyi", ".typed") and "__pycache__" not in path.parts
    }
    assert {name for name in files if name.startswith("preopen/")} == sources | {"preopen/py.typed"}


def test_the_command_has_a_wheel_of_its_own(target):
    path = only(f"{COMMAND}-{PYTHON_VERSION}-py3-none-{tag(target)}.whl")
    program = f"{COMMAND}-{PYTHON_VERSION}.data/scripts/preopen" + (".exe" if target["os"] == "win32" else "")
    file = in_wheel(path)[program]
    assert platform(file) == (target["os"], target["cpu"])
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo(program).external_attr >> 16 & 0o111 or target["os"] == "win32"


@pytest.mark.parametrize("name", [PACKAGE, COMMAND])
def test_nothing_else_is_installed_along_with_it(target, name):
    for files in wheels(name, target):
        facts = metadata(files, name)
        assert facts["Version"] == PYTHON_VERSION
        assert facts["Requires-Python"] == ">=3.8"
        needed = facts.get_all("Requires-Dist") or []
        assert [one for one in needed if not re.search(r";\s*extra\s*==", one)] == []
        if name == PACKAGE:
            assert any(one.startswith(f"preopen-cli=={PYTHON_VERSION}") for one in needed), needed


@pytest.mark.parametrize("name", [PACKAGE, COMMAND])
def test_it_says_what_it_is_made_of(target, name):
    info = f"{name}-{PYTHON_VERSION}.dist-info/"
    for files in wheels(name, target):
        assert {file.split("/")[-1] for file in files if file.startswith(info + "licenses/")} == LICENCES
        bills = [file for file in files if file.startswith(info + "sboms/")]
        assert len(bills) == 1, sorted(files)
        parts = {part["name"] for part in bill_of(files[bills[0]])["components"]}
        assert {"preopen-core", "rustls", "ring", "tokio"} <= parts


def test_every_wheel_is_as_its_record_says():
    wheels = sorted(dist().glob("*.whl"))
    assert wheels
    for path in wheels:
        files = in_wheel(path)
        [record] = [name for name in files if name.endswith(".dist-info/RECORD")]
        listed = [line.rsplit(",", 2) for line in files[record].decode("utf-8").splitlines()]
        assert {name.strip('"') for name, _, _ in listed} == set(files), path.name
        for name, digest, _ in listed:
            if digest:
                found = hashlib.sha256(files[name.strip('"')]).digest()
                assert digest == "sha256=" + base64.urlsafe_b64encode(found).rstrip(b"=").decode("ascii"), (
                    name
                )
