"""What is downloaded and stored: the wheel, the addon, the command."""

from pathlib import Path

from report import Column, Group, Table, Target

NOTE = """\
As this run built them, for this machine. The packages of a release are linked by another linker and
weighed by `cargo xtask test --only package`.
"""
#: Name of the program or package -> row, and the limit in megabytes.
FILES = {
    "wheel": ("Python wheel", 3),
    "addon": ("Node addon", 6),
    "preopen": ("`preopen` command", 12),
}


def run(bench):
    weighed = {what: Path(bench.program(what)).stat().st_size / 1e6 for what in FILES}
    rows = {FILES[what][0]: [{"size": size}] for what, size in weighed.items()}
    targets = [
        Target(f"size: {FILES[what][0]}", FILES[what][1], size, "MB") for what, size in weighed.items()
    ]
    table = Table("One file each", rows, [Column("MB", "size", digits=2)], ours=("",))
    return Group("size", "Size", [table], NOTE, targets)
