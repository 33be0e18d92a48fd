"""What tells where a file was built: the folders of this machine, and what those of any builder look like."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Dict, List

from conftest import ROOT, dist, in_tar, in_wheel

# A release calls cargo's folder `/cargo` everywhere. In a native file texts follow each other with nothing
# between them: what stands before that is not always a part of the path.
_OF_A_BUILDER = re.compile(
    rb"(?:\.cargo|/usr/local/cargo|/opt/cargo)[/\\](?:registry|git)[/\\]"
    rb"|\.rustup[/\\]toolchains"
    rb"|[/\\](?:home|Users)[/\\]runner"
    rb"|[A-Z]:[/\\](?:Users|a)[/\\]\w+[/\\]"
)


def folders() -> List[Path]:
    """Where this machine has the repository, its builds and the tools.

    A folder as short as `/src` may stand in any text.
    """
    home = Path.home()
    cargo, rustup = (
        Path(os.environ.get(name) or home / folder)
        for name, folder in (("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup"))
    )
    every = [ROOT, cargo, rustup, dist().resolve().parent]
    return [folder for folder in every if len(folder.parts) > 2]


def named(content: bytes, places: List[Path]) -> List[bytes]:
    """Which of these folders it names."""
    spelled = [text.encode("utf-8") for place in places for text in {str(place), place.as_posix()}]
    return [text for text in spelled if re.search(re.escape(text) + rb"(?![\w.-])", content)]


def looks_built_somewhere(content: bytes) -> List[bytes]:
    """What names a folder that nobody but a builder has, also one that is not this machine."""
    return _OF_A_BUILDER.findall(content)


def contents(path: Path) -> Dict[str, bytes]:
    """The files of a package; a file that is none is its own."""
    if path.suffix == ".whl":
        return in_wheel(path)
    if path.suffix in (".gz", ".tgz", ".crate"):
        return in_tar(path)
    return {path.name: path.read_bytes()}


def packages() -> Dict[str, Dict[str, bytes]]:
    """Every package, with its files."""
    found = {path.name: contents(path) for path in sorted(dist().iterdir())}
    assert found
    return found


def is_native(content: bytes) -> bool:
    return content[:4] in (b"\x7fELF", b"\xcf\xfa\xed\xfe") or content[:2] == b"MZ"
