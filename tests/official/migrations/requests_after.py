"""A strategy as people write it with requests: it logs in once, and looks at a quote every hour."""

import os
import time

import requests

from preopen import Samco, Session
from preopen.requests import Auth

BASE = os.environ.get("SAMCO_URL", "https://tradeapi.samco.in")

client = requests.Session()
client.auth = Auth(Session(Samco.from_env()))

prices = []
for _ in range(26):
    quote = {"symbolName": "INFY", "exchange": "NSE"}
    reply = client.get(BASE + "/quote/getQuote", params=quote, timeout=10)
    prices.append(reply.json()["quoteDetails"]["lastTradedPrice"])
    time.sleep(3600)
