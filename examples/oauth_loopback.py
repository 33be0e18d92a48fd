"""Samco's OAuth login on this machine: the broker's page is opened in a browser, and the answer received on
127.0.0.1. For up to 7 days nobody is asked again, since the session is kept in a file.

    SAMCO_API_KEY=... SAMCO_REDIRECT_URL=http://127.0.0.1:8765/callback python examples/oauth_loopback.py

On a host without a browser add ``--paste``: it prints the page's address for a browser elsewhere, and asks
for the address that the browser ended on. That browser shows an error then, since nobody listens there.
"""

import sys

import preopen


def with_browser(session, open_browser=True):
    """Logs in with a browser of this machine, or one that somebody opens."""
    session.login(open_browser=open_browser, show=lambda start: print("log in at", start.url))


def with_paste(session, ask=input):
    """Logs in with a browser elsewhere."""
    start = session.begin_login()
    print(f"until {start.expires_at:%H:%M} UTC, log in at", start.url)
    session.complete_login(ask("the address that the browser ended on: "))


def ensure(session, log_in):
    """A live token; asks a person for a login only where nothing else helps."""
    try:
        return session.token()
    except preopen.LoginRequiredError as error:
        print(f"a person is needed ({error.reason})")
    log_in(session)
    return session.token()


def main(*arguments):
    with preopen.Session(preopen.SamcoOAuth.from_env(), store="file") as session:
        token = ensure(session, with_paste if "--paste" in arguments else with_browser)
        print("logged in until", token.expires_at.isoformat())
        print(session.whoami().message)


if __name__ == "__main__":
    main(*sys.argv[1:])
