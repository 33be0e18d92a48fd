"""What goes wrong at a login beyond the rows of tests/faults/matrix.json: no login more than needed, and
nothing shown of what a broker repeats."""

import pytest
from conftest import LOGIN, logins
from renderings import assert_no_secret

import preopen

SECRET = "CANARY-secret-of-the-app-that-must-not-show"
PIN = "90817263544455667788"
TOTP = "CANARYCANARYCANARYCANARYCANARYCA"
SECRETS = ["CANARY-key", SECRET, PIN, TOTP]


def fails(session, kind, **fields):
    """The login fails with this error, which shows no secret."""
    with pytest.raises(preopen.PreopenError) as caught:
        session.token()
    error = caught.value
    assert type(error) is kind
    for name, value in fields.items():
        assert getattr(error, name) == value, name
    assert_no_secret(error, SECRETS)
    assert_no_secret(session.state(), SECRETS)
    return error


def wrong(sandbox, broker, **changes):
    account = next(one for one in sandbox.accounts if one["broker"] == broker)
    if broker == "samco":
        return preopen.Samco(**{name: {**account, **changes}[name] for name in ("api_key", "api_secret")})
    names = ("api_key", "client_code", "pin", "totp_secret")
    return preopen.AngelOne(**{name: {**account, **changes}[name] for name in names})


def test_a_read_that_is_refused_twice_leaves_the_new_session_active(sandbox):
    refused = {"status": "Failure", "statusMessage": "Unauthorized - Invalid token. sessId missing."}
    session = sandbox.session("samco")
    session.token()
    sandbox.fault("samco", "/limit/getLimits", status=401, body=refused, times=2)
    with pytest.raises(preopen.SessionExpiredError) as caught:
        session.get("/limit/getLimits")
    assert caught.value.advice == "after"
    assert caught.value.advice_seconds > 0
    assert (session.state().name, session.state().generation, logins(sandbox)) == ("active", 2, 2)
    assert session.get("/limit/getLimits").http_status == 200


def test_a_wrong_secret_costs_one_login(sandbox):
    session = sandbox.session("samco", credentials=wrong(sandbox, "samco", api_secret=SECRET))
    for _ in range(5):
        fails(session, preopen.CredentialsRejectedError, which="api_secret", advice="never", http_status=401)
    assert session.state().name == "blocked"
    assert type(session.state().blocked_by) is preopen.CredentialsRejectedError
    for call in (session.headers, session.whoami, session.profile, lambda: session.get("/limit/getLimits")):
        with pytest.raises(preopen.CredentialsRejectedError):
            call()
    assert logins(sandbox) == 1
    session.reset()
    fails(session, preopen.CredentialsRejectedError)
    assert logins(sandbox) == 2


def test_a_wrong_pin_costs_one_login(sandbox):
    session = sandbox.session("angelone", credentials=wrong(sandbox, "angelone", pin=PIN))
    for _ in range(5):
        fails(session, preopen.CredentialsRejectedError, which="pin", advice="never", broker_code="AB1007")
    assert logins(sandbox, "angelone") == 1


def test_a_wrong_totp_secret_costs_one_more_try_in_the_next_step(sandbox):
    sandbox.clock.set_rate(200)
    session = sandbox.session("angelone", credentials=wrong(sandbox, "angelone", totp_secret=TOTP))
    for _ in range(5):
        fails(session, preopen.CredentialsRejectedError, which="totp", advice="never", broker_code="AB1050")
    assert logins(sandbox, "angelone") == 2


#: What a broker might repeat of a login.
ECHO = {"samco": f"CANARY-key {SECRET}", "angelone": f"CANARY-key {PIN} {TOTP}"}
#: Bodies that repeat it; the other rows of what can go wrong are in tests/faults/matrix.json.
BODIES = {
    "page": ("<html><title>Request Rejected</title>{}</html>", preopen.BrokerUnavailableError),
    "no JSON": ('{{"status":"Success","echo":"{}', preopen.MalformedResponseError),
    "text": ("you sent {}", preopen.BrokerUnavailableError),
}


@pytest.mark.parametrize("broker", ["samco", "angelone"])
@pytest.mark.parametrize("body", BODIES)
def test_what_a_broker_repeats_of_a_login_is_not_shown(sandbox, broker, body):
    """The credentials are made of canaries: the broker never looks at them."""
    credentials = (
        preopen.Samco(api_key="CANARY-key", api_secret=SECRET)
        if broker == "samco"
        else preopen.AngelOne(api_key="CANARY-key", client_code="A1", pin=PIN, totp_secret=TOTP)
    )
    text, kind = BODIES[body]
    sandbox.fault(broker, LOGIN[broker], status=200, body=text.format(ECHO[broker]))
    fails(sandbox.session(broker, credentials=credentials), kind, http_status=200)
