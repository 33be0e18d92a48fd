"""The npm packages: what they are for, what is in them, what they need."""

from __future__ import annotations

import json
import re

import pytest
from conftest import LICENCES, TARGETS, VERSION, bill_of, in_tar, only
from native import platform

NEEDS = {"dependencies", "bundledDependencies", "bundleDependencies", "scripts"}


@pytest.mark.parametrize("name", ["preopen", "preopen-cli"])
def test_a_package_for_every_platform_needs_nothing_but_its_own(name):
    files = in_tar(only(f"{name}-{VERSION}.tgz"))
    manifest = json.loads(files["package.json"])
    assert (manifest["name"], manifest["version"]) == (name, VERSION)
    assert NEEDS.isdisjoint(manifest)
    prefix = "cli-" if name == "preopen-cli" else ""
    assert manifest["optionalDependencies"] == {
        f"@preopen/{prefix}{target['npm']}": VERSION for target in TARGETS.values()
    }
    # Peers are what a user may bring; npm must not install one.
    peers = manifest.get("peerDependencies", {})
    assert all(manifest["peerDependenciesMeta"][peer]["optional"] for peer in peers)
    assert LICENCES | {"README.md"} <= set(files)
    assert not [file for file in files if file.endswith(".node")]


def test_the_library_is_its_build_and_nothing_else():
    files = in_tar(only(f"preopen-{VERSION}.tgz"))
    expected = re.compile(r"dist/.*\.(m?js|d\.m?ts)|package\.json|README\.md|LICENSE-\w+")
    assert [file for file in files if not expected.fullmatch(file)] == []
    manifest = json.loads(files["package.json"])
    for name, entry in manifest["exports"].items():
        for file in [entry] if isinstance(entry, str) else entry.values():
            targets = [file] if isinstance(file, str) else file.values()
            assert all(one[2:] in files for one in targets), name


def test_the_command_starts_its_program():
    files = in_tar(only(f"preopen-cli-{VERSION}.tgz"))
    assert set(files) == LICENCES | {"package.json", "README.md", "bin.js", "index.js", "index.d.ts"}
    command = json.loads(files["package.json"])["bin"]["preopen"]
    assert command.split("/")[-1] == "bin.js"
    assert files["bin.js"].startswith(b"#!/usr/bin/env node\n")


@pytest.mark.parametrize("kind", ["addon", "command"])
def test_a_platform_has_its_native_file(target, kind):
    prefix = "cli-" if kind == "command" else ""
    files = in_tar(only(f"preopen-{prefix}{target['npm']}-{VERSION}.tgz"))
    program = "preopen.exe" if target["os"] == "win32" else "preopen"
    name = "preopen.node" if kind == "addon" else program
    assert set(files) == LICENCES | {"package.json", "README.md", "sbom.cdx.json", name}
    assert platform(files[name]) == (target["os"], target["cpu"])
    manifest = json.loads(files["package.json"])
    assert (manifest["name"], manifest["version"]) == (f"@preopen/{prefix}{target['npm']}", VERSION)
    assert NEEDS.isdisjoint(manifest)
    assert (manifest["os"], manifest["cpu"]) == ([target["os"]], [target["cpu"]])
    assert manifest.get("libc") == ([target["libc"]] if "libc" in target else None)
    parts = {part["name"] for part in bill_of(files["sbom.cdx.json"])["components"]}
    assert {"preopen-core", "rustls", "ring", "tokio", "napi" if kind == "addon" else "clap"} <= parts
