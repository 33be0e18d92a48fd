"""What a call costs that needs no request: `token()` and `headers()` of a live session."""

from report import PER_CALL_NS, Group, Table, Target
from rounds import Peer, alternate, median

OURS = ("token()", "headers()")


def measured(bench, broker, command, names):
    """Row -> results. The first row is a call that does nothing, for what the language itself takes."""
    peers = [Peer(name, command(name), path=None) for name in names]
    return alternate(broker, peers, bench.rounds, calls=bench.hot_calls)


def nanoseconds(rows, name):
    return median(rows[name], "cpu_us") * 1e3


def run(bench):
    with bench.broker() as broker:
        python = measured(bench, broker, bench.python, ["a plain method", *OURS])
        node = measured(bench, broker, bench.node, ["a bare await", *OURS])
    bare = nanoseconds(node, "a bare await")
    above = {name: nanoseconds(node, name) - bare for name in OURS}
    targets = [
        Target("Python `token()`", 200, nanoseconds(python, "token()"), "ns"),
        Target("Python `headers()`", 450, nanoseconds(python, "headers()"), "ns"),
        Target("Node `token()`, above a bare `await`", 250, above["token()"], "ns"),
        Target("Node `headers()`, above a bare `await`", 500, above["headers()"], "ns"),
    ]
    tables = [Table("Python", python, PER_CALL_NS, ours=OURS), Table("Node", node, PER_CALL_NS, ours=OURS)]
    note = "Nothing is sent; both clocks are asked whether the session is over."
    return Group("hot", "A live session, per call", tables, note, targets)
