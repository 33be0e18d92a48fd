"""A strategy under `preopen run samco -- python run_child.py`: it reads its session from the endpoint that
`preopen run` opens, with the standard library alone. No secret is in its environment, and after the daily end
it finds the new token."""

import json
import os
import urllib.error
import urllib.request

# The endpoint is on this machine: no proxy may see it.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def session(after=None):
    """The live session: broker, token, headers, generation, expires_at.

    `after` is a generation whose token the broker refused: the answer is a newer one.
    """
    with open(os.environ["PREOPEN_CREDENTIALS_AUTH_FILE"], encoding="ascii") as file:
        name, value = file.read().strip().split(": ", 1)
    url = os.environ["PREOPEN_CREDENTIALS_URL"] + (f"?after={after}" if after else "")
    try:
        with DIRECT.open(urllib.request.Request(url, headers={name: value}), timeout=90) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        # 503: worth another try after Retry-After seconds; 502: a person must act. Nothing in it is secret.
        raise RuntimeError(json.load(error)["error"]["message"]) from None


def main():
    now = session()  # ask again before every call: the answer is always of the live session
    print(f"{now['broker']} {now['environment']}: login {now['generation']}, until {now['expires_at']}")
    print("headers:", ", ".join(now["headers"]))


if __name__ == "__main__":
    main()
