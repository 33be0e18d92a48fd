"""A strategy as people write it with requests: it logs in once, and looks at a quote every hour."""

import os
import time

import requests

BASE = os.environ.get("SAMCO_URL", "https://tradeapi.samco.in")

client = requests.Session()
account = {"apiKey": os.environ["SAMCO_API_KEY"], "apiSecret": os.environ["SAMCO_API_SECRET"]}
login = client.post(BASE + "/session/token", json=account, timeout=10)
client.headers["x-session-token"] = login.json()["sessionToken"]

prices = []
for _ in range(26):
    quote = {"symbolName": "INFY", "exchange": "NSE"}
    reply = client.get(BASE + "/quote/getQuote", params=quote, timeout=10)
    prices.append(reply.json()["quoteDetails"]["lastTradedPrice"])
    time.sleep(3600)
