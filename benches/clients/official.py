"""An authenticated GET by brokers' official Python SDKs, each the way that its documentation shows.

Those of brokers that the embedded one does not play get a reply that it was told to give for their path.
"""

import json

import http_clients
import sdks
from meter import Stopwatch, blocking

#: Enough for any run, and still counted: the broker's own limit would be three calls a second.
UNHINDERED = {"profile": {"per_second": 100_000, "per_hour": 100_000}}


def is_profile(data):
    if not data["clientcode"] or "brokerid" not in data:
        raise SystemExit("wrong payload")


def angelone(settings, **options):
    import preopen

    keys = {name: value for name, value in settings["angelone"].items() if name != "url"}
    url = settings["angelone"]["url"]
    return preopen.Session(preopen.AngelOne(**keys), base_url=url, ca_file=settings["ca_file"], **options)


def preopen_angelone(settings):
    live, path = angelone(settings, rate_limits=UNHINDERED), settings["path"]
    blocking(lambda: live.get(path).data, settings, is_profile)


def smartapi_get(settings):
    client = sdks.smartapi(settings)
    sdks.smartapi_login(client, settings)
    # Its login asked for the profile, too.
    further = {**settings, "warm_up": settings["warm_up"] - 1}
    blocking(lambda: client.getProfile(client.refresh_token)["data"], further, is_profile, already=1)


def smartapi_logins(settings):
    client = sdks.smartapi(settings)
    logins(lambda: sdks.smartapi_login(client, settings), settings)


def bridge_get(settings):
    client = sdks.bridge(settings)
    sdks.bridge_login(client, settings)
    symbol, exchange = settings["params"]["symbolName"], settings["params"]["exchange"]
    # Its answer is text.
    blocking(lambda: json.loads(client.get_quote(symbol, exchange=exchange)), settings)


def bridge_logins(settings):
    client = sdks.bridge(settings)
    logins(lambda: sdks.bridge_login(client, settings), settings)


def kite_get(settings):
    from kiteconnect import KiteConnect

    sdks.trust(settings)
    client = KiteConnect(api_key="key", access_token="token", root=settings["url"])

    def check(data):
        if data["user_id"] != "SBX001":
            raise SystemExit("wrong payload")

    blocking(client.profile, settings, check)


def upstox_get(settings):
    import upstox_client

    configuration = upstox_client.Configuration()
    configuration.host, configuration.access_token = settings["url"], "token"
    configuration.ssl_ca_cert = settings["ca_file"]
    client = upstox_client.UserApi(upstox_client.ApiClient(configuration))

    def check(reply):
        if reply.data.user_id != "SBX001":
            raise SystemExit("wrong payload")

    blocking(lambda: client.get_profile("2.0"), settings, check)


def logins(login, settings):
    """One login after another, on a connection that is kept where the client keeps one."""
    for _ in range(settings["warm_up"]):
        login()
    watch = Stopwatch(settings["calls"])
    for _ in range(settings["calls"]):
        login()
    watch.report(settings["warm_up"] + settings["calls"])


def preopen_logins(settings):
    """The session is declared over each time, so that the next call must log in."""
    live, generations = http_clients.session(settings), []

    def login():
        if generations:
            live.invalidate(generations[-1])
        generations.append(live.token().generation)

    logins(login, settings)
    if generations != list(range(1, len(generations) + 1)):
        raise SystemExit("a login was left out")


PEERS = {
    "preopen-angelone": preopen_angelone,
    "smartapi-python": smartapi_get,
    "stocknotebridge": bridge_get,
    "kiteconnect": kite_get,
    "upstox": upstox_get,
    "login preopen": preopen_logins,
    "login stocknotebridge": bridge_logins,
    "login smartapi-python": smartapi_logins,
}
