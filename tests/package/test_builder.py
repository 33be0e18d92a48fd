"""No package tells where it was built; that native files do not is read from those of a release."""

from __future__ import annotations

from pathlib import Path

import pytest
from builder import folders, is_native, looks_built_somewhere, named, packages
from conftest import ROOT


def test_no_text_names_a_folder_of_this_machine():
    places = folders()
    assert ROOT in places
    told = [
        (package, name, where)
        for package, files in packages().items()
        for name, content in files.items()
        if not is_native(content) and (where := named(content, places))
    ]
    assert told == []


def test_no_bill_of_materials_tells_where_it_was_written():
    bills = [
        (package, name, content)
        for package, files in packages().items()
        for name, content in files.items()
        if name.endswith((".cdx.json", ".cyclonedx.json"))
    ]
    assert len({package for package, _, _ in bills}) >= 4
    told = [name for _, name, text in bills if looks_built_somewhere(text) or b"file:" in text]
    assert told == []
    # Nor when: whoever builds the same makes the same.
    assert [name for _, name, text in bills if b'"timestamp"' in text or b'"serialNumber"' in text] == []


@pytest.mark.parametrize(
    "path",
    [
        b"/home/you/.cargo/registry/src/index.example.org-0123456789abcdef/url-2.5.8/src/parser.rs",
        b"/usr/local/cargo/registry/src/index.example.org-0123456789abcdef/url-2.5.8/src/parser.rs",
        b"C:\\Users\\runneradmin\\.cargo\\registry\\src\\index",
        b"D:\\a\\preopen\\preopen\\target\\release\\build",
        b"/".join([b"/Users", b"runner", b"work/preopen/target/release/deps/libpreopen_node.dylib"]),
        b"/opt/.rustup/toolchains/stable/lib/rustlib/src/rust/library/core/src/str.rs",
    ],
)
def test_a_folder_of_any_builder_is_seen(path):
    assert looks_built_somewhere(b"\0" + path)
    # The strings of a native file stand side by side, without anything between them.
    assert looks_built_somewhere(b"an error" + path)


@pytest.mark.parametrize(
    "path",
    [
        b"\0/cargo/registry/src/index.example.org-0123456789abcdef/url-2.5.8/src/parser.rs",
        b"an error/cargo/registry/src/index.example.org-0123456789abcdef/url-2.5.8/src/parser.rs",
        b"/cargo\\registry\\src\\index.example.org-0123456789abcdef\\url-2.5.8\\src\\parser.rs",
        b"crates/core/src/lib.rs/preopen/crates/core/src/lib.rs",
        b"/rustc/0123456789abcdef/library/core/src/str.rs",
        b"file:///etc/hosts",
    ],
)
def test_what_is_the_same_everywhere_is_not(path):
    assert looks_built_somewhere(path) == []


def test_a_folder_is_seen_whole():
    place = [Path("/home/you/preopen")]
    assert named(b"an error/home/you/preopen/target", place) == [b"/home/you/preopen"]
    assert named(b"see /home/you/preopenland and /home/you/preopen-2", place) == []
