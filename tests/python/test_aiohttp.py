"""`preopen.aiohttp`: the rules of every drop-in, and what only aiohttp has."""

import asyncio
import pickle

import aiohttp
import pytest
import wire
from conftest import QUOTE, READ, ROOT, logins, until
from pages import stand_in
from renderings import assert_no_secret

import preopen
from preopen.aiohttp import middleware

if hasattr(aiohttp, "ClientMiddlewareType"):
    from dropins import *  # noqa: F403 - the tests there run here
    from dropins import ENDED, AsyncDriver, Reply, plain_traceback

    class Aiohttp(AsyncDriver):
        follows = False

        async def sends(self, session, method, url, *, follow=False, content=None, **options):
            own = middleware(session)
            # Redirects are followed unless a caller says otherwise.
            client = aiohttp.ClientSession(middlewares=[own])
            async with client, client.request(method, url, data=content, **options) as reply:
                return Reply(reply.status, await reply.text(), own.error(reply))

    @pytest.fixture
    def client():
        driver = Aiohttp()
        yield driver
        driver.loop.close()

    def test_a_client_with_a_base_url_and_a_middleware_of_one_request(sandbox):
        async def story():
            session = sandbox.async_session("samco")
            await session.token()
            sandbox.fault("samco", READ["samco"], **ENDED["samco"])
            async with aiohttp.ClientSession(session.base_url) as client:
                own = [middleware(session)]
                async with client.get(READ["samco"], params=QUOTE, middlewares=own) as reply:
                    assert (await reply.json())["status"] == "Success"

        asyncio.run(story())
        assert logins(sandbox) == 2

    def test_cancelling_a_request_leaves_the_login_alone(sandbox):
        async def story():
            session = sandbox.async_session("samco")
            sandbox.fault("samco", "/session/token", delay_ms=300)
            async with aiohttp.ClientSession(session.base_url, middlewares=[middleware(session)]) as client:
                call = asyncio.ensure_future(client.get(READ["samco"], params=QUOTE))
                while session.state().name != "opening":
                    await asyncio.sleep(0)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                async with client.get(READ["samco"], params=QUOTE) as reply:
                    assert reply.status == 200

        asyncio.run(story())
        until(lambda: logins(sandbox) == 1)
        assert sandbox.requests("samco", READ["samco"]).count == 1

    def test_only_an_async_session_will_do(sandbox):
        for wrong in (sandbox.session("samco"), "CANARY-token"):
            with pytest.raises(preopen.InvalidInputError, match=r"must be a preopen\.AsyncSession") as caught:
                middleware(wrong)
            assert caught.value.field == "session"

    def test_an_error_of_preopen_is_one_of_aiohttp_too_and_can_be_pickled(sandbox):
        driver = Aiohttp()
        credentials = preopen.Samco(api_key=sandbox.accounts[0]["api_key"], api_secret="wrong-secret")
        session = sandbox.async_session("samco", credentials=credentials)
        with pytest.raises(preopen.CredentialsRejectedError) as caught:
            driver.send(session, "GET", session.base_url + READ["samco"])
        driver.loop.close()
        error = caught.value
        assert isinstance(error, aiohttp.ClientError)
        assert isinstance(error, PermissionError)
        assert repr(error).startswith("CredentialsRejectedError(")
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is preopen.CredentialsRejectedError
        assert (str(again), again.which, again.http_status) == (str(error), "api_secret", error.http_status)

    def test_the_page_s_block_runs(sandbox, monkeypatch, capsys, tmp_path):
        page = (ROOT / "docs" / "drop-ins.md").read_text(encoding="utf-8")
        mark = "<!-- tests/python/test_aiohttp.py runs this block -->\n```python\n"
        (block,) = (one.split("```")[0] for one in page.split(mark)[1:])
        names = {}
        with stand_in(sandbox, monkeypatch, tmp_path):
            exec(compile(block, "drop-ins.md", "exec"), names)
            asyncio.run(names["main"]())
        assert capsys.readouterr().out == "Success\n"

    def test_no_secret_shows(sandbox):
        async def story():
            session = sandbox.async_session("samco")
            token = (await session.token()).expose()
            own = middleware(session)
            assert_no_secret(own, [token, sandbox.accounts[0]["api_secret"]])
            with wire.serving(wire.broker()) as server:
                dead = preopen.AsyncSession(sandbox.samco_credentials(), base_url=server.url)
                await dead.token()
                server.shutdown()
                server.server_close()
                async with aiohttp.ClientSession(middlewares=[middleware(dead)]) as client:
                    with pytest.raises(aiohttp.ClientError) as caught:
                        await client.get(server.url + "/x")
                assert wire.TOKEN not in plain_traceback(caught.value)
            url = session.base_url + READ["samco"]
            sandbox.fault("samco", READ["samco"], status=400, body={"status": "Failure"})
            async with aiohttp.ClientSession(middlewares=[own], raise_for_status=True) as client:
                with pytest.raises(aiohttp.ClientResponseError) as refused:
                    await client.get(url)
            # It holds the headers of the request.
            assert token not in repr(refused.value) + plain_traceback(refused.value)

        asyncio.run(story())

else:

    def test_an_older_aiohttp_is_told_what_to_do(sandbox):
        session = sandbox.async_session("samco")
        with pytest.raises(preopen.InvalidInputError, match=r"3\.12 on") as caught:
            middleware(session)
        assert caught.value.field == "aiohttp"
        assert_no_secret(caught.value, [sandbox.accounts[0]["api_secret"]])

        async def story():
            async with aiohttp.ClientSession() as client:
                url = session.base_url + READ["samco"]
                options = {"params": QUOTE, "headers": await session.headers(), "allow_redirects": False}
                async with client.get(url, **options) as reply:
                    assert (await reply.json())["status"] == "Success"

        asyncio.run(story())
        until(lambda: logins(sandbox) == 1)
        with wire.serving(wire.broker()) as server:
            assert server.seen == []
