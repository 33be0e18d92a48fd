"""What a program pays before its first reply: the import, a client object, the whole process."""

import json
from pathlib import Path

from bench import HERE
from broker import EVERY
from report import Column, Group, Table, Target
from rounds import Peer, above, alternate, median, spawned

#: Processes in a row; a round's number is the median of them.
ROW = 5
NOTE = """\
Whole processes, from their start to their end, medians of {row} in a row. `above` is by how much a
row is above the bare interpreter of the same round and environment (official SDKs have one of their
own), and memory is the most that the process had.
"""
BUILT = """\
A client object is made and nothing is sent: the first one of a process, after the import, and
further ones.
"""
ADDON = "The first session loads the addon.\n"
REPLY = """\
From the start of the process to its end after the first reply, over http on a loopback address.
Preopen and the SDK log in first, so they make two requests; the others are given a token and make
one.
"""
COLUMNS = [
    Column("wall ms above", "wall_us_above", 1e-3),
    Column("CPU ms above", "cpu_us_above", 1e-3),
    Column("MB above", "memory_mb_above"),
    Column("wall ms", "wall_us", 1e-3),
    Column("MB", "memory_mb"),
]
OBJECTS = [
    Column("first, wall ms", "first_wall_us", 1e-3, 2),
    Column("first, CPU ms", "first_cpu_us", 1e-3, 2),
    Column("further, CPU µs", "cpu_us"),
]
#: What is imported; one SDK looks its address up, and is told at once that there is no network.
OFFLINE = "import socket\ndef f(*a, **k): raise OSError\nsocket.getaddrinfo = socket.gethostbyname = f\n"
IMPORTS = {
    "python": {"preopen": "import preopen", "requests": "", "httpx": "", "aiohttp": "", "urllib3": ""},
    "python-official": {
        "stocknotebridge": "from snapi_py_client.snapi_bridge import StocknoteAPIPythonBridge",
        "smartapi-python": f"import logging\nlogging.disable(50)\n{OFFLINE}from SmartApi import SmartConnect",
    },
}
REPLIES = {
    "python": ("preopen", "requests", "httpx", "aiohttp"),
    "python-official": ("stocknotebridge",),
}
BARE = "bare interpreter"
#: Where the system has it, each process tells its own memory at its end.
TELL = "\nimport os\nif os.path.exists(at := '/proc/self/status'): print(open(at).read())"


def rest(results):
    """Without the bare row, which would be nought."""
    return {name: found for name, found in results.items() if name != BARE}


def imports(bench):
    found = {}
    for environment, names in IMPORTS.items():
        codes = {BARE: "", **{name: code or f"import {name}" for name, code in names.items()}}
        commands = {name: [bench.program(environment), "-c", code + TELL] for name, code in codes.items()}
        found.update(rest(above(spawned(commands, bench.rounds, ROW), BARE)))
    return found


#: Module of Node -> the file that `import` and `require` take.
MODULES = {
    "preopen": ("dist/index.mjs", "dist/index.js"),
    "undici": ("index.js", "index.js"),
    "axios": ("index.js", "dist/node/axios.cjs"),
    "kiteconnect": ("dist/lib/index.js", "dist/lib/index.js"),
    "smartapi-javascript": ("lib/index.js", "lib/index.js"),
}
TELL_NODE = "process.stdout.write(process.getBuiltinModule('fs').readFileSync('/proc/self/status', 'utf8'))"


def modules(bench, kind):
    """The same for Node, by `import` (0) or `require` (1)."""

    def command(code):
        flags = ["--input-type=commonjs" if kind else "--input-type=module"]
        tell = TELL_NODE if Path("/proc/self/status").exists() else ""
        return [bench.program("node"), *flags, "--eval", f"{code};{tell};process.exit(0)"]

    commands = {BARE: command("")}
    for name, files in MODULES.items():
        folder = (
            HERE.parent / "node"
            if name == "preopen"
            else Path(bench.program("node-peers"), "node_modules", name)
        )
        file = folder / files[kind]
        commands[name] = command(
            f"require({json.dumps(str(file))})" if kind else f"import {json.dumps(file.as_uri())}"
        )
    return rest(above(spawned(commands, bench.rounds, ROW), BARE))


def first_reply_node(bench):
    with bench.broker() as broker:
        settings = json.dumps(broker.settings(headers=broker.login()))

        def command(name):
            client = bench.client("node/first_reply.mjs")
            return [bench.program("node"), client, name, bench.program("node-peers"), settings]

        commands = {BARE: command("nothing")}
        commands.update({name: command(name) for name in ("preopen", "fetch", "undici.request", "axios")})
        return counted(bench, broker, commands)


def counted(bench, broker, commands):
    """Each but the bare one makes one call that the broker sees."""
    before = broker.seen()
    found = spawned(commands, bench.rounds, ROW)
    asked, sent = (len(commands) - 1) * bench.rounds * ROW, broker.seen() - before
    if sent != asked:
        raise SystemExit(f"{asked} processes had a reply, the broker saw {sent} calls")
    return rest(above(found, BARE))


def first_reply(bench):
    with bench.broker() as broker:
        settings = json.dumps(broker.settings(headers=broker.login()))

        def command(name, environment):
            return [bench.program(environment), bench.client("first_reply.py"), name, settings]

        found = {}
        for environment, names in REPLIES.items():
            commands = {BARE: command("nothing", environment)}
            commands.update({name: command(name, environment) for name in names})
            found.update(counted(bench, broker, commands))
        return found


def objects(bench):
    kinds = {
        "python": ("preopen", "preopen, Angel One", "requests", "httpx"),
        "python-official": ("stocknotebridge", "smartapi-python"),
    }
    peers = [
        Peer(name, bench.python(f"build {name}", environment), path=EVERY)
        for environment, names in kinds.items()
        for name in names
    ]
    with bench.broker() as broker:
        return alternate(broker, peers, max(bench.rounds, 3), calls=30)


def objects_node(bench):
    with bench.broker() as broker:
        peers = [Peer("preopen", bench.node("build"), path=EVERY)]
        return alternate(broker, peers, max(bench.rounds, 3), calls=30)


def milliseconds(what, limit, results, key):
    """A target in milliseconds, for what was measured in microseconds."""
    return Target(what, limit, median(results, key) / 1e3, "ms")


def run(bench):
    imported, built, replied = imports(bench), objects(bench), first_reply(bench)
    as_module, required = modules(bench, 0), modules(bench, 1)
    built_node, replied_node = objects_node(bench), first_reply_node(bench)
    return Group(
        "start",
        "The start of a program",
        [
            Table("Python: import", imported, COLUMNS),
            Table("Python: a client object", built, OBJECTS, BUILT),
            Table("Python: process start to first reply", replied, COLUMNS, REPLY),
            Table("Node: import", as_module, COLUMNS),
            Table("Node: require", required, COLUMNS),
            Table("Node: a client object", built_node, OBJECTS, BUILT + ADDON),
            Table("Node: process start to first reply", replied_node, COLUMNS, REPLY),
        ],
        NOTE.format(row=ROW),
        [
            milliseconds("`import preopen`", 15, imported["preopen"], "wall_us_above"),
            Target("`import preopen`: memory", 8, median(imported["preopen"], "memory_mb_above"), "MB"),
            milliseconds(
                "Python: process start to first reply, above the bare interpreter",
                25,
                replied["preopen"],
                "wall_us_above",
            ),
            milliseconds("Python: the first session of a process", 5, built["preopen"], "first_wall_us"),
            milliseconds('`require("preopen")`', 10, required["preopen"], "wall_us_above"),
            milliseconds(
                "Node: process start to first reply, above the bare interpreter",
                25,
                replied_node["preopen"],
                "wall_us_above",
            ),
            milliseconds("Node: the first session of a process", 5, built_node["preopen"], "first_wall_us"),
        ],
    )
