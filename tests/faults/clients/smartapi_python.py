"""``smartapi-python`` in the fault table: success is a reply whose ``status`` is ``True``, and of
``placeOrder`` an order's number."""

import client


class Peer(client.Client):
    def __init__(self, spec):
        super().__init__(spec)
        import requests

        if spec["on"] != "start":
            # Its import asks a public service for this machine's address.
            get, requests.get = requests.get, unreachable
        from SmartApi import SmartConnect

        if spec["on"] != "start":
            requests.get = get
        self.smart = SmartConnect(
            api_key=spec["account"]["api_key"], root=spec["url"], timeout=spec["timeout"]
        )
        if spec["token"]:
            self.smart.setAccessToken(spec["token"])

    def login(self):
        account = self.spec["account"]
        return self.smart.generateSession(account["client_code"], account["pin"], self.spec["code"])

    def read(self):
        return self.smart.rmsLimit()

    def write(self):
        return self.smart.placeOrder(dict(self.spec["order"]))

    def tokens(self):
        kept = (self.smart.access_token, self.smart.refresh_token, self.smart.feed_token)
        return [token for token in kept if token]

    def told(self, reply):
        if isinstance(reply, str):
            return client.success(reply)
        if not isinstance(reply, dict):
            return client.other(reply)
        if reply.get("status") is True:
            return client.success((reply.get("data") or {}).get(WANTED[self.spec["on"]]))
        why = reply.get("errorcode") or reply.get("errorCode") or reply.get("message")
        return client.failure(why) if why else client.other(reply)


#: What a reply is asked for.
WANTED = {"login": "jwtToken", "read": "net", "write": "orderid"}


def unreachable(*_, **__):
    import requests

    raise requests.ConnectionError("kept off the network")


if __name__ == "__main__":
    client.main(Peer)
