"""One client process of the Python benchmarks: python client.py PEER, settings as JSON on standard input."""

import asyncio
import json
import sys
import time

PATH = "/quote/getQuote"
PARAMS = {"symbolName": "INFY", "exchange": "NSE"}


def check(data):
    """A client that sends nothing, or reads nothing, cannot win."""
    if data["quoteDetails"]["symbolName"] != "INFY":
        raise SystemExit("wrong payload")


class Stopwatch:
    """CPU of this process (all threads, user and system) and wall time, per call."""

    def __init__(self, calls):
        self.calls = calls
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def report(self):
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        per_call = 1e6 / self.calls
        print(json.dumps({"cpu_us": cpu * per_call, "wall_us": wall * per_call, "calls": self.calls}))


def blocking(call, settings):
    for _ in range(settings["warm_up"]):
        check(call())
    watch = Stopwatch(settings["calls"])
    for _ in range(settings["calls"]):
        check(call())
    watch.report()


async def concurrent(call, settings):
    async def some(count):
        for _ in range(count):
            check(await call())

    async def run(calls):
        share = calls // settings["workers"]
        await asyncio.gather(*(some(share) for _ in range(settings["workers"])))

    await run(settings["warm_up"])
    watch = Stopwatch(settings["calls"])
    await run(settings["calls"])
    watch.report()


def session(settings, kind):
    import preopen

    credentials = preopen.Samco(api_key=settings["api_key"], api_secret=settings["api_secret"])
    return getattr(preopen, kind)(credentials, base_url=settings["url"], ca_file=settings["ca_file"])


def preopen_sync(settings):
    live = session(settings, "Session")
    blocking(lambda: live.get(PATH, params=PARAMS).data, settings)


def preopen_async(settings):
    async def main():
        async with session(settings, "AsyncSession") as live:

            async def call():
                return (await live.get(PATH, params=PARAMS)).data

            await concurrent(call, settings)

    asyncio.run(main())


def requests_sync(settings):
    import requests

    client = requests.Session()
    client.trust_env, client.verify = False, settings["ca_file"] or True
    url, headers = settings["url"] + PATH, settings["headers"]
    blocking(lambda: client.get(url, params=PARAMS, headers=headers, timeout=10).json(), settings)


def urllib3_sync(settings):
    import urllib3

    client = urllib3.PoolManager(ca_certs=settings["ca_file"])
    url, headers = settings["url"] + PATH, settings["headers"]
    blocking(lambda: client.request("GET", url, fields=PARAMS, headers=headers, timeout=10).json(), settings)


def httpx_verify(settings):
    import ssl

    return ssl.create_default_context(cafile=settings["ca_file"]) if settings["ca_file"] else True


def httpx_sync(settings):
    import httpx

    client = httpx.Client(verify=httpx_verify(settings), trust_env=False)
    url, headers = settings["url"] + PATH, settings["headers"]
    blocking(lambda: client.get(url, params=PARAMS, headers=headers, timeout=10).json(), settings)


def httpx_async(settings):
    import httpx

    async def main():
        async with httpx.AsyncClient(verify=httpx_verify(settings), trust_env=False) as client:

            async def call():
                reply = await client.get(
                    settings["url"] + PATH, params=PARAMS, headers=settings["headers"], timeout=10
                )
                return reply.json()

            await concurrent(call, settings)

    asyncio.run(main())


def aiohttp_async(settings):
    import aiohttp

    async def main():
        tls = httpx_verify(settings)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as client:

            async def call():
                url, headers = settings["url"] + PATH, settings["headers"]
                async with client.get(url, params=PARAMS, headers=headers) as reply:
                    return await reply.json()

            await concurrent(call, settings)

    asyncio.run(main())


def hot(settings, what):
    """A live session's token() or headers(), against a plain method call of the same length."""
    live = session(settings, "Session")
    live.token()
    method = {"token": live.token, "headers": live.headers, "method": Plain().method}[what]
    for _ in range(1000):
        method()
    watch = Stopwatch(settings["calls"])
    for _ in range(settings["calls"]):
        method()
    watch.report()


class Plain:
    def method(self):
        return self


PEERS = {
    "preopen": preopen_sync,
    "requests": requests_sync,
    "urllib3": urllib3_sync,
    "httpx": httpx_sync,
    "preopen-async": preopen_async,
    "aiohttp": aiohttp_async,
    "httpx-async": httpx_async,
    "token()": lambda settings: hot(settings, "token"),
    "headers()": lambda settings: hot(settings, "headers"),
    "a plain method": lambda settings: hot(settings, "method"),
}

if __name__ == "__main__":
    PEERS[sys.argv[1]](json.load(sys.stdin))
