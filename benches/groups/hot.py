"""What a call costs that needs no request: `token()` and `headers()` of a live session."""

from report import PER_CALL_NS, Group, Table
from rounds import Peer, alternate


def table(bench, broker, title, command, names):
    """The first name is what the others are to be compared with: a call that does nothing."""
    peers = [Peer(name, command(name), path=None) for name in names]
    rows = alternate(broker, peers, bench.rounds, calls=bench.hot_calls)
    return Table(title, rows, PER_CALL_NS)


def run(bench):
    with bench.broker() as broker:
        tables = [
            table(bench, broker, "Python", bench.python, ["a plain method", "token()", "headers()"]),
            table(bench, broker, "Node", bench.node, ["a bare await", "token()", "headers()"]),
        ]
    return Group("hot", "A live session, per call", tables)
