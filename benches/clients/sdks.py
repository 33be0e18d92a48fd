"""Clients of official Python SDKs, made as documented; nothing is imported that they do not need."""

import json
import logging
import os
import pathlib
import socket


def without_network():
    """A lookup fails at once: an SDK asks a public service for its address while it is imported."""

    def refuse(*_, **__):
        raise OSError("no network in benchmarks")

    known = socket.getaddrinfo
    socket.getaddrinfo = socket.gethostbyname = refuse
    return known


def trust(settings):
    """SDKs that leave TLS to requests trust the test's authority beside all the public ones."""
    if settings.get("ca_file"):
        import certifi

        bundle = pathlib.Path("authorities.pem").resolve()
        known = [pathlib.Path(path).read_bytes() for path in (certifi.where(), settings["ca_file"])]
        bundle.write_bytes(b"\n".join(known))
        os.environ["REQUESTS_CA_BUNDLE"] = str(bundle)


def smartapi(settings):
    """The client of `smartapi-python`; it makes a folder of logs where it runs."""
    trust(settings)
    known = without_network()
    logging.disable(logging.CRITICAL)
    from SmartApi import SmartConnect

    socket.getaddrinfo = known
    return SmartConnect(api_key=settings["angelone"]["api_key"], root=settings["angelone"]["url"])


def smartapi_login(client, settings):
    import pyotp

    keys = settings["angelone"]
    reply = client.generateSession(keys["client_code"], keys["pin"], pyotp.TOTP(keys["totp_secret"]).now())
    if not reply["status"]:
        raise SystemExit(f"smartapi-python cannot log in: {reply}")


def bridge(settings):
    """Samco's `stocknotebridge`: it verifies no certificate unless it is told to, and it is not told to."""
    import urllib3
    from snapi_py_client.api_client import ApiClient
    from snapi_py_client.configuration import Configuration
    from snapi_py_client.snapi_bridge import StocknoteAPIPythonBridge

    urllib3.disable_warnings()
    configuration = Configuration()
    configuration.host = settings["url"]
    return StocknoteAPIPythonBridge(api_client=ApiClient(configuration))


def bridge_login(client, settings):
    """The call that its own login would make; in this release that one raises before any request."""
    reply = client.api_client.call_api(
        "/session/token",
        "POST",
        header_params={"Accept": "application/json", "Content-Type": "application/json"},
        body={"apiKey": settings["api_key"], "apiSecret": settings["api_secret"]},
        response_type="object",
        _return_http_data_only=True,
    )
    client.set_session_token(json.loads(reply)["sessionToken"])
