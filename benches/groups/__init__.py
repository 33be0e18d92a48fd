"""The groups of the benchmarks, in the order of the page. Each module has `run(bench) -> Group`."""

NAMES = ("hot", "calls", "login", "start", "command", "herd", "sessions", "size", "sandbox")
