"""What was measured, as plain data, and the page that is made of it."""

from __future__ import annotations

import dataclasses
import statistics

#: Where the plots are, from the page.
PLOTS = "assets/benchmarks"

HEAD = """\
# Benchmarks

Written by `cargo xtask bench`. What counts is the ratio of rows of one table: they were measured in
alternating rounds of one run on one machine; absolute numbers are of that machine. CPU is user and
system time of the client process, all its threads. A client checks the payload of each reply, and
the embedded broker counted as many requests as the client claims. Numbers are medians of the
rounds, `min-max` is the spread of the first column, and `ratio` compares it with the first row.
"""
QUICK = """\
**Some of these numbers are from a run that was only to show that everything works ({groups}): they
mean little.**
"""


@dataclasses.dataclass
class Column:
    """One number of a row: its heading with the unit, its key in a round's result, the factor of its unit."""

    name: str
    key: str
    scale: float = 1.0
    digits: int = 1


#: CPU first, wall second: what one call costs.
PER_CALL = [Column("CPU µs", "cpu_us"), Column("wall µs", "wall_us")]
PER_CALL_NS = [Column("CPU ns", "cpu_us", 1e3, 0), Column("wall ns", "wall_us", 1e3, 0)]
IN_MS = [Column("CPU ms", "cpu_us", 1e-3), Column("wall ms", "wall_us", 1e-3)]


@dataclasses.dataclass
class Table:
    """Rows beside each other: row -> one result for each round. The first column is compared, and plotted if
    `plotted`; rows whose name begins with one of `ours` stand out there."""

    title: str
    rows: dict
    columns: list = dataclasses.field(default_factory=lambda: PER_CALL)
    note: str = ""
    ours: tuple = ("preopen",)
    plotted: bool = True


@dataclasses.dataclass
class Target:
    """What was wanted and what was found, both in `unit`; the limit is the most, or `at_least` the least."""

    what: str
    limit: float
    measured: float
    unit: str = ""
    at_least: bool = False


@dataclasses.dataclass
class Group:
    """One section of the page, with one plot."""

    name: str
    title: str
    tables: list
    note: str = ""
    targets: list = dataclasses.field(default_factory=list)


def summary(table):
    """A table as plain data: for each row and column the median over the rounds, the least and the most."""

    def cell(results, column):
        found = [
            result[column.key] * column.scale for result in results if result.get(column.key) is not None
        ]
        if not found:
            return None
        return {"median": statistics.median(found), "min": min(found), "max": max(found)}

    return {
        "title": table.title,
        "note": table.note,
        "columns": [{"name": column.name, "digits": column.digits} for column in table.columns],
        "rows": {
            row: [cell(results, column) for column in table.columns] for row, results in table.rows.items()
        },
        "plotted": table.plotted,
        "ours": [row for row in table.rows if row.startswith(table.ours)],
    }


def plain(group):
    """A group as it is kept in the data file."""
    return {
        "title": group.title,
        "note": group.note,
        "tables": [summary(table) for table in group.tables],
        "targets": [dataclasses.asdict(target) for target in group.targets],
    }


def page(kept, notes):
    """The page: `kept` has the numbers of each group, in order; `notes` texts, by group and target."""
    quick = [f"`{name}`" for name, group in kept.items() if group["quick"]]
    parts = [HEAD]
    if quick:
        parts.append(QUICK.format(groups=", ".join(quick)))
    parts.append(", ".join(f"{name} {found}" for name, found in versions(kept).items()) + ".\n")
    parts.append(targets(kept, notes))
    parts += [section(name, group) for name, group in kept.items()]
    return "\n".join(parts)


def versions(kept):
    """Name -> the version that was measured; several, where groups are of different runs."""
    found = {}
    for group in kept.values():
        for name, version in group["versions"].items():
            if version not in found.setdefault(name, []):
                found[name].append(version)
    return {name: " and ".join(several) for name, several in found.items()}


def is_met(target):
    """Whether what was found is within what was wanted."""
    if target["at_least"]:
        return target["measured"] >= target["limit"]
    return target["measured"] <= target["limit"]


def verdict(target):
    """Met, or by how much it was missed."""
    if is_met(target):
        return "met"
    share = abs(target["measured"] / target["limit"] - 1)
    return f"**missed** by {share:.0%}"


def number(value):
    """As many digits as say something."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def targets(kept, notes):
    """One row for each target of every group, and below what is to be said of those that were missed."""
    lines = ["## Targets\n", "| | target | measured | |", "| --- | ---: | ---: | --- |"]
    said = []
    for name, group in kept.items():
        for target in group["targets"]:
            unit = f" {target['unit']}" if target["unit"] else ""
            sign = "≥" if target["at_least"] else "≤"
            what = f"[{target['what']}](#{anchor(group['title'])})"
            lines.append(
                f"| {what} | {sign} {number(target['limit'])}{unit} | {number(target['measured'])}{unit} "
                f"| {verdict(target)} |"
            )
            note = notes.get(name, {}).get(target["what"])
            if note and not is_met(target):
                said.append(f"- **{target['what']}**: {' '.join(note.split())}")
    if said:
        lines += ["", "What was missed, why, and what would be needed:", "", *said]
    return "\n".join(lines) + "\n"


def anchor(title):
    """What mkdocs and GitHub both make of a heading that is words, commas and hyphens."""
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -_")
    return kept.strip().replace(" ", "-")


def section(name, group):
    """The plot and the tables of one group, and under which circumstances they came about."""
    parts = [f"## {group['title']}\n"]
    if group["note"]:
        parts.append(group["note"].rstrip() + "\n")
    alt = f"{group['title']}: the first column of tables below as bars, with their spread."
    parts.append(f"![{alt}]({PLOTS}/{name}.svg)\n")
    for found in group["tables"]:
        parts.append(f"### {found['title']}\n")
        if found["note"]:
            parts.append(found["note"].rstrip() + "\n")
        parts.append(table(found) + "\n")
    before, after = group["load"]
    stolen = group.get("stolen")
    taken = (
        "" if stolen is None else f", {stolen:.0%} of the CPU time that was wanted went to others of the host"
    )
    machine = group["machine"]
    parts.append(
        f"{group['rounds']} rounds, {group['date']}, commit {group['commit']}; load average {before} before "
        f"and {after} after{taken}; {machine['cores']} cores, {machine['cpu']}, {machine['system']}.\n"
    )
    return "\n".join(parts)


def table(found):
    """A table in Markdown."""
    first, *others = found["columns"]
    heads = ["", first["name"], "min-max", "ratio", *(column["name"] for column in others)]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    base = None
    for row, (main, *more) in found["rows"].items():
        base = base or main["median"]
        spread = "-".join(f"{main[end]:,.{first['digits']}f}" for end in ("min", "max"))
        cells = [f"{main['median']:,.{first['digits']}f}", spread, f"{main['median'] / base:.2f}x"]
        for column, cell in zip(others, more):
            cells.append("" if cell is None else f"{cell['median']:,.{column['digits']}f}")
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)
