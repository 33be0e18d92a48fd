"""`preopen.requests`: the rules of every drop-in, and what only requests has."""

import copy
import pickle
import traceback

import pytest
import requests
import wire
from conftest import QUOTE, READ, logins
from dropins import *  # noqa: F403 - the tests there run here
from dropins import ENDED, Driver, Reply, end_elsewhere, plain_traceback
from renderings import assert_no_secret

import preopen
from preopen.requests import Auth


class Requests(Driver):
    follows = False

    def send(self, session, method, url, *, follow=False, content=None, headers=None, **options):
        auth = Auth(session)
        # Redirects are followed unless a caller says otherwise.
        reply = requests.request(method, url, auth=auth, data=content, headers=headers, timeout=10, **options)
        return Reply(reply.status_code, reply.text, auth.error(reply))


@pytest.fixture
def client():
    return Requests()


def test_a_session_with_an_adapter_that_retries_and_hooks_of_its_own(sandbox):
    session = sandbox.session("samco")
    seen = []
    with requests.Session() as client:
        client.auth = Auth(session)
        client.mount("http://", requests.adapters.HTTPAdapter(max_retries=2, pool_maxsize=4))
        client.hooks["response"].append(lambda reply, *_, **__: seen.append(reply.status_code))
        client.headers["x-mine"] = "1"
        session.token()
        sandbox.fault("samco", READ["samco"], **ENDED["samco"])
        reply = client.get(session.base_url + READ["samco"], params=QUOTE, stream=True)
        assert reply.json()["status"] == "Success"
        # A hook of the caller's sees the reply that the caller sees.
        assert seen == [200]
        assert [one.status_code for one in reply.history] == [401]
        assert reply.request.headers["x-mine"] == "1"
        assert len({one.request.headers["x-session-token"] for one in [reply, *reply.history]}) == 2
    assert logins(sandbox) == 2


def test_a_proxy_gets_the_request(sandbox):
    session = sandbox.session("samco")
    with wire.serving(wire.broker()) as server, requests.Session() as client:
        client.auth, client.proxies = Auth(session), {"http": server.url}
        url = session.base_url + READ["samco"]
        assert client.get(url, params=QUOTE, timeout=10).status_code == 200
        assert server.seen == [url]
        assert server.headers[-1]["x-session-token"] == session.token().expose()


def test_a_file_as_body_is_not_sent_again(sandbox, tmp_path):
    session = sandbox.session("samco")
    session.token()
    path = tmp_path / "body.json"
    path.write_text("{}")
    sandbox.fault("samco", "/quote/multiQuote", **ENDED["samco"])
    with path.open("rb") as body:
        reply = requests.post(
            session.base_url + "/quote/multiQuote", data=body, auth=Auth(session), timeout=10
        )
    assert reply.status_code == 401


def test_only_a_blocking_session_will_do(sandbox):
    for wrong in (sandbox.async_session("samco"), "CANARY-token", None):
        with pytest.raises(preopen.InvalidInputError, match=r"must be a preopen\.Session") as caught:
            Auth(wrong)
        assert caught.value.field == "session"
        assert "CANARY" not in traceback.format_exc()


def test_no_secret_shows(sandbox):
    session = sandbox.session("samco")
    token = session.token().expose()
    secrets = [token, sandbox.accounts[0]["api_secret"]]
    auth = Auth(session)
    assert_no_secret(auth, secrets)
    reply = requests.get(session.base_url + READ["samco"], params=QUOTE, auth=auth, timeout=10)
    assert token not in repr(reply.request.headers) + repr(vars(reply.request)) + repr(reply)
    with pytest.raises(requests.ConnectionError) as caught, wire.serving(wire.broker()) as server:
        dead = preopen.Session(sandbox.samco_credentials(), base_url=server.url)
        dead.token()
        server.shutdown()
        server.server_close()
        requests.get(server.url + "/x", auth=Auth(dead), timeout=10)
    assert wire.TOKEN not in repr(vars(caught.value.request)) + plain_traceback(caught.value)


def test_a_reply_can_be_pickled_and_copied_without_the_token(sandbox):
    session = sandbox.session("samco")
    token = session.token().expose()
    sandbox.fault("samco", READ["samco"], **ENDED["samco"])
    reply = requests.get(session.base_url + READ["samco"], params=QUOTE, auth=Auth(session), timeout=10)
    now = session.token().expose()
    stored = pickle.dumps(reply) + pickle.dumps(reply.request.headers) + pickle.dumps(reply.history)
    assert token.encode() not in stored
    assert now.encode() not in stored
    for again in (pickle.loads(pickle.dumps(reply)), copy.deepcopy(reply)):
        assert again.json() == reply.json()
        assert again.request.headers["x-session-token"] == "**redacted**"
        # Its hooks are called when somebody sends it again.
        (hook,) = again.request.hooks["response"]
        assert hook(again, timeout=1) is again
    # The one that was sent is as it was.
    assert reply.request.headers["x-session-token"] == now


def test_a_stream_is_not_waited_for(sandbox):
    session = sandbox.session("samco")
    session.token()
    url = session.base_url + READ["samco"]
    # Half of the body comes, and then nothing.
    sandbox.fault("samco", READ["samco"], stall=True)
    with requests.get(url, params=QUOTE, auth=Auth(session), stream=True, timeout=2) as reply:
        assert reply.status_code == 200
    # What breaks off is its reader's to find out.
    sandbox.fault("samco", READ["samco"], status=401, body_kind="truncated")
    with requests.get(url, params=QUOTE, auth=Auth(session), stream=True, timeout=10) as reply:
        assert reply.status_code == 401
    sandbox.fault("samco", READ["samco"], status=401, body_kind="large", size=400_000)
    with requests.get(url, params=QUOTE, auth=Auth(session), stream=True, timeout=10) as reply:
        assert reply.status_code == 401
        assert len(reply.content) >= 400_000


def test_a_herd_on_one_client_of_threads(sandbox):
    import threading

    session = sandbox.session("samco")
    session.token()
    end_elsewhere(sandbox, session, lambda call: call())
    client = requests.Session()
    client.auth = Auth(session)
    barrier, found = threading.Barrier(8), []

    def one():
        barrier.wait()
        found.append(client.get(session.base_url + READ["samco"], params=QUOTE, timeout=10).status_code)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 8
    assert logins(sandbox) == 2
