"""What a login costs the client, beside an authenticated GET: both on a connection that is open already."""

from broker import ANGELONE_LOGIN, LOGIN
from report import Group, Table, Target
from rounds import Peer, alternate, median

NOTE = """\
One login after another, each after the session was declared over; the GET is that of the other
group, by the same client. The broker's count of logins was the client's: one request each, and for
`smartapi-python` one more, for the profile, which it asks for by itself. Preopen keeps a second
between logins at Angel One and uses no one-time code twice, so there is no row of it: many in a row
would measure the waiting.
"""


def peers(bench):
    few = {"calls": max(bench.calls // 20, 8), "warm_up": 2}

    def login(name, environment, path, **more):
        return Peer(f"login, {name}", bench.python(f"login {name}", environment), path=path, **more)

    return [
        Peer("GET, preopen", bench.python("preopen")),
        login("preopen", "python", LOGIN),
        login("stocknotebridge", "python-official", LOGIN),
        login("smartapi-python", "python-official", ANGELONE_LOGIN, broker="angelone", settings=few),
    ]


def in_node(bench):
    """After V8 compiled what each does, as in the other group."""
    return [
        Peer("GET, preopen", bench.node("preopen")),
        Peer("login, preopen", bench.node("login preopen"), path=LOGIN),
    ]


def in_rust(bench):
    return [
        Peer("GET, preopen", bench.rust("preopen")),
        Peer("login, preopen", bench.rust("login preopen"), path=LOGIN),
    ]


def ratio(found):
    return median(found["login, preopen"], "cpu_us") / median(found["GET, preopen"], "cpu_us")


def run(bench):
    with bench.broker(tls=True) as broker:
        common = {"calls": max(bench.calls // 4, 16), "workers": 1, "warm_up": 16}
        python = alternate(broker, peers(bench), bench.rounds, **common)
        node = alternate(broker, in_node(bench), bench.rounds, **{**common, "warm_up": bench.compiled})
        rust = alternate(broker, in_rust(bench), bench.rounds, **common)
    ours = ("GET, preopen", "login, preopen")
    return Group(
        "login",
        "A login, beside a GET",
        [
            Table("Python, blocking, https", python, ours=ours),
            Table("Node, https", node, ours=ours),
            Table("Rust, https", rust, ours=ours),
        ],
        NOTE,
        [
            Target("Python, login: CPU, of an authenticated GET's", 1.5, ratio(python), "x"),
            Target("Node, login: CPU, of an authenticated GET's", 1.5, ratio(node), "x"),
            Target("Rust, login: CPU, of an authenticated GET's", 1.5, ratio(rust), "x"),
        ],
    )
