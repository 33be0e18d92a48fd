"""`preopen.httpx`: the rules of every drop-in with a blocking and an asynchronous client, and what only httpx
has."""

import copy
import pickle
import ssl

import httpx
import pytest
import wire
from conftest import QUOTE, READ, logins
from dropins import *  # noqa: F403 - the tests there run here
from dropins import ENDED, AsyncDriver, Driver, Reply, plain_traceback
from renderings import assert_no_secret

import preopen
from preopen.httpx import Auth

#: Made once: it takes longer than a request.
TLS = ssl.create_default_context()


class Blocking(Driver):
    follows = True

    def send(self, session, method, url, *, follow=False, **options):
        auth = Auth(session)
        with httpx.Client(auth=auth, follow_redirects=follow, timeout=10, verify=TLS) as client:
            reply = client.request(method, url, **options)
        return Reply(reply.status_code, reply.text, auth.error(reply))


class Asynchronous(AsyncDriver):
    follows = True

    async def sends(self, session, method, url, *, follow=False, **options):
        auth = Auth(session)
        async with httpx.AsyncClient(auth=auth, follow_redirects=follow, timeout=10, verify=TLS) as client:
            reply = await client.request(method, url, **options)
        return Reply(reply.status_code, reply.text, auth.error(reply))


@pytest.fixture(params=[Blocking, Asynchronous])
def client(request):
    driver = request.param()
    yield driver
    if isinstance(driver, AsyncDriver):
        driver.loop.close()


def test_a_client_with_a_base_url_hooks_and_history(sandbox):
    session = sandbox.session("samco")
    session.token()
    shown = []
    hooks = {"request": [lambda request: shown.append(dict(request.headers))]}
    with httpx.Client(base_url=session.base_url, auth=Auth(session), event_hooks=hooks) as client:
        sandbox.fault("samco", READ["samco"], **ENDED["samco"])
        reply = client.get(READ["samco"], params=QUOTE)
        assert reply.json()["status"] == "Success"
        assert [one.status_code for one in reply.history] == [401]
    # What is sent is not what is shown.
    assert len(shown) == 2
    assert all("x-session-token" not in headers for headers in shown)
    assert logins(sandbox) == 2


def test_a_stream_of_something_else_is_not_read(sandbox):
    with wire.serving(lambda path: _file() if path == "/file" else wire.broker()(path)) as server:
        session = preopen.Session(sandbox.samco_credentials(), base_url=server.url)
        with httpx.Client(auth=Auth(session)) as client, client.stream("GET", server.url + "/file") as reply:
            assert not reply.is_stream_consumed
            assert reply.read() == b"a,b\n"


def _file():
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ncontent-length: 4\r\n\r\na,b\n", False


def test_a_blocking_client_wants_a_session_and_an_asynchronous_one_an_async_session(sandbox):
    with httpx.Client(auth=Auth(sandbox.async_session("samco"))) as client:
        with pytest.raises(preopen.InvalidInputError, match=r"preopen\.Session") as caught:
            client.get(sandbox.samco_url + READ["samco"])
        assert caught.value.field == "session"
    driver = Asynchronous()
    with pytest.raises(preopen.InvalidInputError, match=r"preopen\.AsyncSession"):
        driver.send(sandbox.session("samco"), "GET", sandbox.samco_url + READ["samco"])
    driver.loop.close()
    with pytest.raises(preopen.InvalidInputError):
        Auth("CANARY-token")
    assert sandbox.requests().count == 0


def test_no_secret_shows(sandbox):
    session = sandbox.session("samco")
    token = session.token().expose()
    auth = Auth(session)
    assert_no_secret(auth, [token, sandbox.accounts[0]["api_secret"]])
    with httpx.Client(auth=auth) as client:
        reply = client.get(session.base_url + READ["samco"], params=QUOTE)
    shown = repr(reply.request.headers) + repr(vars(reply.request)) + repr(dict(reply.request.headers))
    assert token not in shown
    with pytest.raises(httpx.TransportError) as caught, wire.serving(wire.broker()) as server:
        dead = preopen.Session(sandbox.samco_credentials(), base_url=server.url)
        dead.token()
        server.shutdown()
        server.server_close()
        with httpx.Client(auth=Auth(dead)) as client:
            client.get(server.url + "/x")
    assert wire.TOKEN not in repr(vars(caught.value.request)) + plain_traceback(caught.value)


def test_a_reply_can_be_pickled_and_copied_without_the_token(sandbox):
    session = sandbox.session("samco")
    token = session.token().expose()
    with httpx.Client(auth=Auth(session), verify=TLS, headers={"x-mine": "1"}) as client:
        reply = client.get(session.base_url + READ["samco"], params=QUOTE)
    assert token.encode() in dict(reply.request.headers.raw)[b"x-session-token"]
    assert token.encode() not in pickle.dumps(reply) + pickle.dumps(reply.request)
    for again in (copy.deepcopy(reply.request.headers), pickle.loads(pickle.dumps(reply)).request.headers):
        assert token not in repr(again.raw)
        assert again == reply.request.headers
        assert again["x-mine"] == "1"


def test_an_httpx_whose_copies_would_have_the_token_is_refused(sandbox, monkeypatch):
    plain = httpx.Headers.__init__

    def copies_everything(self, headers=None, encoding=None):
        plain(self, list(headers.raw) if isinstance(headers, httpx.Headers) else headers, encoding)

    monkeypatch.setattr(httpx.Headers, "__init__", copies_everything)
    with pytest.raises(preopen.InternalError, match=httpx.__version__):
        Auth(sandbox.session("samco"))
