"""A strategy as people write it for stocknotebridge: it logs in once, and looks at a quote every hour."""

import json
import time

from preopen import Samco, Session, stocknote

samco = stocknote.connect(Session(Samco.from_env()))

prices = []
for _ in range(26):
    reply = json.loads(samco.get_quote("INFY", exchange="NSE"))
    prices.append(reply["quoteDetails"]["lastTradedPrice"])
    time.sleep(3600)
