"""An authenticated GET beside other clients: the same request of each, over http and https."""

from report import Group, Table
from rounds import Peer, alternate, warm_up


def sections(bench):
    """Title, workers, and the rows: name -> command. The first row is Preopen's."""
    python = ["preopen", "requests", "urllib3", "httpx"]
    asyncio = ["preopen-async", "aiohttp", "httpx-async"]
    node = ["preopen", "agent", "fetch"]
    return [
        ("Python, blocking", 1, {name: bench.python(name) for name in python}),
        ("Python, asyncio, 16 workers", 16, {name: bench.python(name) for name in asyncio}),
        ("Node, 1 worker", 1, {name: bench.node(name) for name in node}),
        ("Node, 16 workers", 16, {name: bench.node(name) for name in node}),
    ]


def run(bench):
    tables = []
    for scheme in ("http", "https"):
        with bench.broker(tls=scheme == "https") as broker:
            for title, workers, rows in sections(bench):
                peers = [Peer(name, command) for name, command in rows.items()]
                common = {"calls": bench.calls, "workers": workers, "warm_up": warm_up(workers)}
                found = alternate(broker, peers, bench.rounds, **common)
                tables.append(Table(f"{title}, {scheme}", found))
    return Group("calls", "An authenticated GET, per call", tables)
