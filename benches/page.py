"""The kept numbers (`benchmarks.json`), and the page and the plots that are made of them."""

import datetime
import json
import os
import platform
import re
import subprocess
from pathlib import Path

import groups
import plots
import report

HERE = Path(__file__).resolve().parent
DATA, PAGE, NOTES = "benchmarks.json", "benchmarks.md", "notes.toml"


def machine():
    """What the numbers depend on beside the programs."""
    cpu = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", cpu.read_text(), re.MULTILINE) if cpu.exists() else None
    return {
        "cpu": found[1] if found else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
    }


def commit():
    """The commit that is checked out, or that it was changed since."""

    def git(*words):
        quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        try:
            done = subprocess.run(["git", *words], cwd=HERE.parent, text=True, **quiet)
        except FileNotFoundError:
            return ""
        return done.stdout.strip()

    # A run changes the page itself.
    changed = git("status", "--porcelain", "--", ".", ":(exclude)docs")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")


def cpu_time():
    """The CPU time that programs had here, and what the host took from them; `None` where it is not told."""
    try:
        told = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        user, nice, system, _, _, irq, softirq, steal = map(int, told)
    except (OSError, ValueError):
        return None
    return user + nice + system + irq + softirq, steal


def stolen(before, after):
    """The share of the CPU time that programs wanted which the host gave to other machines."""
    if before is None or after is None:
        return None
    had, taken = (now - then for now, then in zip(after, before))
    return round(taken / (had + taken), 3) if had + taken > 0 else 0.0


def measured(bench, group):
    """Runs a group: its numbers, and how they came about."""
    before, time = os.getloadavg()[0], cpu_time()
    found = report.plain(group.run(bench))
    return {
        **found,
        "rounds": bench.rounds,
        "quick": bench.quick,
        "load": [round(before, 2), round(os.getloadavg()[0], 2)],
        "stolen": stolen(time, cpu_time()),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": bench.commit,
        "machine": machine(),
        "versions": bench.versions,
    }


def read(out):
    """The kept numbers, in the page's order."""
    path = out / DATA
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SystemExit(
            f"{path} is no JSON ({error}): restore it (`git checkout`), or remove it and run every group"
        ) from None
    return {name: kept[name] for name in groups.NAMES if name in kept}


def keep(out, name, found):
    """Puts a group's numbers in place of its former ones."""
    kept = {**read(out), name: found}
    ordered = {name: kept[name] for name in groups.NAMES if name in kept}
    # A run that is ended here leaves the old file or the new one, never half of it.
    written = out / f"{DATA}.new"
    written.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(written, out / DATA)


def render(out):
    """Writes the page and the plots from what is kept."""
    kept = read(out)
    if not kept:
        raise SystemExit(f"{out / DATA} has no numbers: nothing is written")
    # The Pythons that only play the clients have none.
    import tomllib

    notes = tomllib.loads((HERE / NOTES).read_text(encoding="utf-8"))
    (out / PAGE).write_text(report.page(kept, notes), encoding="utf-8")
    for name, group in kept.items():
        plots.write(group, out / report.PLOTS / f"{name}.svg")
