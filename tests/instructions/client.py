"""Goes one path of the package so often: python client.py PATH TIMES, settings in PREOPEN_INSTRUCTIONS."""

import itertools
import sys

PATH, TIMES = sys.argv[1], int(sys.argv[2])


def live():
    """A session that has logged in."""
    import json
    import os

    import preopen

    settings = json.loads(os.environ["PREOPEN_INSTRUCTIONS"])
    credentials = preopen.Samco(api_key=settings["api_key"], api_secret=settings["api_secret"])
    session = preopen.Session(credentials, base_url=settings["url"])
    session.token()
    return session


def repeat(session, method):
    for _ in itertools.repeat(None, TIMES):
        method()
    # One that was renewed meanwhile went another path.
    if session.token().generation != 1:
        raise SystemExit("the session was renewed meanwhile")


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
else:
    raise SystemExit(f"no path {PATH}")
