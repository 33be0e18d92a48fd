"""Samco's deprecated login and calls, for those who have not moved yet. Each warns with `DeprecationWarning`
that names what replaces it; the login is replaced by `preopen.Samco` with an app's key and secret.

    export SAMCO_USER_ID=... SAMCO_PASSWORD=... SAMCO_SECRET_API_KEY=...
    python examples/samco_legacy.py                                # logs in
    python examples/samco_legacy.py key                            # has the secret API key mailed
    python examples/samco_legacy.py ips 198.51.100.7 198.51.100.8  # changes the registered addresses
"""

import getpass
import sys

import preopen


def log_in(session):
    """Two requests at the broker, once for all callers."""
    return session.token()


def mail_key(session, ask=getpass.getpass):
    """Has a one-time code sent, and with it the secret API key mailed."""
    calls = session.samco_legacy()
    print(calls.generate_otp().message)
    print(calls.generate_secret_key(ask("the code from the mail or SMS: ")).message)


def change_ips(session, primary, secondary=None):
    """Changes the registered addresses, once in seven days. The addresses are checked before it is sent."""
    print(session.samco_legacy().update_ips(primary, secondary).message)


def main(*arguments):
    with preopen.Session(preopen.SamcoLegacy.from_env()) as session:
        if arguments[:1] == ("key",):
            mail_key(session)
        elif arguments[:1] == ("ips",):
            change_ips(session, *arguments[1:])
        else:
            print("logged in until", log_in(session).expires_at.isoformat())


if __name__ == "__main__":
    main(*sys.argv[1:])
