"""The embedded broker in a process of its own, so that its CPU is not counted."""

import http.client
import json
import ssl
import subprocess
import urllib.parse

#: What every client asks for, and how it is asked.
PATH = "/quote/getQuote"
PARAMS = {"symbolName": "INFY", "exchange": "NSE"}
LOGIN = "/session/token"
PROFILE = "/rest/secure/angelbroking/user/v1/getProfile"
ANGELONE_LOGIN = "/rest/auth/angelbroking/user/v1/loginByPassword"

#: In place of a path: whatever was asked for.
EVERY = ""


class Broker:
    """`preopen sandbox`, with one account of each broker; `with` ends it."""

    def __init__(self, program, tls=False):
        command = [program, "sandbox", "--json", "--exit-with-stdin"] + (["--tls"] if tls else [])
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit(f"the embedded broker ended with {self.child.wait(10)}")
        self.ready = json.loads(line)
        self.accounts = {account["broker"]: account for account in reversed(self.ready["accounts"])}
        self.account = self.accounts["samco"]
        # Every client logs in on its own; none may end another's session.
        self.control("PATCH", "/switches", {"samco_second_login_revokes_first": False})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(10)
        self.child.stdout.close()

    def request(self, method, path, body=None, headers=None):
        """One request of the harness itself, on a connection of its own."""
        url = urllib.parse.urlsplit(self.ready["samco_url"])
        if url.scheme == "https":
            context = ssl.create_default_context(cafile=self.ready["ca_file"])
            connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=10, context=context)
        else:
            connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
        headers = {"content-type": "application/json", **(headers or {})}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        reply = connection.getresponse()
        data = json.loads(reply.read())
        connection.close()
        if reply.status >= 300:
            raise SystemExit(f"{method} {path}: HTTP {reply.status}: {data}")
        return data

    def control(self, method, path, body=None):
        token = {"x-sandbox-token": self.ready["control_token"]}
        return self.request(method, "/_sandbox" + path, body, token)

    def login(self):
        """The headers of a live session, for clients that are given one."""
        keys = {"apiKey": self.account["api_key"], "apiSecret": self.account["api_secret"]}
        token = self.request("POST", LOGIN, keys)["sessionToken"]
        return {"x-session-token": token, "accept": "application/json"}

    def seen(self, path=PATH, broker="samco"):
        """How many requests for a path the broker saw, all told; with `EVERY`, how many both brokers saw."""
        of = "" if path == EVERY else f"&broker={broker}&path={path}"
        return self.control("GET", f"/requests?limit=1{of}")["count"]

    def answer(self, path, body):
        """A path gets this reply from now on: for clients of brokers that the embedded one does not play."""
        headers = {"content-type": "application/json"}
        what = {"broker": "samco", "path": path, "status": 200, "body": body, "headers": headers}
        self.control("POST", "/faults", {**what, "until": "2100-01-01T00:00:00Z"})

    def settings(self, **more):
        """What a client process reads on standard input."""
        angelone = self.accounts["angelone"]
        return {
            "url": self.ready["samco_url"].rstrip("/"),
            "path": PATH,
            "params": PARAMS,
            "ca_file": self.ready["ca_file"],
            "api_key": self.account["api_key"],
            "api_secret": self.account["api_secret"],
            "angelone": {
                "url": self.ready["angelone_url"].rstrip("/"),
                **{name: angelone[name] for name in ("api_key", "client_code", "pin", "totp_secret")},
            },
            **more,
        }
