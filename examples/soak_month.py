"""Soaks a strategy: it lives through a month of market days on the embedded broker in a minute or so, with
the logout of every morning, outages, and an address that changes. The clock stands still and is moved from
one look of the strategy to the next, so that every run is the same.

    python examples/soak_month.py month

Scripts: ordinary-day, bad-day, month, or a TOML file of your own (docs/sandbox.md).
"""

import collections
import sys
from datetime import datetime, timedelta, timezone

import preopen
from preopen.sandbox import Sandbox

IST = timezone(timedelta(hours=5, minutes=30))


def strategy(session, now):
    """One look at the market: yours goes here."""
    session.get("/quote/getQuote", params={"symbolName": "INFY", "exchange": "NSE"})


def soak(script="month", minutes=5, strategy=strategy):
    """Calls the strategy every so many minutes, but not in the night. Returns how often it went well or
    failed with which error, and the number of logins."""
    seen = collections.Counter()
    with Sandbox(script=script, rate=0) as broker:
        ends_at = datetime.fromisoformat(broker.script()["ends_at"].replace("Z", "+00:00"))
        session = broker.session("samco")
        now = broker.clock.now()
        while now < ends_at:
            try:
                strategy(session, now)
                seen["ok"] += 1
            except preopen.PreopenError as error:
                seen[error.code] += 1
                print(now.astimezone(IST).strftime("%Y-%m-%d %H:%M IST"), error)
            if now.astimezone(IST).hour >= 16:
                now = broker.clock.advance_to("07:30 IST")
            else:
                now = broker.clock.advance(seconds=60 * minutes)
        logins = broker.requests("samco", "/session/token").count
    return seen, logins


if __name__ == "__main__":
    seen, logins = soak(*sys.argv[1:2])
    print(f"{logins} logins; {dict(seen)}")
