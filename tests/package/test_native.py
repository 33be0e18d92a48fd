"""The reader of native files itself: that it sees what it must."""

from __future__ import annotations

import sys

import pytest
from native import fits, glibc, platform

LINUX = b"\x7fELF" + bytes(14) + (62).to_bytes(2, "little")


def test_the_newest_symbol_counts_and_not_what_merely_looks_like_one():
    file = LINUX + b"\0GLIBC_2.2.5\0GLIBC_2.17\0GLIBC_2.28\0GLIBC_PRIVATE\0say GLIBC_2.99 \0"
    assert glibc(file) == (2, 28)
    assert glibc(LINUX) == (0, 0)


def test_a_file_that_needs_more_than_is_promised_is_refused():
    target = {"os": "linux", "cpu": "x64", "libc": "glibc", "glibc": "2.28"}
    fits(LINUX + b"\0GLIBC_2.28\0", target)
    with pytest.raises(AssertionError, match="needs glibc"):
        fits(LINUX + b"\0GLIBC_2.34\0", target)
    with pytest.raises(AssertionError):
        fits(LINUX + b"\0GLIBC_2.28\0", {**target, "libc": "musl"})
    with pytest.raises(AssertionError):
        fits(LINUX + b"\0GLIBC_2.28\0", {**target, "cpu": "arm64"})


def test_this_python_is_for_this_platform():
    with open(sys.executable, "rb") as file:
        assert platform(file.read())[0] == sys.platform
