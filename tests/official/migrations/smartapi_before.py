"""A strategy as people write it for smartapi-python: it logs in once, and looks at a price every hour."""

import os
import time

import pyotp
from SmartApi import SmartConnect

smart = SmartConnect(api_key=os.environ["ANGELONE_API_KEY"])
code = pyotp.TOTP(os.environ["ANGELONE_TOTP_SECRET"]).now()
smart.generateSession(os.environ["ANGELONE_CLIENT_CODE"], os.environ["ANGELONE_PIN"], code)

prices = []
for _ in range(26):
    reply = smart.ltpData("NSE", "SBIN-EQ", "3045")
    prices.append(reply["data"]["ltp"])
    time.sleep(3600)
