"""Every scenario of tests/scenarios, told to the embedded broker by a blocking and by an asyncio session."""

import asyncio
import inspect
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

import preopen
from conftest import ROOT, assert_has

FILES = sorted((ROOT / "tests" / "scenarios").glob("*.json"))


class Blocking:
    """Steps of a blocking session."""

    def __init__(self, sandbox, *arguments, **options):
        self.session = sandbox.session(*arguments, **options)

    def do(self, name, *arguments, **options):
        return getattr(self.session, name)(*arguments, **options)

    def herd(self, size):
        with ThreadPoolExecutor(size) as pool:
            return [call.exception() or call.result() for call in [pool.submit(self.session.token) for _ in range(size)]]

    def end(self):
        pass


class Awaited:
    """Steps of an asyncio session, on one event loop."""

    def __init__(self, sandbox, *arguments, **options):
        self.session = sandbox.async_session(*arguments, **options)
        self.loop = asyncio.new_event_loop()

    def do(self, name, *arguments, **options):
        result = getattr(self.session, name)(*arguments, **options)
        return self.loop.run_until_complete(result) if inspect.isawaitable(result) else result

    def herd(self, size):
        async def together():
            return await asyncio.gather(*[self.session.token() for _ in range(size)], return_exceptions=True)

        return self.loop.run_until_complete(together())

    def end(self):
        self.loop.close()


class Story:
    """One scenario under way."""

    def __init__(self, sandbox, scenario, kind):
        self.sandbox, self.broker = sandbox, scenario["broker"]
        sandbox.clock.set_rate(0)
        sandbox.clock.set(scenario["at"])
        sandbox.clock.set_rate(scenario.get("rate", 0))
        steps = scenario["steps"]
        options = {}
        if "wrong" in steps[0]:
            options["credentials"] = self.wrong(steps.pop(0)["wrong"])
        self.actor = kind(sandbox, self.broker, **options)

    def wrong(self, changes):
        account = next(one for one in self.sandbox.accounts if one["broker"] == self.broker)
        account = {**account, **changes}
        kind = {"samco": preopen.Samco, "angelone": preopen.AngelOne}[self.broker]
        names = {"samco": ("api_key", "api_secret"), "angelone": ("api_key", "client_code", "pin", "totp_secret")}
        return kind(**{name: account[name] for name in names[self.broker]})

    def tell(self, number, step):
        (name,) = set(step) & set(self.STEPS)
        where = f"step {number} {name}"
        if "error" in step and name != "herd":
            with pytest.raises(preopen.PreopenError) as caught:
                self.STEPS[name](self, step, where)
            assert_has(caught.value, step["error"], where)
        else:
            self.STEPS[name](self, step, where)

    def asks(name):
        def ask(self, step, where):
            assert_has(self.actor.do(name), step[name], where)

        return ask

    def does(name):
        def do(self, step, where):
            self.actor.do(name)

        return do

    def call(self, step, where):
        method, path = step["call"].split(" ", 1)
        options = {name: step[name] for name in ("params", "json", "replay_safe") if name in step}
        reply = self.actor.do(method.lower(), path, **options)
        assert_has(reply.data, step.get("ok", {}), where)

    def herd(self, step, where):
        results = self.actor.herd(step["herd"])
        assert len(results) == step["herd"]
        if "error" in step:
            for result in results:
                assert isinstance(result, preopen.PreopenError), where
                assert_has(result, step["error"], where)
            assert len({str(result) for result in results}) == 1, where
        else:
            assert len({result.generation for result in results}) == 1, where

    def invalidate(self, step, where):
        self.actor.do("invalidate", step["invalidate"])

    def advance(self, step, where):
        to = step["advance"]
        clock = self.sandbox.clock
        clock.advance_to(to["to"]) if "to" in to else clock.advance(seconds=to["seconds"])

    def fault(self, step, where):
        self.sandbox.fault(self.broker, **step["fault"])

    def source_ip(self, step, where):
        self.sandbox.set_source_ip(step["source_ip"])

    def switch(self, step, where):
        self.sandbox.switch(**step["switch"])

    STEPS = {
        "token": asks("token"),
        "state": asks("state"),
        "whoami": asks("whoami"),
        "profile": asks("profile"),
        "logout": asks("logout"),
        "reset": does("reset"),
        "close": does("close"),
        "call": call,
        "herd": herd,
        "invalidate": invalidate,
        "advance": advance,
        "fault": fault,
        "source_ip": source_ip,
        "switch": switch,
    }


def test_there_are_scenarios():
    assert len(FILES) >= 30


@pytest.mark.parametrize("kind", [Blocking, Awaited])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario(sandbox, path, kind):
    scenario = json.loads(path.read_text())
    story = Story(sandbox, scenario, kind)
    try:
        for number, step in enumerate(scenario["steps"], 1):
            story.tell(number, step)
    finally:
        story.actor.end()
    counts = {path: sandbox.requests(scenario["broker"], path).count for path in scenario["calls"]}
    assert counts == scenario["calls"]
