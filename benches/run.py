"""The driver of the benchmarks: which groups run, and where their numbers go. `cargo xtask bench` calls it."""

import argparse
import importlib
import json
from pathlib import Path

import groups
import page
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
        default=1600,
        help="calls per client and round; a multiple of 400 suits all groups",
    )
    parser.add_argument("--hot-calls", type=int, default=200_000)
    parser.add_argument(
        "--sessions", type=int, nargs="+", default=[1000, 2500, 5000, 10_000], help="sessions in one process"
    )
    parser.add_argument("--seconds", type=int, default=6, help="of each round of the group `sandbox`")
    parser.add_argument(
        "--only", choices=groups.NAMES, action="append", help="run this group; others keep their numbers"
    )
    parser.add_argument(
        "--render", action="store_true", help="run nothing; write the page from the kept numbers"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="the folder of the page")
    args = parser.parse_args()
    chosen = [] if args.render else args.only or groups.NAMES
    bench = Bench(
        programs=dict(args.program),
        rounds=args.rounds,
        calls=args.calls,
        hot_calls=args.hot_calls,
        sessions=args.sessions,
        seconds=args.seconds,
    )
    for name in chosen:
        found = page.measured(bench, importlib.import_module(f"groups.{name}"))
        print(json.dumps(found, indent=1), flush=True)
        page.keep(args.out, name, found)
    page.render(args.out)


if __name__ == "__main__":
    main()
