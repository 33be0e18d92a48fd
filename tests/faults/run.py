"""The fault table: what goes wrong on the way to a broker, played with Preopen and with the brokers' own
clients. `cargo xtask faults` provides everything and runs it; `--only` plays some rows and prints them."""

import argparse
import concurrent.futures
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
from collections import namedtuple

import page
import rules
import stage

HERE = pathlib.Path(__file__).resolve().parent
START = {"name": "import and construction without a network", "on": ["start"], "expect": {"ok": True}}
#: So many processes at once; more would be in each other's way on small machines.
TOGETHER = 2

#: A client: its name on the page, the broker that it speaks to (nothing for both), and its program.
Peer = namedtuple("Peer", ["name", "broker", "command"])


def peers(node):
    def python(name):
        return [sys.executable, str(HERE / "clients" / f"{name}.py")]

    def javascript(name):
        return [node, str(HERE / "clients" / f"{name}.mjs")]

    return [
        Peer("Preopen, Python", None, python("preopen_python")),
        Peer("Preopen, Node", None, javascript("preopen_node")),
        Peer("smartapi-python", "angelone", python("smartapi_python")),
        Peer("stocknotebridge", "samco", python("stocknotebridge")),
        Peer("smartapi-javascript", "angelone", javascript("smartapi_javascript")),
    ]


def matrix():
    """Every row with each of its actions."""
    rows = [*json.loads((HERE / "matrix.json").read_text()), START]
    return [(row, on) for row in rows for on in row["on"]]


def not_for(row, on, peer):
    """Why a row cannot be said to a client's broker."""
    if on == "start" and not stage.can_be_alone():
        return "n/a: this machine gives no process a network of its own"
    if row.get("memory") and not stage.tells_memory():
        return "n/a: this machine tells no process its most memory"
    if peer.broker == "samco" and row.get("broker") == "angelone":
        return "n/a: Angel One's alone"
    if peer.broker == "angelone" and "api_secret" in row.get("wrong", {}):
        return "n/a: Angel One has no API secret"
    return None


def cell(row, on, peer, details):
    found = not_for(row, on, peer)
    if found is None:
        observed = stage.play(row, on, peer)
        found = rules.cell(row, on, observed)
        if details:
            sys.stderr.write(f"{json.dumps({'row': row['name'], 'on': on, 'peer': peer.name, **observed})}\n")
    return found


def table(chosen, clients, details=False):
    """The rows of the table as they are there: name, action, and the cells by client."""
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
        played = [
            (row["name"], on, {peer.name: pool.submit(cell, row, on, peer, details) for peer in clients})
            for row, on in chosen
        ]
        try:
            for name, on, cells in played:
                yield name, on, {peer: done.result() for peer, done in cells.items()}
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def versions(node):
    own = importlib.metadata.version
    lock = json.loads((HERE.parent / "official" / "node" / "package-lock.json").read_text())
    javascript = lock["packages"]["node_modules/smartapi-javascript"]["version"]
    told = subprocess.run([node, "--version"], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
    return ", ".join(
        [
            f"preopen {own('preopen')}",
            f"smartapi-python {own('smartapi-python')}",
            f"stocknotebridge {own('stocknotebridge')}",
            f"smartapi-javascript {javascript}",
            f"requests {own('requests')}",
            f"urllib3 {own('urllib3')}",
            f"Python {sys.version.split()[0]}",
            f"Node {told.lstrip('v')}",
        ]
    )


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--node", default="node", help="the Node of the Node clients")
    options.add_argument("--out", help="the page to write")
    options.add_argument("--only", action="append", help="only the row of this name; may be given again")
    options.add_argument("--on", help="only this action")
    options.add_argument("--peer", help="only this client")
    options.add_argument("--json", action="store_true", help="print the rows as JSON")
    options.add_argument("--details", action="store_true", help="all that was observed, on standard error")
    given = options.parse_args()
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        os.environ.pop(name, None)
        os.environ.pop(name.upper(), None)
    chosen = [
        (row, on)
        for row, on in matrix()
        if (not given.only or row["name"] in given.only) and given.on in (None, on)
    ]
    clients = [peer for peer in peers(given.node) if given.peer in (None, peer.name)]
    if not chosen or not clients:
        options.error("there is no such row or client")
    if given.out and (len(chosen) != len(matrix()) or len(clients) != len(peers(given.node))):
        options.error("the page has every row and every client")
    rows = []
    for name, on, cells in table(chosen, clients, given.details):
        rows.append((name, on, cells))
        if not given.json:
            print(f"{name}, {on}")
            for peer, verdict in cells.items():
                print(f"    {peer:20} {verdict}", flush=True)
    if given.json:
        print(json.dumps(rows))
    if given.out:
        names = [peer.name for peer in clients]
        pathlib.Path(given.out).write_text(page.write(rows, names, versions(given.node)))


if __name__ == "__main__":
    main()
