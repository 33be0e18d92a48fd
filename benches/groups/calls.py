"""An authenticated GET beside other clients: CPU of a call, and calls a second; then the official SDKs."""

import dataclasses
import json

from broker import PROFILE
from report import PER_CALL, Column, Group, Table, Target
from rounds import Peer, alternate, median, warm_up

#: What matters where many calls are under way at once.
THROUGHPUT = [Column("calls/s", "rate", digits=0), *PER_CALL]
NOTE = """\
`GET /quote/getQuote` of the embedded broker with a live token, 1.4 KB of JSON, parsed and
looked at. Everything is included: for Preopen also its limiter, the reading of the broker's
envelope, and what the caller gets. A floor (`raw socket`) writes the same bytes to one open socket
each time and parses the body's JSON. Node's clients make {compiled:,} calls before any is measured:
until then V8 compiles them, which costs those in JavaScript several times what their calls do. What
a short program pays is in the table of the first calls.
"""
OFFICIAL = """\
Each SDK on the API it was made for, set up as its documentation shows; `stocknotebridge` verifies
no certificate. Where TLS is verified, the authorities are the public ones and the test's. Those of
Zerodha and Upstox get a fixed reply for their profile. Preopen's own limit on Angel One's profile is
raised, and `smartapi-python` writes no log. `smartapi-python` opens a connection, with a
new TLS context, for each call; it has a tenth of the calls.
"""
OFFICIAL_NODE = """\
The same for npm packages. `smartapi-javascript` opens a connection for each call; it has a quarter
of the calls, and of those before.
"""
#: What Zerodha's and Upstox' SDKs ask for, and a reply with what either looks for.
KITE, UPSTOX = "/user/profile", "/v2/user/profile"
TRADER = {
    "user_id": "SBX001",
    "user_name": "SANDBOX TRADER",
    "user_type": "individual",
    "email": "",
    "broker": "SANDBOX",
    "exchanges": ["NSE", "BSE", "NFO", "MCX"],
    "products": ["CNC", "NRML", "MIS"],
    "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
    "poa": False,
    "is_active": True,
}
#: Peers that get only a part of the calls, so that a run ends in time.
SLOW = {"httpx-async": 4}


@dataclasses.dataclass
class Section:
    """One table for each scheme: the rows, name -> command, of which the first is Preopen's."""

    title: str
    workers: int
    rows: dict
    columns: list = dataclasses.field(default_factory=lambda: PER_CALL)
    schemes: tuple = ("http", "https")
    #: Calls before any is measured, at least.
    unmeasured: int = 256


def sections(bench):
    def python(*names):
        return {name: bench.python(name) for name in names}

    def node(*names):
        return {name: bench.node(name) for name in names}

    blocking = python("preopen", "raw socket", "urllib3", "requests", "httpx")
    threads = python("preopen", "urllib3", "requests", "httpx")
    asyncio = python("preopen-async", "aiohttp", "httpx-async")
    clients = node("preopen", "raw socket", "agent", "undici.request", "fetch", "axios")
    warm = bench.compiled
    rust = {name: bench.rust(name) for name in ("preopen", "reqwest", "raw socket")}
    return [
        Section("Python, blocking", 1, blocking),
        Section("Python, asyncio, 1 task", 1, asyncio, schemes=("https",)),
        Section("Python, asyncio, 16 tasks", 16, asyncio),
        Section("Python, asyncio, 50 tasks", 50, python("preopen-async", "aiohttp"), THROUGHPUT, ("http",)),
        Section("Python, 8 threads", 8, threads, THROUGHPUT, ("http",)),
        Section("Node, 1 worker", 1, clients, unmeasured=warm),
        Section("Node, 16 workers", 16, clients, unmeasured=warm),
        Section("Node, 16 workers, first calls", 16, clients, schemes=("https",), unmeasured=16),
        Section("Node, 50 workers", 50, clients, THROUGHPUT, unmeasured=warm),
        Section("Rust, 1 task", 1, rust),
        Section("Rust, 16 tasks", 16, rust),
        Section("Rust, 50 tasks", 50, rust, THROUGHPUT, ("http",)),
    ]


def title(section, scheme):
    return f"{section.title}, {scheme}"


def measured(bench, broker, section):
    def calls(name):
        whole = bench.calls // SLOW.get(name, 1)
        return {"calls": whole // section.workers * section.workers}

    peers = [Peer(name, command, calls(name)) for name, command in section.rows.items()]
    common = {"workers": section.workers, "warm_up": warm_up(section.workers, section.unmeasured)}
    return alternate(broker, peers, bench.rounds, **common)


def official(bench, broker):
    """SDKs of brokers, over https; rows of the same API follow each other."""
    for path in (KITE, UPSTOX):
        broker.answer(path, json.dumps({"status": "success", "data": TRADER}))
    few = {"calls": max(bench.calls // 10, 16), "warm_up": 8}
    angelone = {"broker": "angelone", "path": PROFILE}

    def python(name):
        return bench.python(name, "python-official")

    peers = [
        Peer("preopen, Samco", bench.python("preopen")),
        Peer("stocknotebridge, Samco", python("stocknotebridge")),
        Peer("preopen, Angel One", bench.python("preopen-angelone"), {"path": PROFILE}, **angelone),
        Peer("smartapi-python, Angel One", python("smartapi-python"), few, **angelone),
        Peer("kiteconnect, Zerodha", python("kiteconnect"), path=KITE),
        Peer("upstox-python-sdk, Upstox", python("upstox"), path=UPSTOX),
    ]
    return alternate(broker, peers, bench.rounds, calls=bench.calls, workers=1, warm_up=warm_up(1))


def official_node(bench, broker):
    """The same for SDKs of Node."""
    warm = bench.compiled
    few = {"calls": max(bench.calls // 4, 16), "warm_up": warm // 4}
    angelone = {"broker": "angelone", "path": PROFILE}
    peers = [
        Peer("preopen, Samco", bench.node("preopen")),
        Peer("preopen, Angel One", bench.node("preopen-angelone"), {"path": PROFILE}, **angelone),
        Peer("smartapi-javascript, Angel One", bench.node("smartapi-javascript"), few, **angelone),
        Peer("kiteconnect, Zerodha", bench.node("kiteconnect"), path=KITE),
    ]
    return alternate(broker, peers, bench.rounds, calls=bench.calls, workers=1, warm_up=warm)


def run(bench):
    found, tables = {}, []
    for scheme in ("http", "https"):
        with bench.broker(tls=scheme == "https") as broker:
            for section in sections(bench):
                if scheme in section.schemes:
                    name = title(section, scheme)
                    found[name] = measured(bench, broker, section)
                    # One plot of each section is enough.
                    plotted = scheme == section.schemes[-1]
                    tables.append(Table(name, found[name], section.columns, plotted=plotted))
            if scheme == "https":
                rows = official(bench, broker)
                tables.append(Table("Official SDKs in Python, https", rows, PER_CALL, OFFICIAL))
                rows = official_node(bench, broker)
                tables.append(Table("Official SDKs in Node, https", rows, PER_CALL, OFFICIAL_NODE))
    note = NOTE.format(compiled=bench.compiled)
    return Group("calls", "An authenticated GET, per call", tables, note, targets(found))


def targets(found):
    def cpu(name, row):
        return median(found[name][row], "cpu_us")

    def quicker(what, least, name, ours, peer):
        mine, others = (median(found[name][row], "rate") for row in (ours, peer))
        return Target(what, least, mine / others, "x", at_least=True)

    def worst(ours, peer, *names):
        """The least favourable table of those that are about the same target."""
        return max(cpu(name, ours) / cpu(name, peer) for name in names)

    blocking = "Python, blocking, https"
    threads, many, node = (
        "Python, 8 threads, http",
        "Python, asyncio, 50 tasks, http",
        "Node, 50 workers, http",
    )
    sync = cpu(blocking, "preopen")
    tasks = "Python, asyncio, 1 task, https", "Python, asyncio, 16 tasks, https"
    aio = worst("preopen-async", "aiohttp", *tasks)
    agent = worst("preopen", "agent", "Node, 1 worker, https", "Node, 16 workers, https")
    bare = worst("preopen", "reqwest", "Rust, 1 task, https", "Rust, 16 tasks, https")
    return [
        Target("Python, blocking, https: CPU", 100, sync, "µs"),
        Target("Python, blocking, https: CPU, of urllib3's", 0.5, sync / cpu(blocking, "urllib3"), "x"),
        Target("Python, asyncio, https: CPU, of aiohttp's", 0.75, aio, "x"),
        quicker("Python, 8 threads, http: calls a second, of requests'", 15, threads, "preopen", "requests"),
        quicker(
            "Python, asyncio at 50, http: calls a second, of aiohttp's", 3, many, "preopen-async", "aiohttp"
        ),
        Target("Node, https: CPU, of a keep-alive agent's", 0.5, agent, "x"),
        quicker(
            "Node at 50, http: calls a second, of undici.request's", 0.9, node, "preopen", "undici.request"
        ),
        quicker("Node at 50, http: calls a second, of fetch's", 3.5, node, "preopen", "fetch"),
        Target("Rust, https: CPU, of bare reqwest's", 1.25, bare, "x"),
    ]
