"""Goes one path of the package so often: python client.py PATH TIMES, settings in PREOPEN_INSTRUCTIONS."""

import itertools
import sys

PATH, TIMES = sys.argv[1], int(sys.argv[2])


def made(kind):
    """A session of a class of the package."""
    import json
    import os

    import preopen

    settings = json.loads(os.environ["PREOPEN_INSTRUCTIONS"])
    credentials = preopen.Samco(api_key=settings["api_key"], api_secret=settings["api_secret"])
    return getattr(preopen, kind)(credentials, base_url=settings["url"])


def live():
    """A session that has logged in."""
    session = made("Session")
    session.token()
    return session


def check(token):
    # One that was renewed meanwhile went another path.
    if token.generation != 1:
        raise SystemExit("the session was renewed meanwhile")


def repeat(session, method):
    for _ in itertools.repeat(None, TIMES):
        method()
    check(session.token())


def quote(session):
    return session.get("/quote/getQuote", params={"symbolName": "INFY", "exchange": "NSE"})


def look(reply):
    if reply.data["quoteDetails"]["symbolName"] != "INFY":
        raise SystemExit("wrong payload")


async def get_by_asyncio():
    session = made("AsyncSession")
    await session.token()
    for _ in itertools.repeat(None, TIMES):
        look(await quote(session))
    check(await session.token())
    await session.close()


if PATH == "import":
    # Not at all, or once.
    if TIMES:
        import preopen  # noqa: F401
elif PATH == "token":
    session = live()
    repeat(session, session.token)
elif PATH == "headers":
    session = live()
    repeat(session, session.headers)
elif PATH == "get":
    session = live()
    repeat(session, lambda: look(quote(session)))
elif PATH == "async-get":
    import asyncio

    asyncio.run(get_by_asyncio())
else:
    raise SystemExit(f"no path {PATH}")
