"""What only builds of a release have: size, the oldest C library they run with, no trace of the builder."""

from __future__ import annotations

import pytest
from builder import folders, is_native, looks_built_somewhere, named, packages
from conftest import LIMITS, PYTHON_VERSION, VERSION, in_tar, in_wheel, only, tag
from native import fits


def program(target: dict[str, str]) -> str:
    return "preopen.exe" if target["os"] == "win32" else "preopen"


def test_the_wheel_is_small_and_runs_on_old_systems(target):
    path = only(f"preopen-{PYTHON_VERSION}-cp38-abi3-{tag(target)}.whl")
    assert path.stat().st_size <= LIMITS["wheel"]
    [native] = [
        file for name, file in in_wheel(path).items() if name.startswith("preopen/_native.") and b"\0" in file
    ]
    fits(native, target)


def test_the_command_of_the_wheel_is_small_and_runs_on_old_systems(target):
    path = only(f"preopen_cli-{PYTHON_VERSION}-py3-none-{tag(target)}.whl")
    file = in_wheel(path)[f"preopen_cli-{PYTHON_VERSION}.data/scripts/{program(target)}"]
    assert len(file) <= LIMITS["command"]
    fits(file, target)


@pytest.mark.parametrize("kind", ["addon", "command"])
def test_what_npm_installs_is_small_and_runs_on_old_systems(target, kind):
    prefix, name = ("", "preopen.node") if kind == "addon" else ("cli-", program(target))
    file = in_tar(only(f"preopen-{prefix}{target['npm']}-{VERSION}.tgz"))[name]
    assert len(file) <= LIMITS[kind]
    fits(file, target)


def test_no_native_file_tells_where_it_was_built():
    places = folders()
    natives = [
        (package, name, content)
        for package, files in packages().items()
        for name, content in files.items()
        if is_native(content)
    ]
    # Each platform has a wheel and an npm package, of the library and of the command.
    assert len(natives) >= 4
    told = {
        f"{package}: {name}": sorted(set(named(content, places) + looks_built_somewhere(content)))
        for package, name, content in natives
    }
    assert {file: traces for file, traces in told.items() if traces} == {}
