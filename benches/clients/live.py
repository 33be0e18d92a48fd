"""What needs no request: a live session's `token()` and `headers()`, against a plain method call."""

from http_clients import session
from meter import Stopwatch


class Plain:
    def method(self):
        return self


def hot(settings, what):
    live = session(settings)
    live.token()
    method = {"token": live.token, "headers": live.headers, "method": Plain().method}[what]
    for _ in range(1000):
        method()
    watch = Stopwatch(settings["calls"])
    for _ in range(settings["calls"]):
        method()
    # The login.
    watch.report(1)


PEERS = {
    "token()": lambda settings: hot(settings, "token"),
    "headers()": lambda settings: hot(settings, "headers"),
    "a plain method": lambda settings: hot(settings, "method"),
}
