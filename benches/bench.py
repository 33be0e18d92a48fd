"""What a group is given: how much to measure, and the programs that `cargo xtask bench` provided."""

import dataclasses
from pathlib import Path

from broker import Broker

HERE = Path(__file__).resolve().parent


@dataclasses.dataclass
class Bench:
    """`programs` has a path for each name; bench.rs says which there are."""

    programs: dict
    rounds: int
    calls: int
    hot_calls: int
    sessions: list
    seconds: int

    def program(self, name):
        if name not in self.programs:
            raise SystemExit(f"this group needs `--program {name}=PATH`")
        return self.programs[name]

    def python(self, peer, environment="python"):
        """A client of clients/client.py, in the environment of that name."""
        return [self.program(environment), str(HERE / "clients" / "client.py"), peer]

    def node(self, peer):
        """A client of clients/client.mjs."""
        return [self.program("node"), str(HERE / "clients" / "client.mjs"), peer]

    def rust(self, *words):
        """The Rust client."""
        return [self.program("rust"), *words]

    def broker(self, tls=False):
        return Broker(self.program("preopen"), tls)
