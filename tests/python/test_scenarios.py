"""Every scenario of tests/scenarios, told to the embedded broker by a blocking and by an asyncio session;
those with callbacks by plain and by asynchronous ones."""

import asyncio
import inspect
import json
import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import ROOT, assert_has, one_time_code, until

import preopen

#: Seconds that the background thread may take for what it does on its own.
PATIENCE = 5.0
#: Seconds in which nothing more may come.
QUIET = 0.02

#: How each kind of credentials is made, and of what.
LOGINS = {
    "samco": (preopen.Samco, ("api_key", "api_secret")),
    "angelone": (preopen.AngelOne, ("api_key", "client_code", "pin", "totp_secret")),
    "samco_oauth": (preopen.SamcoOAuth, ("api_key", "redirect_url")),
    "samco_legacy": (preopen.SamcoLegacy, ("user_id", "password", "secret_api_key")),
    "samco_login_code": (preopen.SamcoLoginCode, ("account", "code")),
    "angelone_publisher": (preopen.AngelOnePublisher, ("api_key", "client_code", "redirect_url")),
}

FILES = sorted((ROOT / "tests" / "scenarios").glob("*.json"))


class Blocking:
    """Steps of a blocking session."""

    def __init__(self, sandbox, *arguments, **options):
        self.session = sandbox.session(*arguments, **options)

    def do(self, name, *arguments, **options):
        return self.call(self.session, name, *arguments, **options)

    def call(self, thing, name, *arguments, **options):
        return getattr(thing, name)(*arguments, **options)

    def herd(self, size):
        with ThreadPoolExecutor(size) as pool:
            return [
                call.exception() or call.result()
                for call in [pool.submit(self.session.token) for _ in range(size)]
            ]

    def watch(self):
        self.seen = queue.Queue()
        threading.Thread(target=self.listen, args=(self.session.events(), self.seen), daemon=True).start()

    @staticmethod
    def listen(events, seen):
        for event in events:
            seen.put(event)

    def next_event(self, seconds):
        try:
            return self.seen.get(timeout=seconds)
        except queue.Empty:
            return None

    def end(self):
        self.session.close()


class Awaited:
    """Steps of an asyncio session, on one event loop."""

    def __init__(self, sandbox, *arguments, **options):
        self.session = sandbox.async_session(*arguments, **options)
        self.loop = asyncio.new_event_loop()

    def do(self, name, *arguments, **options):
        return self.call(self.session, name, *arguments, **options)

    def call(self, thing, name, *arguments, **options):
        result = getattr(thing, name)(*arguments, **options)
        return self.loop.run_until_complete(result) if inspect.isawaitable(result) else result

    def herd(self, size):
        async def together():
            return await asyncio.gather(*[self.session.token() for _ in range(size)], return_exceptions=True)

        return self.loop.run_until_complete(together())

    def watch(self):
        self.events = self.session.events()

    def next_event(self, seconds):
        try:
            return self.loop.run_until_complete(asyncio.wait_for(self.events.__anext__(), seconds))
        except asyncio.TimeoutError:
            return None

    def end(self):
        self.loop.run_until_complete(self.session.close())
        self.loop.close()


class Story:
    """One scenario under way."""

    def __init__(self, sandbox, scenario, kind, asynchronous):
        self.sandbox, self.broker = sandbox, scenario["broker"]
        sandbox.clock.set_rate(0)
        sandbox.clock.set(scenario["at"])
        sandbox.clock.set_rate(scenario.get("rate", 0))
        steps = scenario["steps"]
        wrong = steps.pop(0)["wrong"] if "wrong" in steps[0] else {}
        callbacks = scenario.get("callbacks", {})
        self.counts = dict.fromkeys(callbacks, 0)
        self.page, self.address, self.used, self.code = None, None, False, None
        self.trusts = scenario.get("trust_missing_state", False)
        kind_of = scenario.get("credentials", self.broker)
        credentials = self.credentials(kind_of, wrong, callbacks, asynchronous)
        options = {"credentials": credentials, "keep_warm": scenario.get("keep_warm", False)}
        options["rate_limits"] = scenario.get("rate_limits")
        self.again = lambda: kind(sandbox, self.broker, **options)
        self.direct = lambda: kind(sandbox, self.broker)
        self.before, self.actor = None, self.again()

    def end(self):
        for actor in (self.before, self.actor):
            if actor is not None:
                actor.end()

    def credentials(self, kind, wrong, callbacks, asynchronous):
        account = next(one for one in self.sandbox.accounts if one["broker"] == self.broker)
        account = {**account, **wrong}
        account.setdefault("user_id", account.get("account"))
        for field, behaviour in callbacks.items():
            right = account.get(field)
            if field == "totp":
                right = lambda: one_time_code(account["totp_secret"], self.sandbox.clock)  # noqa: E731
            if field == "code":
                right = lambda: self.code  # noqa: E731
            account[field] = self.callback(field, behaviour, right, asynchronous)
        make, names = LOGINS[kind]
        fields = {name: account[name] for name in names}
        if "totp" in callbacks:
            del fields["totp_secret"]
            fields["totp"] = account["totp"]
        if kind == "angelone_publisher":
            fields["trust_missing_state"] = self.trusts
        if kind == "samco_legacy":
            with pytest.warns(DeprecationWarning):
                return make(**fields)
        return make(**fields)

    def callback(self, field, behaviour, right, asynchronous):
        """A callback that behaves as the scenario says; ``right`` gives the account's own value."""

        def answer():
            self.counts[field] += 1
            value = right() if callable(right) else right
            if behaviour == "fails":
                raise KeyError(value)
            if isinstance(behaviour, dict):
                return behaviour["says"]
            return {"right": value, "nothing": None}[behaviour]

        async def answer_later():
            await asyncio.sleep(0)
            return answer()

        return answer_later if asynchronous else answer

    def tell(self, number, step):
        (name,) = set(step) & set(STEPS)
        where = f"step {number} {name}"
        if "error" in step and name != "herd":
            with pytest.raises(preopen.PreopenError) as caught:
                STEPS[name](self, step, where)
            assert_has(caught.value, step["error"], where)
        else:
            STEPS[name](self, step, where)

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

    def watch(self, step, where):
        self.actor.watch()

    def events(self, step, where):
        for number, expected in enumerate(step["events"]):
            event = self.actor.next_event(PATIENCE)
            assert event is not None, f"{where}: event {number} does not come"
            fields = {"name": expected} if isinstance(expected, str) else expected
            assert_has(event, fields, f"{where}[{number}]")
        assert self.actor.next_event(QUIET) is None, where

    def preflight(self, step, where):
        expected = dict(step["preflight"])
        strict = expected.pop("strict", False)
        found = self.actor.do("preflight", strict=strict)
        checks = {check.name: check.status for check in found.checks}
        errors = {check.name: check.error for check in found.checks}
        assert_has({"ready": found.ready, "checks": checks, "errors": errors}, expected, where)

    def wait_calls(self, step, where):
        for path, count in step["wait_calls"].items():
            until(lambda: self.sandbox.requests(self.broker, path).count >= count, PATIENCE)  # noqa: B023

    def asked(self, step, where):
        assert_has(self.counts, step["asked"], where)

    def hand_over(self, step, where):
        key = preopen.generate_key() if step["hand_over"]["sealed"] else None
        record = self.actor.do("export", key) if key else self.actor.do("export_exposed")
        self.before = self.actor
        self.actor = self.again()
        self.actor.do("prime", record, key)

    def begin_login(self, step, where):
        start = self.actor.do("begin_login")
        self.page = start.url
        assert_has(start, step["begin_login"], where)

    def consent(self, step, where):
        approve = {"approve": True, "cancel": False}[step["consent"]["decision"]]
        self.address, self.used = self.sandbox.consent(self.page, approve), False

    def complete_login(self, step, where):
        given = step["complete_login"]
        if "address" in given:
            self.actor.do("complete_login", given["address"])
            return
        assert self.used == given.get("again", False), where
        self.used = True
        self.actor.do("complete_login", self.address)

    def web_login_code(self, step, where):
        giver = self.direct() if step.get("direct", False) else self.actor
        try:
            code = giver.do("web_login_code")
        finally:
            if giver is not self.actor:
                giver.end()
        self.code = code.expose()
        assert_has(code, step["web_login_code"], where)

    def legacy(self, step, where):
        arguments = dict(step["legacy"])
        name = arguments.pop("call")
        if arguments.get("otp") == "sent":
            arguments["otp"] = self.sandbox.inbox()[-1]["value"]
        calls = self.actor.do("samco_legacy")
        with pytest.warns(DeprecationWarning, match="Samco will remove"):
            reply = self.actor.call(calls, name, **arguments)
        assert_has(reply, step.get("ok", {}), where)

    def set_clock(self, step, where):
        self.sandbox.clock.set(step["set_clock"])

    def invalidate(self, step, where):
        self.actor.do("invalidate", step["invalidate"])

    def advance(self, step, where):
        to = step["advance"]
        clock = self.sandbox.clock
        clock.advance_to(to["to"]) if "to" in to else clock.advance(seconds=to["seconds"])

    def fault(self, step, where):
        self.sandbox.fault(self.broker, **step["fault"])

    def stream_headers(self, step, where):
        stream = step["stream_headers"]["stream"]
        headers = self.actor.do("stream_headers", *([] if stream is None else [stream]))
        assert list(headers) == step["stream_headers"]["headers"], where

    def feed_token(self, step, where):
        assert len(self.actor.do("feed_token")) > 0, where

    def source_ip(self, step, where):
        self.sandbox.set_source_ip(step["source_ip"])

    def switch(self, step, where):
        self.sandbox.switch(**step["switch"])


def asks(name):
    """A step that asks for something and compares it."""
    return lambda story, step, where: assert_has(story.actor.do(name), step[name], where)


def does(name):
    """A step without an answer."""
    return lambda story, step, where: story.actor.do(name)


STEPS = {
    "token": asks("token"),
    "state": asks("state"),
    "whoami": asks("whoami"),
    "profile": asks("profile"),
    "preflight": Story.preflight,
    "logout": asks("logout"),
    "reset": does("reset"),
    "close": does("close"),
    "call": Story.call,
    "herd": Story.herd,
    "watch": Story.watch,
    "events": Story.events,
    "wait_calls": Story.wait_calls,
    "asked": Story.asked,
    "hand_over": Story.hand_over,
    "stream_headers": Story.stream_headers,
    "feed_token": Story.feed_token,
    "begin_login": Story.begin_login,
    "consent": Story.consent,
    "complete_login": Story.complete_login,
    "web_login_code": Story.web_login_code,
    "legacy": Story.legacy,
    "set_clock": Story.set_clock,
    "invalidate": Story.invalidate,
    "advance": Story.advance,
    "fault": Story.fault,
    "source_ip": Story.source_ip,
    "switch": Story.switch,
}


def test_there_are_scenarios():
    assert len(FILES) >= 30


def told():
    for path in FILES:
        callbacks = [False, True] if "callbacks" in json.loads(path.read_text()) else [False]
        for asynchronous in callbacks:
            name = path.stem + (" with asynchronous callbacks" if asynchronous else "")
            yield pytest.param(path, asynchronous, id=name)


@pytest.mark.parametrize("kind", [Blocking, Awaited])
@pytest.mark.parametrize(("path", "asynchronous"), told())
def test_scenario(sandbox, path, asynchronous, kind):
    scenario = json.loads(path.read_text())
    story = Story(sandbox, scenario, kind, asynchronous)
    try:
        for number, step in enumerate(scenario["steps"], 1):
            story.tell(number, step)
    finally:
        story.end()
    counts = {path: sandbox.requests(scenario["broker"], path).count for path in scenario["calls"]}
    assert counts == scenario["calls"]
