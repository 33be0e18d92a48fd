"""What is built from source: the archive for Python makes itself anew, and the crates are complete."""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
import sys
import tarfile

from conftest import LICENCES, PYTHON_VERSION, ROOT, VERSION, dist, in_tar, only


def test_the_source_archive_makes_itself_anew(tmp_path):
    archive = only(f"preopen-{PYTHON_VERSION}.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    unpacked = tmp_path / f"preopen-{PYTHON_VERSION}"
    again = tmp_path / "again"
    sdist = [sys.executable, "-m", "maturin", "sdist", "--out", str(again)]
    # Only what is in the archive is there; the files of a build elsewhere are not.
    environment = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
    subprocess.run(sdist, cwd=unpacked, env=environment, check=True, stdin=subprocess.DEVNULL)
    first, second = in_tar(archive), in_tar(again / archive.name)
    assert sorted(first) == sorted(second)
    # Cargo takes what only the rest of the repository needs out of its lock; what stays is locked as it was.
    locked, relocked = (locks(files.pop("Cargo.lock")) for files in (first, second))
    assert relocked
    assert relocked.items() <= locked.items()
    assert [name for name in first if first[name] != second[name]] == []


def locks(text: bytes) -> dict[tuple[str, str], str]:
    """The checksum of each package by name and version; what the archive itself holds has none."""
    packages = text.decode("utf-8").split("[[package]]")[1:]
    fields = [dict(re.findall(r'^(name|version|checksum) = "(.+)"$', one, re.MULTILINE)) for one in packages]
    return {(one["name"], one["version"]): one.get("checksum", "") for one in fields}


def test_the_source_archive_has_what_a_build_needs():
    files = set(in_tar(only(f"preopen-{PYTHON_VERSION}.tar.gz")))
    assert (
        LICENCES
        | {"pyproject.toml", "Cargo.toml", "Cargo.lock", "README.md", "PKG-INFO", "python/preopen/py.typed"}
        <= files
    )
    assert not [file for file in files if re.search(r"(^|/)(tests|target|node_modules|\.github)/", file)]


def test_the_crates_are_those_that_others_build_on():
    names = {path.name[: -len(f"-{VERSION}.crate")] for path in dist().glob("*.crate")}
    assert names == {
        "preopen",
        "preopen-cli",
        "preopen-core",
        "preopen-ffi",
        "preopen-http",
        "preopen-sandbox",
        "preopen-store",
    }


def test_each_crate_is_complete_and_says_what_it_is():
    for path in sorted(dist().glob("*.crate")):
        files = in_tar(path)
        assert set(files) >= LICENCES, path.name
        assert not [name for name in files if name.split("/")[0] in ("tests", "benches", "npm")], path.name
        manifest = files["Cargo.toml"].decode("utf-8")
        for field in ("description", "license", "keywords", "categories", "rust-version"):
            assert re.search(rf"^{field} = ", manifest, re.MULTILINE), (path.name, field)
        # A path would be one of the machine that packed it.
        assert not re.search(r'^path = "(?!src/|build\.rs)', manifest, re.MULTILINE), path.name
        for name, text in sources(files):
            for included in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', text):
                place = posixpath.normpath(posixpath.join(posixpath.dirname(name), included))
                assert place in files, (path.name, name, included)


def sources(files):
    """The sources without what only tests compile: that may read what is elsewhere in the repository."""
    for name, content in files.items():
        if name.endswith(".rs"):
            text = content.decode("utf-8").split("#[cfg(test)]")[0]
            yield name, re.sub(r"#\[cfg_attr\(doctest,.*|#\[cfg\(doctest\)\]\n.*", "", text)


def test_the_licences_are_the_repository_s():
    for path in dist().glob("*.crate"):
        files = in_tar(path)
        for name in LICENCES:
            assert files[name] == (ROOT / name).read_bytes(), path.name
