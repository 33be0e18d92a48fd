"""uvloop in place of asyncio's own event loop; and what only newer Pythons have of asyncio, on both."""

import asyncio

import pytest
import uvloop
from conftest import LOGIN, QUOTE, READ, logins, until

import preopen


def test_a_thousand_tasks_share_one_login(broker):
    session = broker.async_session("samco")

    async def main():
        assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")
        tokens = await asyncio.gather(*[session.token() for _ in range(1000)])
        assert (await session.get(READ, params=QUOTE)).http_status == 200
        return {token.generation for token in tokens}

    # Debug mode checks that the loop is called from its own thread only.
    assert uvloop.run(main(), debug=True) == {1}
    assert uvloop.run(main()) == {1}
    assert logins(broker) == 1


class WrongError(Exception):
    """What ends a group of tasks."""


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_giving_up_leaves_the_login_alive(broker, run):
    broker.fault("samco", LOGIN, delay_ms=1500)
    session = broker.async_session("samco")

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await session.token()
        # A task that fails has the others cancelled.
        with pytest.raises(ExceptionGroup) as caught:  # noqa: F821 - Python 3.11 has it
            async with asyncio.TaskGroup() as group:
                group.create_task(session.token())

                async def fails():
                    await asyncio.sleep(0.01)
                    raise WrongError

                group.create_task(fails())
        assert [type(one) for one in caught.value.exceptions] == [WrongError]
        assert session.state().name == "opening"
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(session.token()) for _ in range(3)]
        assert {task.result().generation for task in tasks} == {1}

    run(main())
    assert logins(broker) == 1


def test_events_and_secrets_that_are_awaited(broker):
    asked = []
    found = next(one for one in broker.accounts if one["broker"] == "samco")

    async def secret():
        asked.append(asyncio.get_running_loop())
        await asyncio.sleep(0)
        return found["api_secret"]

    async def main():
        credentials = preopen.Samco(api_key=found["api_key"], api_secret=secret)
        session = broker.async_session("samco", credentials=credentials)
        async with session, session.events() as events:
            first = asyncio.ensure_future(events.__anext__())
            await session.token()
            assert (await first).name == "renewed"
            session.invalidate(1)
            await session.token()
            assert [(await events.__anext__()).name for _ in range(2)] == ["expired", "renewed"]
        assert asked == [asyncio.get_running_loop()] * 2

    uvloop.run(main())


def test_a_loop_that_ends_with_calls_under_way(broker):
    broker.fault("samco", LOGIN, delay_ms=2000)
    session = broker.async_session("samco")

    async def main():
        tasks = [asyncio.ensure_future(session.token()) for _ in range(20)]
        # Calls that are given up before the first one was sent log nobody in.
        while not logins(broker):
            await asyncio.sleep(0.01)
        return [task.done() for task in tasks]

    assert uvloop.run(main()) == [False] * 20
    until(lambda: session.state().name == "active")
    assert uvloop.run(session.token()).generation == 1
    assert logins(broker) == 1
