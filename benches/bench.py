"""What a group is given: how much to measure, and the programs that `cargo xtask bench` provided."""

import dataclasses
import functools
import json
import subprocess
from pathlib import Path

from broker import Broker

HERE = Path(__file__).resolve().parent

#: What is named on the page, of each environment.
PEERS = {
    "python": ["preopen", "requests", "urllib3", "httpx", "aiohttp"],
    "python-official": ["stocknotebridge", "smartapi-python", "kiteconnect", "upstox-python-sdk"],
}
NODE_PEERS = ["undici", "axios", "smartapi-javascript", "kiteconnect"]
VERSIONS = (
    "import sys, json, importlib.metadata as m; print(json.dumps({p: m.version(p) for p in sys.argv[1:]}))"
)


#: Calls that a client of Node makes before any is measured: what each takes falls no further by then.
COMPILED = 8000


@dataclasses.dataclass
class Bench:
    """`programs` has a path for each name; bench.rs says which there are."""

    programs: dict
    rounds: int
    calls: int
    hot_calls: int
    sessions: list
    seconds: int
    quick: bool = False
    #: What the programs were built from: as it was when the run began, whatever is committed meanwhile.
    commit: str = "unknown"

    def program(self, name):
        if name not in self.programs:
            raise SystemExit(f"this group needs `--program {name}=PATH`")
        return self.programs[name]

    @property
    def compiled(self):
        """Calls of Node's clients before any is measured; a quick run has no time for them."""
        return 64 if self.quick else COMPILED

    def client(self, name):
        """A file of clients/."""
        return str(HERE / "clients" / name)

    def python(self, peer, environment="python"):
        """A Python client, in the environment of that name."""
        return [self.program(environment), self.client("client.py"), peer]

    def node(self, peer):
        """A Node client; the others are in an environment of their own."""
        return [self.program("node"), self.client("node/client.mjs"), peer, self.program("node-peers")]

    def rust(self, *words):
        """The Rust client."""
        return [self.program("rust"), *words]

    def broker(self, tls=False):
        return Broker(self.program("preopen"), tls)

    @functools.cached_property
    def versions(self):
        """Name -> version of what takes part."""
        found = {"python": told([self.program("python"), "--version"]).split()[-1]}
        found["node"] = told([self.program("node"), "--version"]).lstrip("v")
        if "node-peers" in self.programs:
            folder = Path(self.program("node-peers")) / "node_modules"
            for name in NODE_PEERS:
                manifest = (folder / name / "package.json").read_text(encoding="utf-8")
                found[name + (" (npm)" if name == "kiteconnect" else "")] = json.loads(manifest)["version"]
        for environment, names in PEERS.items():
            if environment in self.programs:
                found.update(json.loads(told([self.program(environment), "-c", VERSIONS, *names])))
        return found


def told(command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
