"""What a program does first, and nothing else: python first_reply.py PEER SETTINGS, these as JSON.

`nothing` is the bare interpreter with the same imports; each other one ends with its first reply.
"""

import json
import os
import sys

STATUS = "/proc/self/status"


def preopen(settings):
    import preopen

    credentials = preopen.Samco(api_key=settings["api_key"], api_secret=settings["api_secret"])
    live = preopen.Session(credentials, base_url=settings["url"], ca_file=settings["ca_file"])
    return live.get(settings["path"], params=settings["params"]).data


def requests(settings):
    import requests

    client = requests.Session()
    client.trust_env, client.verify = False, settings["ca_file"] or True
    return client.get(
        settings["url"] + settings["path"], params=settings["params"], headers=settings["headers"], timeout=10
    ).json()


def httpx(settings):
    import ssl

    import httpx

    verify = ssl.create_default_context(cafile=settings["ca_file"]) if settings["ca_file"] else True
    client = httpx.Client(verify=verify, trust_env=False)
    return client.get(
        settings["url"] + settings["path"], params=settings["params"], headers=settings["headers"]
    ).json()


def aiohttp(settings):
    import asyncio
    import ssl

    import aiohttp

    async def main():
        verify = ssl.create_default_context(cafile=settings["ca_file"]) if settings["ca_file"] else True
        connector = aiohttp.TCPConnector(ssl=verify)
        url = settings["url"] + settings["path"]
        async with aiohttp.ClientSession(connector=connector) as client:
            reply = await client.get(url, params=settings["params"], headers=settings["headers"])
            return await reply.json()

    return asyncio.run(main())


def stocknotebridge(settings):
    import sdks

    client = sdks.bridge(settings)
    sdks.bridge_login(client, settings)
    return json.loads(client.get_quote("INFY", exchange="NSE"))


PEERS = {peer.__name__: peer for peer in (preopen, requests, httpx, aiohttp, stocknotebridge)}

if __name__ == "__main__":
    name, settings = sys.argv[1], json.loads(sys.argv[2])
    if name != "nothing" and PEERS[name](settings)["quoteDetails"]["symbolName"] != "INFY":
        raise SystemExit("wrong payload")
    # The most memory that the process had is in it.
    if os.path.exists(STATUS):
        with open(STATUS) as status:
            print(status.read())
