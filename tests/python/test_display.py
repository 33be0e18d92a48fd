"""What notebooks show: small tables that nothing in a broker's text can break out of, that send nothing, and
that look right on any background. IPython itself is in tests/python-frameworks."""

import html.parser
import re
from datetime import datetime, timezone

import pytest
from conftest import LOGIN, READ

import preopen

HOSTILE = "<script>alert('x')</script>&lt;\"quoted\" \u202etxt.exe\x1b[31m\x00\n<img src=x onerror=y>"


class Table(html.parser.HTMLParser):
    """Reads a table, and refuses whatever it should not hold."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.rows, self.cell = [], [], None
        self.feed(text)
        self.close()
        assert self.open == [], text

    def handle_starttag(self, tag, attributes):
        assert tag in ("table", "caption", "b", "tbody", "tr", "th", "td", "br"), tag
        for name, value in attributes:
            assert name in ("style", "scope"), name
            # Colours of its own would be unreadable in one of the themes.
            assert set(re.findall(r"([a-z-]+):", value)) <= {"text-align", "caption-side"}
        if tag == "br":
            self.cell += "\n"
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.cell = ""

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag in ("th", "td"):
            self.rows[-1].append(self.cell)
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data

    def handle_comment(self, data):
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def shown(thing):
    return dict(Table(thing._repr_html_()).rows)


def test_a_session_shows_what_it_is_and_asks_nobody(sandbox):
    session = sandbox.session("samco")
    assert shown(session) == {
        "broker": "samco",
        "environment": "sandbox",
        "state": "signed_out",
        "generation": "0",
        "reason": "the next call logs in",
    }
    assert sandbox.requests().count == 0
    session.token()
    found = shown(session)
    assert (found["state"], found["generation"]) == ("active", "1")
    assert found["expires_at"].endswith(" IST")
    assert shown(sandbox.async_session("samco"))["state"] == "signed_out"
    assert sandbox.requests().count == 1


@pytest.mark.parametrize("kind", [preopen.Session, preopen.AsyncSession])
def test_a_session_that_was_never_made_can_be_shown(kind):
    assert kind.__new__(kind)._repr_html_().count(f"{kind.__name__}(not made)") == 1


def test_what_a_session_returns(sandbox):
    session = sandbox.session("samco")
    token = session.token().expose()
    state = shown(session.state())
    assert state["name"] == "active"
    assert re.search(
        r"^\d{4}-\d\d-\d\d 08:00:00 IST: daily_boundary$", state["expiry_evidence"], re.MULTILINE
    )
    assert shown(session.whoami())["verdict"] == "match"
    checks = shown(session.preflight())["checks"].splitlines()
    assert len(checks) == 7
    assert checks[0].startswith("pass session: live until ")
    reply = session.get(READ["samco"], params={"symbolName": "INFY", "exchange": "NSE"})
    assert re.fullmatch(r"<dict of \d+>", shown(reply)["data"])
    for thing in (session, session.state(), reply):
        assert token not in thing._repr_html_()


def test_times_are_indian():
    event = preopen.SessionEvent(
        name="expired",
        at=datetime(2026, 11, 24, 2, 30, tzinfo=timezone.utc),
        generation=1,
        expires_at=None,
        error=None,
        missed=0,
        reason="",
    )
    assert shown(event) == {
        "at": "2026-11-24 08:00:00 IST",
        "generation": "1",
        "missed": "0",
        "name": "expired",
    }


def who(message):
    return preopen.WhoAmI(
        message=message, primary_ip=None, secondary_ip=None, source_ip=None, matched_as=None, verdict="match"
    )


def test_a_brokers_text_is_text():
    for thing in (who(HOSTILE), preopen.Logout(acknowledged=True, error=None, message=HOSTILE)):
        text = shown(thing)["message"]
        assert text == (
            "<script>alert('x')</script>&lt;\"quoted\" \\u202etxt.exe\\x1b[31m\\x00\\n<img src=x onerror=y>"
        )
    rejection = preopen.Rejection(at="/orders/0", order_id=None, reason=HOSTILE)
    check = preopen.Check(error=None, fix=HOSTILE, message=HOSTILE, name="network", status="fail")
    for thing in (rejection, check):
        Table(thing._repr_html_())
    assert shown(who("x" * 10_000))["message"] == "x" * 300 + "…"


def test_a_brokers_text_in_a_real_reply_is_text(sandbox):
    session = sandbox.session("samco")
    body = {"status": "Success", "statusMessage": HOSTILE, "validationErrors": [HOSTILE] * 30}
    sandbox.fault("samco", "/limit/getLimits", status=200, body=body)
    reply = session.get("/limit/getLimits")
    assert "<script>" in reply.message
    assert "<script>" not in reply._repr_html_()
    Table(reply._repr_html_())
    sandbox.fault("samco", LOGIN["samco"], status=401, body={"status": "Failure", "statusMessage": HOSTILE})
    blocked = sandbox.session("samco")
    with pytest.raises(preopen.PreopenError):
        blocked.token()
    Table(blocked._repr_html_())
    Table(blocked.state()._repr_html_())


def test_long_lists_are_cut():
    profile = preopen.Profile(
        account_id="A", name=None, exchanges=[str(n) for n in range(50)], products=[], order_types=[]
    )
    lines = shown(profile)["exchanges"].splitlines()
    assert (len(lines), lines[-1]) == (21, "and 30 more")
    assert "name" not in shown(profile)
