"""The driver of the benchmarks, which `cargo xtask bench` calls: which groups run, and where numbers go."""

import argparse
import importlib
import signal
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
        default=4800,
        help="calls per client and round, a multiple of 400; a quarter of it is too short to tell",
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
    parser.add_argument(
        "--out", type=Path, help="the folder of the page: docs, or target/bench of a quick run unless named"
    )
    parser.add_argument(
        "--quick", action="store_true", help="little of everything, to see that it works; the page says so"
    )
    parser.add_argument(
        "--check", action="store_true", help="run nothing; say whether the arguments and this machine will do"
    )
    args = parser.parse_args()
    if args.quick:
        parser.set_defaults(rounds=2, calls=200, hot_calls=10_000, sessions=[200, 400], seconds=1)
        args = parser.parse_args()
    # Committed numbers are never replaced by those that mean little, unless that is asked for.
    out = args.out or (ROOT / "target" / "bench" if args.quick else ROOT / "docs")
    modules = {} if args.render else {name: group(name) for name in args.only or groups.NAMES}
    page.read(out)
    if args.check:
        return
    out.mkdir(parents=True, exist_ok=True)
    bench = Bench(
        programs=dict(args.program),
        rounds=args.rounds,
        calls=args.calls,
        hot_calls=args.hot_calls,
        sessions=args.sessions,
        seconds=args.seconds,
        quick=args.quick,
        commit=page.commit(),
    )
    kept = args.render
    # Whoever asks this to end leaves neither a broker nor a client behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for name, module in modules.items():
            found = page.measured(bench, module)
            print(report.section(name, found), flush=True)
            page.keep(out, name, found)
            kept = True
    except KeyboardInterrupt:
        raise SystemExit("interrupted: the groups that had ended are kept") from None
    finally:
        # The page is of the kept numbers, also when a later group failed.
        if kept:
            page.render(out)
            print(f"written: {out / page.PAGE}", flush=True)


def group(name):
    """A group's module; one that needs more than its programs says so before anything is measured."""
    module = importlib.import_module(f"groups.{name}")
    getattr(module, "needs", lambda: None)()
    return module


if __name__ == "__main__":
    main()
