"""What was measured, as plain data, and the page that is made of it."""

from __future__ import annotations

import dataclasses
import statistics

PLOTS = "assets/benchmarks"


@dataclasses.dataclass
class Column:
    """One number of a row: its heading with the unit, the key in a round's result, and what it is multiplied by."""

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
    """Rows beside each other: row -> one result for each round. The first column has its spread and the ratio to the
    first row, and is what is plotted."""

    title: str
    rows: dict
    columns: list = dataclasses.field(default_factory=lambda: PER_CALL)
    note: str = ""
    ratio: bool = True


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
        "ratio": table.ratio,
        "columns": [{"name": column.name, "digits": column.digits} for column in table.columns],
        "rows": {
            row: [cell(results, column) for column in table.columns] for row, results in table.rows.items()
        },
    }


def plain(group):
    """A group as it is written to the data file."""
    return {
        "title": group.title,
        "note": group.note,
        "tables": [summary(table) for table in group.tables],
        "targets": [dataclasses.asdict(target) for target in group.targets],
    }
