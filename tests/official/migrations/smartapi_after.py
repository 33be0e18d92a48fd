"""A strategy as people write it for smartapi-python: it logs in once, and looks at a price every hour."""

import time

from preopen import AngelOne, Session, smartapi

smart = smartapi.connect(Session(AngelOne.from_env()))

prices = []
for _ in range(26):
    reply = smart.ltpData("NSE", "SBIN-EQ", "3045")
    prices.append(reply["data"]["ltp"])
    time.sleep(3600)
