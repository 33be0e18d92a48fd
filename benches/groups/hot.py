"""What a call costs that needs no request: `token()` and `headers()` of a live session."""

from broker import EVERY
from report import PER_CALL_NS, Group, Table, Target
from rounds import Peer, alternate, median

OURS = ("token()", "headers()")


def measured(bench, broker, command, names, times=1):
    """Row -> results. The first row is what the language, or the clocks, take. Of requests clients claim
    their login alone."""
    peers = [Peer(name, command(name), path=EVERY) for name in names]
    return alternate(broker, peers, bench.rounds, calls=bench.hot_calls * times)


def nanoseconds(rows, name):
    return median(rows[name], "cpu_us") * 1e3


def run(bench):
    with bench.broker() as broker:
        python = measured(bench, broker, bench.python, ["a plain method", *OURS])
        node = measured(bench, broker, bench.node, ["a bare await", *OURS])
        rust = measured(bench, broker, bench.rust, ["two clocks", *OURS], times=10)
    bare = nanoseconds(node, "a bare await")
    above = {name: nanoseconds(node, name) - bare for name in OURS}
    targets = [
        Target("Python `token()`", 200, nanoseconds(python, "token()"), "ns"),
        Target("Python `headers()`", 450, nanoseconds(python, "headers()"), "ns"),
        Target("Node `token()`, above a bare `await`", 250, above["token()"], "ns"),
        Target("Node `headers()`, above a bare `await`", 500, above["headers()"], "ns"),
        Target("Rust `token()`", 70, nanoseconds(rust, "token()"), "ns"),
        Target("Rust `headers()`", 70, nanoseconds(rust, "headers()"), "ns"),
    ]
    languages = {"Python": python, "Node": node, "Rust": rust}
    tables = [Table(name, rows, PER_CALL_NS, ours=OURS) for name, rows in languages.items()]
    note = (
        "Nothing is sent; both clocks are asked whether the session is over. In Rust, `two clocks` is one "
        "reading of each, and the clone of an `Arc`."
    )
    return Group("hot", "A live session, per call", tables, note, targets)
