"""The driver of the benchmarks, which `cargo xtask bench` calls: which groups run, and where numbers go."""

import argparse
import importlib
from pathlib import Path

import groups
import page
import report
from bench import Bench

ROOT = Path(__file__).resolve().parents[1]


def program(text):
    name, _, path = text.partition("=")
    return name, path


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--program", type=program, action="append", default=[], metavar="NAME=PATH", help="a built program"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--calls",
        type=int,
        default=1200,
        help="calls per client and round; a multiple of 400 suits all groups",
    )
    parser.add_argument("--hot-calls", type=int, default=200_000)
    parser.add_argument(
        "--sessions", type=int, nargs="+", default=[1000, 2500, 5000, 10_000], help="sessions in one process"
    )
    parser.add_argument("--seconds", type=int, default=5, help="of each round of the group `sandbox`")
    parser.add_argument(
        "--only", choices=groups.NAMES, action="append", help="run this group; others keep their numbers"
    )
    parser.add_argument(
        "--render", action="store_true", help="run nothing; write the page from the kept numbers"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="the folder of the page")
    parser.add_argument(
        "--quick", action="store_true", help="little of everything, to see that it works; the page says so"
    )
    args = parser.parse_args()
    if args.quick:
        parser.set_defaults(rounds=2, calls=200, hot_calls=10_000, sessions=[200, 400], seconds=1)
        args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    chosen = [] if args.render else args.only or groups.NAMES
    bench = Bench(
        programs=dict(args.program),
        rounds=args.rounds,
        calls=args.calls,
        hot_calls=args.hot_calls,
        sessions=args.sessions,
        seconds=args.seconds,
        quick=args.quick,
    )
    for name in chosen:
        found = page.measured(bench, importlib.import_module(f"groups.{name}"))
        print(report.section(name, found), flush=True)
        page.keep(args.out, name, found)
    page.render(args.out)


if __name__ == "__main__":
    main()
