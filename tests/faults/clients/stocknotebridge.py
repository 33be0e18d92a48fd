"""``stocknotebridge`` in the fault table: success is a reply that is JSON text with ``status``
``Success``."""

import json

import client


class Peer(client.Client):
    def __init__(self, spec):
        super().__init__(spec)
        from snapi_py_client.api_client import ApiClient
        from snapi_py_client.configuration import Configuration
        from snapi_py_client.snapi_bridge import StocknoteAPIPythonBridge

        configuration = Configuration()
        configuration.host = spec["url"]
        configuration.ssl_ca_cert = spec["ca_file"]
        self.bridge = StocknoteAPIPythonBridge(api_client=ApiClient(configuration))
        if spec["token"]:
            self.bridge.set_session_token(spec["token"])
        # It takes whole seconds as a number, and others for connecting and for reading.
        timeout = spec["timeout"]
        self.options = {} if timeout is None else {"_request_timeout": (timeout, timeout)}

    def login(self):
        # The call that its own generate_session_token would make: that one raises before any request.
        account = self.spec["account"]
        reply = self.bridge.api_client.call_api(
            "/session/token",
            "POST",
            header_params={"Accept": "application/json", "Content-Type": "application/json"},
            body={"apiKey": account["api_key"], "apiSecret": account["api_secret"]},
            response_type="object",
            _return_http_data_only=True,
            **self.options,
        )
        token = (parsed(reply) or {}).get("sessionToken")
        if token:
            self.bridge.set_session_token(token)
        return reply

    def read(self):
        return self.bridge.get_quote("INFY", exchange="NSE", **self.options)

    def write(self):
        return self.bridge.place_order(body=self.spec["order"], **self.options)

    def tokens(self):
        return [self.bridge.session_token] if self.bridge.session_token else []

    def told(self, reply):
        fields = parsed(reply)
        if fields is None:
            return client.other(reply)
        if fields.get("status") == "Success":
            return client.success(fields.get(WANTED[self.spec["on"]]))
        why = fields.get("errorCode") or fields.get("statusMessage")
        return client.failure(why) if why else client.other(reply)


#: What a reply is asked for.
WANTED = {"login": "sessionToken", "read": "quoteDetails", "write": "orderNumber"}


def parsed(reply):
    """The object that a reply's text is, if it is one."""
    try:
        fields = json.loads(reply)
    except (TypeError, ValueError):
        return None
    return fields if isinstance(fields, dict) else None


if __name__ == "__main__":
    client.main(Peer)
