"""A strategy as people write it for stocknotebridge: it logs in once, and looks at a quote every hour."""

import json
import os
import time

from snapi_py_client.snapi_bridge import StocknoteAPIPythonBridge

samco = StocknoteAPIPythonBridge()
account = {"apiKey": os.environ["SAMCO_API_KEY"], "apiSecret": os.environ["SAMCO_API_SECRET"]}
headers = {"Accept": "application/json", "Content-Type": "application/json"}
options = {"header_params": headers, "response_type": "object", "_return_http_data_only": True}
login = samco.api_client.call_api("/session/token", "POST", body=account, **options)
samco.set_session_token(json.loads(login)["sessionToken"])

prices = []
for _ in range(26):
    reply = json.loads(samco.get_quote("INFY", exchange="NSE"))
    prices.append(reply["quoteDetails"]["lastTradedPrice"])
    time.sleep(3600)
