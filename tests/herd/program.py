"""One Python program of a herd: makes its session, waits for the start, asks for the token."""

import hashlib
import json
import os
import time

import preopen

credentials = preopen.Samco(api_key=os.environ["SAMCO_API_KEY"], api_secret=os.environ["SAMCO_API_SECRET"])
session = preopen.Session(credentials, base_url=os.environ["HERD_URL"], store=os.environ["HERD_STORE"])
os.write(1, b"ready\n")
os.read(0, 1)
began = time.monotonic()
token = session.token()
waited = round((time.monotonic() - began) * 1000)
digest = hashlib.sha256(token.expose().encode()).hexdigest()
told = {"digest": digest, "generation": token.generation, "waited": waited}
os.write(1, f"{json.dumps(told)}\n".encode())
