"""A real kernel of Jupyter, whose event loop runs already: cells with both kinds of session, what they show,
and the stop button."""

import contextlib
import queue
import time

import pytest
from conftest import LOGIN, READ, account, logins, until
from jupyter_client.manager import start_new_kernel

SESSIONS = """
import preopen
samco = preopen.Samco(api_key={key!r}, api_secret={secret!r})
session = preopen.Session(samco, base_url={url!r}, timeout=30)
later = preopen.AsyncSession(samco, base_url={url!r})
"""


class Notebook:
    """Runs cells one after another, as a person does."""

    def __init__(self, client):
        self.client = client

    def start(self, code):
        self.sent = self.client.execute(code)

    def result(self, seconds=40):
        """What the cell showed: its data by MIME type, and its error as name and text."""
        shown, error, end = {}, None, time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(queue.Empty):
                message = self.client.get_iopub_msg(timeout=1)
                if message["parent_header"].get("msg_id") != self.sent:
                    continue
                kind, content = message["msg_type"], message["content"]
                if kind in ("execute_result", "display_data"):
                    shown = content["data"]
                elif kind == "error":
                    error = (content["ename"], content["evalue"])
                elif kind == "status" and content["execution_state"] == "idle":
                    return shown, error
        raise AssertionError("the cell did not end")

    def run(self, code):
        self.start(code)
        shown, error = self.result()
        assert error is None, error
        return shown


@pytest.fixture(scope="module")
def kernel():
    manager, client = start_new_kernel(startup_timeout=60)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel()
    # It ended by itself: nothing of Preopen held it up.
    assert not manager.is_alive()


@pytest.fixture
def notebook(kernel, broker):
    notebook = Notebook(kernel[1])
    url, key, secret = account(broker)
    notebook.run(SESSIONS.format(url=url, key=key, secret=secret))
    notebook.secret = secret
    return notebook


def test_both_kinds_of_session_in_cells(notebook, broker):
    # Without a store each session is its own: that must not end the other one's.
    broker.switch(samco_second_login_revokes_first=False)
    assert notebook.run("session.token().generation") == {"text/plain": "1"}
    assert notebook.run("(await later.token()).generation")["text/plain"] == "1"
    notebook.run(f"reply = await later.get({READ!r}, params={{'symbolName': 'INFY', 'exchange': 'NSE'}})")
    assert notebook.run("reply.http_status, session.get('/limit/getLimits').http_status")["text/plain"] == (
        "(200, 200)"
    )
    # Tasks of one cell go on in the next.
    notebook.run("events = later.events(); import asyncio; first = asyncio.ensure_future(anext(events))")
    notebook.run("later.invalidate(1)")
    assert notebook.run("(await first).name")["text/plain"] == "'expired'"
    # A secret that is awaited, for a session that blocks the loop's thread.
    notebook.run("""
async def secret():
    await asyncio.sleep(0)
    return samco_secret
""")
    notebook.run(f"samco_secret = {notebook.secret!r}")
    url, key, _ = account(broker)
    made = f"preopen.Session(preopen.Samco(api_key={key!r}, api_secret=secret), base_url={url!r})"
    assert notebook.run(f"{made}.token().generation")["text/plain"] == "1"
    assert logins(broker) == 3


def test_what_cells_show(notebook):
    shown = notebook.run("session")
    assert shown["text/plain"] == "Session(samco, sandbox, signed_out)"
    assert shown["text/html"].startswith("<table")
    notebook.run("token = session.token()")
    shown = notebook.run("token")
    assert shown["text/plain"].startswith("Token(**redacted**")
    shown = notebook.run("session.state()")
    assert shown["text/html"].count("<tr>") >= 7
    lines = shown["text/plain"].splitlines()
    # Too long for one line: a field a line.
    assert lines[0] == "SessionState("
    assert "    name='active'," in lines
    assert notebook.run("preopen.Rejection(at='', order_id=None, reason='no')")["text/plain"] == (
        "Rejection(at='', order_id=None, reason='no')"
    )
    exposed = notebook.run("token.expose()")["text/plain"].strip("'")
    for thing in ("session", "session.state()", "token", "session.headers", "later", "session.preflight()"):
        for text in notebook.run(thing).values():
            assert exposed not in text
            assert notebook.secret not in text


def test_the_stop_button_ends_a_blocked_cell_and_the_login_lives_on(kernel, notebook, broker):
    broker.fault("samco", LOGIN, delay_ms=2500)
    notebook.start("session.token()")
    until(lambda: logins(broker) == 1)
    kernel[0].interrupt_kernel()
    assert notebook.result()[1][0] == "KeyboardInterrupt"
    assert notebook.run("session.token().generation")["text/plain"] == "1"
    assert logins(broker) == 1
