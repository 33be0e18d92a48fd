"""The driver of the benchmarks: alternating rounds, one client process at a time, counts reconciled."""

import argparse
import functools
import http.client
import json
import os
import platform
import re
import ssl
import statistics
import subprocess
import sys
import urllib.parse
from pathlib import Path

import commands
import many
import sandbox

HERE = Path(__file__).resolve().parent
PATH = "/quote/getQuote"


class Broker:
    """The embedded broker in a process of its own, so that its CPU is not counted."""

    def __init__(self, program, tls):
        command = [program, "sandbox", "--json", "--exit-with-stdin"] + (["--tls"] if tls else [])
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = json.loads(self.child.stdout.readline())
        self.account = next(a for a in self.ready["accounts"] if a["broker"] == "samco")
        # Every client logs in on its own; none may end another's session.
        self.control("PATCH", "/switches", {"samco_second_login_revokes_first": False})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(10)

    def request(self, method, path, body=None, headers=None):
        url = urllib.parse.urlsplit(self.ready["samco_url"])
        if url.scheme == "https":
            context = ssl.create_default_context(cafile=self.ready["ca_file"])
            connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=10, context=context)
        else:
            connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
        headers = {"content-type": "application/json", **(headers or {})}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        reply = connection.getresponse()
        data = json.loads(reply.read())
        connection.close()
        if reply.status >= 300:
            raise SystemExit(f"{method} {path}: HTTP {reply.status}: {data}")
        return data

    def control(self, method, path, body=None):
        return self.request(
            method, "/_sandbox" + path, body, {"x-sandbox-token": self.ready["control_token"]}
        )

    def login(self):
        keys = {"apiKey": self.account["api_key"], "apiSecret": self.account["api_secret"]}
        token = self.request("POST", "/session/token", keys)["sessionToken"]
        return {"x-session-token": token, "accept": "application/json"}

    def seen(self, path=PATH):
        return self.control("GET", "/requests?broker=samco&limit=1&path=" + path)["count"]

    def settings(self, **more):
        return {
            "url": self.ready["samco_url"],
            "ca_file": self.ready["ca_file"],
            "api_key": self.account["api_key"],
            "api_secret": self.account["api_secret"],
            **more,
        }


def run_client(command, peer, settings):
    # Node reads further authorities from the environment only.
    extra = {"NODE_EXTRA_CA_CERTS": settings["ca_file"]} if settings["ca_file"] else {}
    done = subprocess.run(
        [*command, peer],
        input=json.dumps(settings),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
        env={**os.environ, **extra},
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure(broker, command, peers, rounds, calls, workers=1, counted=True):
    """Rounds alternate over the peers. Returns peer -> list of results."""
    results = {peer: [] for peer in peers}
    settings = broker.settings(calls=calls, workers=workers, warm_up=max(64, workers) // workers * workers)
    settings["headers"] = broker.login()
    for _ in range(rounds):
        for peer in peers:
            before = broker.seen()
            result = run_client(command, peer, settings)
            sent = broker.seen() - before
            if counted and sent != calls + settings["warm_up"]:
                raise SystemExit(f"{peer} claims {calls + settings['warm_up']} calls, the broker saw {sent}")
            results[peer].append(result)
    return results


def table(title, results, unit="us", scale=1.0):
    """CPU first, wall second: medians, the spread of the CPU, and the ratio to the first row."""
    width = max(len(peer) for peer in results) + 2
    lines = [f"{'':{width}}{'CPU ' + unit:>12}{'min-max':>18}{'ratio':>8}{'wall ' + unit:>12}"]
    base = None
    for peer, runs in results.items():
        cpu = [run["cpu_us"] * scale for run in runs]
        wall = statistics.median(run["wall_us"] * scale for run in runs)
        median = statistics.median(cpu)
        base = base or median
        digits = 1 if unit == "ms" else 0
        spread = f"{min(cpu):.{digits}f}-{max(cpu):.{digits}f}"
        lines.append(f"{peer:{width}}{median:>12.1f}{spread:>18}{median / base:>7.2f}x{wall:>12.1f}")
    text = "\n".join(lines)
    print(f"\n{title}\n{text}", flush=True)
    return f"### {title}\n\n```\n{text}\n```\n"


def versions(python, node):
    peers = ["preopen", "requests", "urllib3", "httpx", "aiohttp"]
    code = f"import importlib.metadata as m, json; print(json.dumps({{p: m.version(p) for p in {peers}}}))"
    found = json.loads(subprocess.run([python, "-c", code], stdout=subprocess.PIPE, check=True).stdout)
    found["python"] = platform.python_version()
    found["node"] = subprocess.run(
        [node, "--version"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    return ", ".join(f"{name} {version}" for name, version in found.items())


def clients(args):
    return [sys.executable, str(HERE / "client.py")], [args.node, str(HERE / "client.mjs")]


def live_group(args):
    """What a call costs that needs no request."""
    python, javascript = clients(args)
    parts = []
    with Broker(args.preopen_bin, tls=False) as broker:
        for title, command, plain in (
            ("Python", python, "a plain method"),
            ("Node", javascript, "a bare await"),
        ):
            peers = [plain, "token()", "headers()"]
            found = measure(broker, command, peers, args.rounds, args.hot_calls, counted=False)
            parts.append(table(f"{title}: a live session, per call", found, "ns", 1000.0))
    return parts


def calls_group(args):
    """An authenticated GET beside other clients."""
    python, javascript = clients(args)
    parts = []
    for scheme in ("http", "https"):
        with Broker(args.preopen_bin, tls=scheme == "https") as broker:
            for title, command, peers, workers in (
                ("Python, blocking", python, ["preopen", "requests", "urllib3", "httpx"], 1),
                ("Python, asyncio, 16 workers", python, ["preopen-async", "aiohttp", "httpx-async"], 16),
                ("Node, 1 worker", javascript, ["preopen", "agent", "fetch"], 1),
                ("Node, 16 workers", javascript, ["preopen", "agent", "fetch"], 16),
            ):
                found = measure(broker, command, peers, args.rounds, args.calls, workers)
                parts.append(table(f"{title}: authenticated GET over {scheme}, per call", found))
    return parts


def sessions_group(args):
    """Many sessions in one process."""
    start = functools.partial(Broker, args.preopen_bin, tls=False)
    return [many.run(start, args.sessions_bin, args.sessions, workers=64, rounds=args.rounds)]


def cli_group(args):
    """Whole commands."""
    with Broker(args.preopen_bin, tls=False) as broker:
        return [commands.run(broker, args, table)]


def sandbox_group(args):
    """The embedded broker itself."""
    start = functools.partial(Broker, args.preopen_bin, tls=False)
    return [sandbox.run(start, args.floor_bin, args.rounds, args.seconds)]


GROUPS = {
    "live": live_group,
    "calls": calls_group,
    "sessions": sessions_group,
    "cli": cli_group,
    "sandbox": sandbox_group,
}


def merged(report, parts):
    """The report with these sections in place of those of the same titles, or at its end."""
    head, *kept = [text.rstrip() + "\n" for text in re.split(r"^(?=### )", report, flags=re.MULTILINE)]
    sections = {text.splitlines()[0]: text for text in [*kept, *parts]}
    return "\n".join([head, *sections.values()])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preopen-bin", required=True)
    parser.add_argument("--sessions-bin", help="needed by the group `sessions`")
    parser.add_argument("--floor-bin", help="needed by the group `sandbox`")
    parser.add_argument("--node", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--calls", type=int, default=1600, help="calls per client and round; a multiple of 16"
    )
    parser.add_argument("--hot-calls", type=int, default=200_000)
    parser.add_argument(
        "--sessions", type=int, nargs="+", default=[1000, 2500, 5000, 10_000], help="sessions in one process"
    )
    parser.add_argument("--seconds", type=int, default=10, help="of each round of the group `sandbox`")
    parser.add_argument("--only", choices=GROUPS, help="run one group; the report keeps its other sections")
    parser.add_argument("--out", help="write the tables to this Markdown file as well")
    args = parser.parse_args()
    parts = []
    for name in [args.only] if args.only else GROUPS:
        parts += GROUPS[name](args)
    if not args.out:
        return
    report = Path(args.out)
    if args.only:
        report.write_text(merged(report.read_text(encoding="utf-8"), parts), encoding="utf-8")
        return
    note = (
        "Written by `cargo xtask bench`. Ratios within a table were measured in alternating rounds\n"
        f"of one run on one machine with {os.cpu_count()} cores; absolute numbers are of that machine.\n"
        "CPU is that of the client process.\n\n"
        f"{versions(sys.executable, args.node)}. {args.rounds} rounds, {args.calls} calls per round.\n"
    )
    report.write_text("# Benchmarks\n\n" + note + "\n" + "\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
