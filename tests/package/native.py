"""Reading native files: which symbols of glibc one needs, and whether it is for the right platform."""

from __future__ import annotations

import re
import struct
from typing import Tuple

_SYMBOL = re.compile(rb"\x00GLIBC_(\d+)\.(\d+)(?:\.\d+)?(?=\x00)")
_ELF_MACHINES = {"x64": 62, "arm64": 183}
_MACH_MACHINES = {"x64": 0x01000007, "arm64": 0x0100000C}


def glibc(file: bytes) -> Tuple[int, int]:
    """The newest version of glibc that a symbol is asked of; (0, 0) when there is none, as with musl."""
    needed = [(int(major), int(minor)) for major, minor in _SYMBOL.findall(file)]
    return max(needed, default=(0, 0))


def platform(file: bytes) -> Tuple[str, str]:
    """Operating system and processor, as npm calls them."""
    if file[:4] == b"\x7fELF":
        (machine,) = struct.unpack_from("<H", file, 18)
        return "linux", _named(machine, _ELF_MACHINES)
    if file[:4] == b"\xcf\xfa\xed\xfe":
        (machine,) = struct.unpack_from("<I", file, 4)
        return "darwin", _named(machine, _MACH_MACHINES)
    if file[:2] == b"MZ":
        (header,) = struct.unpack_from("<I", file, 0x3C)
        (machine,) = struct.unpack_from("<H", file, header + 4)
        return "win32", _named(machine, {"x64": 0x8664, "arm64": 0xAA64})
    return "unknown", "unknown"


def _named(machine: int, names: dict[str, int]) -> str:
    return next((name for name, number in names.items() if number == machine), hex(machine))


def fits(file: bytes, target: dict[str, str]) -> None:
    """Fails unless the file runs on the target, and on the oldest glibc that it is promised for."""
    assert platform(file) == (target["os"], target["cpu"])
    if target["os"] == "linux":
        floor = tuple(int(part) for part in target.get("glibc", "0.0").split("."))
        assert glibc(file) <= floor, f"needs glibc {glibc(file)}, promised is {floor}"
        # A file that asks nothing of any glibc is no file for glibc.
        assert (glibc(file) > (0, 0)) == (target["libc"] == "glibc")
