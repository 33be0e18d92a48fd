"""What the tests of the packages share: where they are, which there must be, and how one is opened.

They run on the folder that ``PREOPEN_DIST`` names: in `cargo xtask test` on packages of a quick build for
this machine, in `cargo xtask soak --only package` on those of a release for this platform, in the workflow of
a release on all. ``PREOPEN_TARGETS`` are their triples, separated by commas.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIST = json.loads((ROOT / "tools/targets.json").read_text(encoding="utf-8"))
LIMITS: dict[str, int] = LIST["limits"]
TARGETS: dict[str, dict[str, str]] = {target["triple"]: target for target in LIST["targets"]}
WANTED = [TARGETS[triple] for triple in os.environ.get("PREOPEN_TARGETS", ",".join(TARGETS)).split(",")]
VERSION = json.loads((ROOT / "node/package.json").read_text(encoding="utf-8"))["version"]
# A pre-release has another spelling in Python: 1.0.0-rc.1 is 1.0.0rc1.
PYTHON_VERSION = re.sub(r"-(alpha|beta|rc)\.", lambda found: {"rc": "rc"}.get(found[1], found[1][0]), VERSION)
LICENCES = {"LICENSE-MIT", "LICENSE-APACHE"}


def tag(target: dict[str, str]) -> str:
    """The platform of a wheel's name; a build for this machine alone has another one than a release."""
    return os.environ.get("PREOPEN_WHEEL_TAG") or target["wheel"]


def dist() -> Path:
    folder = os.environ.get("PREOPEN_DIST")
    if not folder:
        pytest.fail("PREOPEN_DIST names no folder with packages: `cargo xtask test --only package`")
    return Path(folder)


def only(pattern: str) -> Path:
    """The one file of that name."""
    found = sorted(dist().glob(pattern))
    assert len(found) == 1, f"{pattern}: {[path.name for path in dist().iterdir()]}"
    return found[0]


def in_wheel(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def in_tar(path: Path) -> dict[str, bytes]:
    """Its files, without the folder that all are in."""
    files: dict[str, bytes] = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                files[member.name.split("/", 1)[1]] = content.read()
    return files


def bill_of(text: bytes) -> dict[str, Any]:
    """A bill of materials that is valid CycloneDX, by the schema."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    bill: dict[str, Any] = json.loads(text)
    version = {"1.4": SchemaVersion.V1_4, "1.5": SchemaVersion.V1_5}[bill["specVersion"]]
    error = JsonStrictValidator(version).validate_str(text.decode("utf-8"))
    assert error is None, error
    return bill


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" in metafunc.fixturenames:
        metafunc.parametrize("target", WANTED, ids=[target["triple"] for target in WANTED])
