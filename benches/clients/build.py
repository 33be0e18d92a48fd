"""A client object is made and nothing is sent: the first one of a process, and further ones."""

import statistics
import time

from meter import say


def preopen():
    import preopen

    return lambda: preopen.Session(preopen.Samco(api_key="key", api_secret="secret"))


def preopen_angelone():
    import preopen

    keys = {"api_key": "key", "client_code": "A1", "pin": "1234", "totp_secret": "JBSWY3DPEHPK3PXP"}
    return lambda: preopen.Session(preopen.AngelOne(**keys))


def requests():
    import requests

    return requests.Session


def httpx():
    import httpx

    return httpx.Client


def bridge():
    # What it imports is the import's cost, as with the others.
    import sdks
    import snapi_py_client.snapi_bridge  # noqa: F401

    return lambda: sdks.bridge({"url": "https://localhost"})


def smartapi():
    import sdks

    first = sdks.smartapi({"angelone": {"api_key": "key", "url": "https://localhost"}})
    return lambda: type(first)(api_key="key")


def measure(make, settings):
    def build():
        cpu, wall = time.process_time(), time.perf_counter()
        kept.append(make())
        return time.process_time() - cpu, time.perf_counter() - wall

    kept = []
    found = [build() for _ in range(settings["calls"])]
    (first_cpu, first_wall), *further = ([1e6 * part for part in one] for one in found)
    say(
        cpu_us=statistics.median(one[0] for one in further),
        wall_us=statistics.median(one[1] for one in further),
        first_cpu_us=first_cpu,
        first_wall_us=first_wall,
        sent=0,
    )


KINDS = {
    "preopen": preopen,
    "preopen, Angel One": preopen_angelone,
    "requests": requests,
    "httpx": httpx,
    "stocknotebridge": bridge,
    "smartapi-python": smartapi,
}
PEERS = {
    f"build {name}": lambda settings, kind=kind: measure(kind(), settings) for name, kind in KINDS.items()
}
