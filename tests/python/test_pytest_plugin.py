"""The pytest plugin, as users have it: suites of their own, each run by a pytest of its own."""

import os
import re
import sys

import pytest
from conftest import ROOT

pytest_plugins = ["pytester"]

INI = """
[pytest]
addopts = --strict-markers -p no:cacheprovider
filterwarnings = error
asyncio_default_fixture_loop_scope = function
"""


@pytest.fixture
def run(pytester):
    """Runs a suite of this text, as strict as can be, and counts its outcomes."""
    pytester.makefile(".ini", pytest=INI)

    def run(text, *arguments):
        pytester.makepyfile(text)
        return pytester.runpytest_subprocess("-rA", *arguments)

    return run


def test_each_test_has_a_broker_of_its_own_and_a_clock_that_stands(run):
    result = run(
        """
        import datetime

        SEEN = set()

        def check(broker):
            assert broker.requests().count == 0
            session = broker.session("samco")
            assert session.token().generation == 1
            now = broker.clock.now()
            assert now == datetime.datetime(2026, 11, 23, 3, 45, tzinfo=datetime.timezone.utc)
            assert broker.clock.now() == now
            broker.clock.advance_to("08:00 IST")
            assert session.token().generation == 2
            SEEN.add(broker.samco_url)

        def test_one(preopen_sandbox): check(preopen_sandbox)
        def test_two(preopen_sandbox): check(preopen_sandbox)

        def test_both_were_there_and_are_gone():
            import urllib.request
            assert len(SEEN) == 2
            for url in SEEN:
                try:
                    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5)
                except OSError:
                    continue
                raise AssertionError(url)
        """
    )
    result.assert_outcomes(passed=3)


def test_the_marker_says_how_it_starts(run, pytester):
    pytester.makefile(
        ".toml",
        day="""
        start = "2026-11-24T09:00:00+05:30"
        speed = 600
        [[step]]
        at = "10:00"
        source_ip = "198.51.100.20"
        """,
    )
    result = run(
        """
        import pytest

        pytestmark = pytest.mark.preopen_sandbox(start_at="2026-11-25T07:59:00+05:30")

        def ist(broker): return broker.clock.now().strftime("%d %H:%M")

        def test_of_the_module(preopen_sandbox):
            assert ist(preopen_sandbox) == "25 02:29"

        @pytest.mark.preopen_sandbox(tls=True, rate=3600)
        def test_closest_one_wins(preopen_sandbox):
            assert preopen_sandbox.samco_url.startswith("https://")
            before = preopen_sandbox.clock.now()
            assert preopen_sandbox.session("samco").token().generation == 1
            assert preopen_sandbox.clock.now() > before

        @pytest.mark.preopen_sandbox(script="day.toml")
        def test_script(preopen_sandbox):
            assert ist(preopen_sandbox) == "24 03:30"
            session = preopen_sandbox.session("samco")
            assert session.whoami().verdict == "match"
            preopen_sandbox.clock.advance_to("10:00 IST")
            assert session.whoami().verdict == "mismatch"
            assert preopen_sandbox.script()["done_count"] == 1
            assert preopen_sandbox.script()["ended"]

        def test_no_script(preopen_sandbox):
            assert preopen_sandbox.script() is None
        """
    )
    result.assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("colour=1", "takes port, tls, start_at, rate, script, data, and no colour"),
        ("'tls'", "data, and no positional arguments"),
        ("start_at='monday'", "--start-at"),
        ("script='no-such-day'", "ordinary-day, bad-day, month"),
        ("rate=-1", "must be from 0"),
    ],
)
def test_a_wrong_marker_is_told(run, marker, told):
    result = run(
        f"""
        import pytest

        @pytest.mark.preopen_sandbox({marker})
        def test_it(preopen_sandbox): pass
        """
    )
    result.assert_outcomes(errors=1)
    text = result.stdout.str()
    assert told in text
    # One sentence: no error before it, no JSON, no lines of the plugin.
    for noise in ("another exception", '"error"', "preopen_pytest", "sandbox.py"):
        assert noise not in text


def test_a_call_that_is_refused_shows_the_line_of_the_test_alone(run):
    result = run(
        """
        def test_it(preopen_sandbox):
            preopen_sandbox.fault("samco", "/quote/*", staus=503)
        """
    )
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "staus is not a field here: use one of `broker`, `path`" in text
    assert 'preopen_sandbox.fault("samco", "/quote/*", staus=503)' in text
    assert "sandbox.py" not in text


def test_asynchronous_tests_and_brokers_of_wider_scope(run):
    result = run(
        """
        import pytest

        @pytest.fixture(scope="module")
        def shared(preopen_sandbox_factory):
            return preopen_sandbox_factory(tls=True)

        @pytest.mark.asyncio
        async def test_asyncio(preopen_sandbox):
            async with preopen_sandbox.async_session("angelone") as session:
                assert (await session.token()).generation == 1

        def test_first(shared):
            shared.session("samco").token()

        def test_second(shared):
            assert shared.requests("samco", "/session/token").count == 1
        """
    )
    result.assert_outcomes(passed=3)


FAILING = """
import pytest

@pytest.fixture
def logged_in(preopen_sandbox):
    session = preopen_sandbox.session("samco")
    session.token()
    return session

@pytest.fixture
def broken(logged_in):
    raise RuntimeError("in the setup")

def test_call(preopen_sandbox, logged_in):
    preopen_sandbox.fault("samco", "/quote/*", status=500)
    with pytest.raises(Exception):
        logged_in.get("/quote/getQuote", params={"symbolName": "INFY"})
    assert False, "in the call"

def test_setup(broken): pass

@pytest.mark.preopen_sandbox(script="bad-day")
def test_died(preopen_sandbox):
    preopen_sandbox._child.kill()
    preopen_sandbox._child.wait()
    assert False, "of a broker that died"

def test_fine(preopen_sandbox): pass
def test_without(): assert True
"""


@pytest.mark.parametrize("parallel", [False, True])
def test_a_failure_shows_what_the_broker_saw_and_no_secret(run, parallel):
    result = run(FAILING, *(["-n", "2"] if parallel else []))
    result.assert_outcomes(passed=2, failed=2, errors=1)
    text = result.stdout.str()
    assert text.count("- embedded broker at http://127.0.0.1:") == 3
    assert text.count("its clock: 2026-11-23 09:15:00 IST, rate 0") == 2
    login = "2026-11-23 09:15:00 IST  samco  POST /session/token  200  SBX001  from 203.0.113.10"
    assert text.count(login) == 2
    assert "samco  GET /quote/getQuote?symbolName=INFY  500  from 203.0.113.10  (fault 1)" in text
    assert "the sandbox is not running: its process ended" in text
    for secret in ("sandbox-secret", "sandbox-password", "NOTREAL", "SANDBOXTOTP"):
        assert secret not in text


def test_tests_in_parallel(run):
    result = run(
        """
        import pytest

        @pytest.mark.parametrize("number", range(12))
        def test_it(preopen_sandbox, number):
            session = preopen_sandbox.session("samco")
            session.token()
            assert preopen_sandbox.requests("samco").count == 1
        """,
        "-n",
        "3",
    )
    result.assert_outcomes(passed=12)


def test_nothing_is_left_when_the_run_is_interrupted(run, pytester):
    result = run(
        """
        import pathlib

        def test_it(preopen_sandbox, preopen_sandbox_factory):
            other = preopen_sandbox_factory()
            pids = [str(broker._child.pid) for broker in (preopen_sandbox, other)]
            pathlib.Path("pids").write_text(" ".join(pids))
            raise KeyboardInterrupt
        """
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    for pid in (pytester.path / "pids").read_text().split():
        if sys.platform == "linux":
            assert not os.path.exists(f"/proc/{pid}")


def test_the_plugin_is_listed_and_its_fixtures_are_documented(run):
    result = run("def test_it(): pass", "--fixtures", "--markers")
    assert "@pytest.mark.preopen_sandbox(port=0" in result.stdout.str()
    result = run("def test_it(): pass", "--fixtures")
    assert "preopen_sandbox_factory [session scope]" in result.stdout.str()
    assert "An embedded broker (`preopen.sandbox.Sandbox`) for this test alone." in result.stdout.str()


PAGES = ("README.md", "docs/testing-your-strategy.md")
PAGE = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
BLOCKS = re.findall(
    r"^<!-- tests/python/test_pytest_plugin.py runs this block -->\n```python\n(.*?)^```",
    PAGE,
    re.DOTALL | re.MULTILINE,
)


@pytest.mark.parametrize("block", BLOCKS)
def test_blocks_of_the_page_run(run, block):
    tests = block.count("def test_")
    assert tests > 0
    run(block).assert_outcomes(passed=tests)


def test_pytest_is_no_dependency():
    import importlib.metadata

    requires = importlib.metadata.requires("preopen") or []
    assert [one for one in requires if "extra ==" not in one] == []
    found = [one for one in entry_points() if one.value.startswith("preopen")]
    assert [(one.name, one.value) for one in found] == [("preopen_pytest", "preopen_pytest")]


def entry_points():
    import importlib.metadata

    points = importlib.metadata.entry_points()
    return points.select(group="pytest11") if hasattr(points, "select") else set(points["pytest11"])


# A suite that never asks for a broker, and looks at what pytest has loaded for it.
ELSEWHERE = """
import sys

def test_it(): pass

def test_last(pytestconfig):
    assert pytestconfig.pluginmanager.has_plugin("preopen_pytest")
    loaded = {name for name in sys.modules if name.split(".")[0] == "preopen"}
    assert not loaded, loaded
"""


def test_a_suite_without_a_broker_does_not_load_preopen(run):
    run(ELSEWHERE).assert_outcomes(passed=2)
    run(ELSEWHERE, "-n", "2").assert_outcomes(passed=2)


def test_the_plugin_can_be_named_too(run):
    text = """
    def test_it(preopen_sandbox):
        import preopen.pytest_plugin as named
        import preopen_pytest
        assert named.SandboxFactory is preopen_pytest.SandboxFactory
        assert named.preopen_sandbox is preopen_pytest.preopen_sandbox
        preopen_sandbox.fault("samco", "/session/token", status=503, body="down")
        preopen_sandbox.session("samco").token()
    """
    for name in ("preopen_pytest", "preopen.pytest_plugin"):
        result = run(text, "-p", name)
        result.assert_outcomes(failed=1)
        # Loaded once: a failure is told once.
        assert result.stdout.str().count("- embedded broker at http://127.0.0.1:") == 1
