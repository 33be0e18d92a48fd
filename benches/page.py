"""The kept numbers (`benchmarks.json`), the page and the plots in the folder of the documentation."""

import datetime
import json
import os
import platform
import re
from pathlib import Path

import report

DATA = "benchmarks.json"


def machine():
    """What the numbers depend on beside the programs."""
    cpu = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", cpu.read_text(), re.MULTILINE) if cpu.exists() else None
    return {
        "cpu": found[1] if found else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
    }


def measured(bench, group):
    """Runs a group: its numbers, and under which load they were found."""
    before = os.getloadavg()[0]
    found = report.plain(group.run(bench))
    return {
        **found,
        "rounds": bench.rounds,
        "load": [round(before, 2), round(os.getloadavg()[0], 2)],
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
    }


def read(out):
    path = out / DATA
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def keep(out, name, found):
    """Puts a group's numbers in place of its former ones."""
    kept = {**read(out), name: found}
    (out / DATA).write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def render(out):
    """Writes the page and the plots from what is kept."""
