"""The pytest plugin: an embedded broker for each test, whose clock stands still on a market morning. pytest
finds it by itself where Preopen is installed. It is no part of the package `preopen`, which it imports only
when a test asks for a broker: every other run of pytest pays nothing for it.

    def test_the_logout_of_the_morning(preopen_sandbox):
        session = preopen_sandbox.session("samco")
        assert session.token().generation == 1
        preopen_sandbox.clock.advance_to("08:00 IST")
        assert session.token().generation == 2

    @pytest.mark.preopen_sandbox(script="bad-day", tls=True)
    def test_a_bad_day(preopen_sandbox): ...

A test that fails shows what the broker saw last, without secrets.
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from preopen.sandbox import Sandbox

#: A wrong marker is told without the lines of this file (pytest reads this).
__tracebackhide__ = True

__all__ = ["MARKET_OPEN", "SandboxFactory", "preopen_sandbox", "preopen_sandbox_factory"]

#: Where the clock stands unless a test says otherwise: a Monday at 09:15 in India.
MARKET_OPEN = "2026-11-23T09:15:00+05:30"

#: How many requests a report shows.
_SHOWN = 20

_MARKER = (
    "preopen_sandbox(port=0, tls=False, start_at='2026-11-23T09:15:00+05:30', rate=0, script=None, ...): "
    "how the embedded broker of this test starts; the arguments are those of preopen.sandbox.Sandbox"
)


class SandboxFactory:
    """Starts embedded brokers, and stops those that are left when the tests are over."""

    def __init__(self) -> None:
        self._started: list[Sandbox] = []

    def __call__(self, **options: Any) -> Sandbox:
        """Starts a broker; `options` are arguments of `preopen.sandbox.Sandbox`. Its clock stands still at
        `MARKET_OPEN` unless they say otherwise. A script says itself where the clock starts."""
        if options.get("script") is None:
            options.setdefault("start_at", MARKET_OPEN)
        options.setdefault("rate", 0)
        from preopen.sandbox import Sandbox

        sandbox = Sandbox(**options)
        sandbox.start()
        self._started.append(sandbox)
        return sandbox

    def _stop(self, sandbox: Sandbox) -> None:
        self._started.remove(sandbox)
        sandbox.stop()

    def _stop_all(self) -> None:
        while self._started:
            self._started.pop().stop()


_FACTORY = pytest.StashKey[SandboxFactory]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    config.stash[_FACTORY] = SandboxFactory()


def pytest_unconfigure(config: pytest.Config) -> None:
    factory = config.stash.get(_FACTORY, None)
    if factory is not None:
        factory._stop_all()


@pytest.fixture(scope="session")
def preopen_sandbox_factory(request: pytest.FixtureRequest) -> SandboxFactory:
    """Starts embedded brokers for fixtures of your own, of any scope: ``preopen_sandbox_factory(tls=True)``.
    What you do not stop is stopped at the end."""
    return request.config.stash[_FACTORY]


@pytest.fixture
def preopen_sandbox(
    request: pytest.FixtureRequest, preopen_sandbox_factory: SandboxFactory
) -> Iterator[Sandbox]:
    """An embedded broker (`preopen.sandbox.Sandbox`) for this test alone. Its clock stands still on a Monday
    at 09:15 in India; the marker ``preopen_sandbox`` has it otherwise."""
    from preopen.errors import InvalidInputError

    marker = request.node.get_closest_marker("preopen_sandbox")
    options = _options(marker) if marker is not None else {}
    sandbox, problem = None, ""
    try:
        sandbox = preopen_sandbox_factory(**options)
    except InvalidInputError as error:
        problem = str(error)
    if sandbox is None:
        pytest.fail(problem, pytrace=False)
    try:
        yield sandbox
    finally:
        preopen_sandbox_factory._stop(sandbox)


def _options(marker: pytest.Mark) -> dict[str, Any]:
    """What the marker asks for, which `Sandbox` must know."""
    import inspect

    from preopen.sandbox import Sandbox

    known = list(inspect.signature(Sandbox).parameters)
    unknown = [name for name in marker.kwargs if name not in known]
    if marker.args or unknown:
        wrong = f"no {', '.join(unknown)}" if unknown else "no positional arguments"
        pytest.fail(f"the marker preopen_sandbox takes {', '.join(known)}, and {wrong}", pytrace=False)
    return dict(marker.kwargs)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome: Any = yield
    report: pytest.TestReport = outcome.get_result()
    if not report.failed:
        return
    # Those of this test, and those that a fixture of wider scope has started.
    for sandbox in item.config.stash[_FACTORY]._started:
        report.sections.append((f"embedded broker at {sandbox.samco_url}", _told(sandbox)))


def _told(sandbox: Sandbox) -> str:
    """What a broker saw last, without secrets."""
    from preopen.errors import InvalidInputError

    try:
        clock = sandbox._control("GET", "/clock")
        seen = sandbox._control("GET", f"/requests?limit={_SHOWN}")
        script = sandbox.script()
    except InvalidInputError as error:
        return f"{error}\n{sandbox._last_words()}".rstrip()
    lines = [f"its clock: {clock['ist']}, rate {clock['rate']}"]
    if script is not None and script["done"]:
        last = script["done"][-1]
        lines.append(f"its script {script['script']}, last: {last['ist']} {last['name'] or last['what']}")
    requests = seen["requests"]
    many = "" if seen["count"] == 1 else "s"
    lines.append(
        f"{seen['count']} request{many}" + (", the last ones:" if len(requests) < seen["count"] else "")
    )
    for one in requests:
        status = "no reply" if one["status"] is None else one["status"]
        who = f"  {one['account']}" if one["account"] else ""
        fault = f"  (fault {one['fault']})" if one["fault"] is not None else ""
        query = f"?{one['query']}" if one["query"] else ""
        lines.append(
            f"{one['ist']}  {one['broker']}  {one['method']} {one['path']}{query}  {status}{who}"
            f"  from {one['source_ip']}{fault}"
        )
    return "\n".join(lines)
