"""Reading a broker's envelope, beside `serde_json` on the same bytes into the same kind of value."""

import json
from pathlib import Path

from report import Column, Group, Table, Target
from rounds import median, run_client

VECTORS = Path(__file__).resolve().parents[2] / "tests" / "vectors"
#: Replies of about so many KB, and what is read of each in one round.
SIZES = (1, 10, 100)
READ_KB = 20_000
#: Successes, and failures with a payload beside: a vector, and its part that is repeated.
REPLIES = {
    "Samco, success": ("samco/endpoint-order-order-book", "orderBookDetails"),
    "Samco, failure": ("samco/envelope-failure-with-payload", "orderDetails"),
    "Angel One, success": ("angelone/endpoint-order-book", "data"),
    "Angel One, failure": ("angelone/code-ag1000-with-payload", "data"),
}
NOTE = """\
Replies of the shared vectors, their payload repeated until they are that long, read in memory; nothing is
sent. For Preopen everything is included that becomes of a reply: its envelope, the broker's time, what it
says beside the data, and the error of a failure.
"""
COLUMNS = [Column("CPU µs per KB", "kb_us", digits=2), Column("CPU µs", "cpu_us", digits=1)]


def body(reply, part, kilobytes):
    """The body of a reply, with `part` as a list of as many of its items as make it that long."""
    payload = reply[part]
    items = payload if isinstance(payload, list) else [payload]
    rest = len(json.dumps({**reply, part: []}))
    count = max(1, (kilobytes * 1024 - rest) // len(json.dumps(items, separators=(",", ":"))))
    return json.dumps({**reply, part: items * count}, separators=(",", ":"))


def rows(bench, name, kilobytes):
    vector, part = REPLIES[name]
    told = json.loads((VECTORS / f"{vector}.json").read_text(encoding="utf-8"))
    text = body(told["reply"]["body"], part, kilobytes)
    method, path = told["call"].split()
    envelope = {
        "broker": vector.split("/")[0],
        "method": method,
        "path": path,
        "status": told["reply"]["status"],
        "body": text,
        "success": "ok" in told["expect"],
    }
    settings = {"calls": READ_KB // kilobytes, "warm_up": READ_KB // kilobytes // 10, "envelope": envelope}
    found = {"preopen": [], "serde_json": []}
    for _ in range(bench.rounds):
        for peer, results in found.items():
            result = run_client(bench.rust(f"envelope {peer}"), settings)
            results.append({**result, "kb_us": result["cpu_us"] / len(text) * 1024})
    return found


def run(bench):
    tables, ratios = [], {}
    for name in REPLIES:
        for kilobytes in SIZES:
            found = rows(bench, name, kilobytes)
            title = f"{name}, {kilobytes} KB"
            tables.append(Table(title, found, COLUMNS))
            ratios[title] = median(found["preopen"], "cpu_us") / median(found["serde_json"], "cpu_us")
    targets = [Target("envelope: CPU, of bare serde_json's, worst table", 1.3, max(ratios.values()), "x")]
    return Group("envelope", "Reading a reply's envelope", tables, NOTE, targets)
