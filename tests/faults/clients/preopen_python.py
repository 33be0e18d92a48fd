"""Preopen for Python in the fault table."""

import client

KEYS = {"samco": ("api_key", "api_secret"), "angelone": ("api_key", "client_code", "pin", "totp_secret")}


class Peer(client.Client):
    def __init__(self, spec):
        super().__init__(spec)
        import preopen

        kind = {"samco": preopen.Samco, "angelone": preopen.AngelOne}[spec["broker"]]
        options = {name: spec[name] for name in ("timeout", "ca_file") if spec[name] is not None}
        credentials = kind(**{name: spec["account"][name] for name in KEYS[spec["broker"]]})
        self.session = preopen.Session(credentials, base_url=spec["url"], **options)

    def login(self):
        return self.session.token()

    def read(self):
        params = {"symbolName": "INFY", "exchange": "NSE"} if self.spec["broker"] == "samco" else None
        return self.session.get(self.spec["paths"]["read"], params=params)

    def write(self):
        return self.session.post(self.spec["paths"]["write"], json=self.spec["order"])

    def tokens(self):
        return [self.session.token().expose()] if self.session.state().name == "active" else []

    def told(self, reply):
        # Whatever is no exception is a success.
        return client.success(getattr(reply, "data", None) or reply.expose())


if __name__ == "__main__":
    client.main(Peer)
