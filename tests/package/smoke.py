"""The shortest honest use of an installed ``preopen[sandbox]``: login, call, the broker's logout, new login.

It needs nothing but the two wheels: neither pytest nor a path to the command.
"""

import os
import sys

from preopen import Session, __version__
from preopen.sandbox import Sandbox

os.environ.pop("PREOPEN_BIN", None)
os.environ["PATH"] = ""
with Sandbox() as broker:
    session = broker.session("samco")
    assert isinstance(session, Session)
    first = session.token()
    assert session.whoami().verdict == "match", session.whoami()
    broker.clock.advance_to("08:00 IST")
    session.get("/quote/getQuote", params={"symbolName": "INFY", "exchange": "NSE"})
    assert session.token().generation == first.generation + 1
    assert broker.requests("samco", "/session/token").count == 2
print("preopen", __version__, "on Python", ".".join(map(str, sys.version_info[:3])), sys.platform)
