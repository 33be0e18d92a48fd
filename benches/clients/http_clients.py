"""An authenticated GET by Preopen and by common HTTP clients."""

import asyncio
import json
import socket
import ssl
import urllib.parse

from meter import blocking, concurrent, threads


def drive(call, settings):
    """In one thread, or in as many as there are workers."""
    (threads if settings["workers"] > 1 else blocking)(call, settings)


def session(settings, kind="Session"):
    import preopen

    credentials = preopen.Samco(api_key=settings["api_key"], api_secret=settings["api_secret"])
    return getattr(preopen, kind)(credentials, base_url=settings["url"], ca_file=settings["ca_file"])


def preopen_sync(settings):
    live, path, params = session(settings), settings["path"], settings["params"]
    drive(lambda: live.get(path, params=params).data, settings)


def preopen_async(settings):
    path, params = settings["path"], settings["params"]

    async def main():
        async with session(settings, "AsyncSession") as live:

            async def call():
                return (await live.get(path, params=params)).data

            await concurrent(call, settings)

    asyncio.run(main())


def target(settings):
    return settings["url"] + settings["path"], settings["params"], settings["headers"]


def tls(settings):
    return ssl.create_default_context(cafile=settings["ca_file"]) if settings["ca_file"] else True


def raw_socket(settings):
    """The floor: one keep-alive connection, the same bytes each time, of the head only the length is read."""
    url = urllib.parse.urlsplit(settings["url"])
    plain = socket.create_connection((url.hostname, url.port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    secure = settings["ca_file"] is not None
    line = plain if not secure else tls(settings).wrap_socket(plain, server_hostname=url.hostname)
    query = urllib.parse.urlencode(settings["params"])
    head = "".join(f"{name}: {value}\r\n" for name, value in settings["headers"].items())
    request = f"GET {settings['path']}?{query} HTTP/1.1\r\nhost: {url.netloc}\r\n{head}\r\n".encode()

    def call():
        line.sendall(request)
        reply = line.recv(65536)
        while b"\r\n\r\n" not in reply:
            reply += line.recv(65536)
        head, _, body = reply.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"no success: {head[:80]!r}")
        start = head.lower().index(b"content-length:") + len(b"content-length:")
        length = int(head[start:].split(b"\r\n", 1)[0])
        while len(body) < length:
            body += line.recv(65536)
        return json.loads(body)

    blocking(call, settings)


def requests_sync(settings):
    import requests

    client = requests.Session()
    client.trust_env, client.verify = False, settings["ca_file"] or True
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=max(10, settings["workers"]))
    client.mount(settings["url"], adapter)
    url, params, headers = target(settings)
    drive(lambda: client.get(url, params=params, headers=headers, timeout=10).json(), settings)


def urllib3_sync(settings):
    import urllib3

    client = urllib3.PoolManager(ca_certs=settings["ca_file"], maxsize=max(1, settings["workers"]))
    url, params, headers = target(settings)
    drive(lambda: client.request("GET", url, fields=params, headers=headers, timeout=10).json(), settings)


def httpx_sync(settings):
    import httpx

    client = httpx.Client(verify=tls(settings), trust_env=False)
    url, params, headers = target(settings)
    drive(lambda: client.get(url, params=params, headers=headers, timeout=10).json(), settings)


def httpx_async(settings):
    import httpx

    url, params, headers = target(settings)

    async def main():
        async with httpx.AsyncClient(verify=tls(settings), trust_env=False) as client:

            async def call():
                return (await client.get(url, params=params, headers=headers, timeout=10)).json()

            await concurrent(call, settings)

    asyncio.run(main())


def aiohttp_async(settings):
    import aiohttp

    url, params, headers = target(settings)

    async def main():
        connector = aiohttp.TCPConnector(ssl=tls(settings))
        async with aiohttp.ClientSession(connector=connector) as client:

            async def call():
                async with client.get(url, params=params, headers=headers) as reply:
                    return await reply.json()

            await concurrent(call, settings)

    asyncio.run(main())


PEERS = {
    "preopen": preopen_sync,
    "preopen-async": preopen_async,
    "raw socket": raw_socket,
    "requests": requests_sync,
    "urllib3": urllib3_sync,
    "httpx": httpx_sync,
    "httpx-async": httpx_async,
    "aiohttp": aiohttp_async,
}
