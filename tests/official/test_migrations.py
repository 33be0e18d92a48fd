"""Existing scripts and the same ones on Preopen, through more than a day of the virtual clock: those that log
in once fall over the daily logout, the others do not notice it. The page about migrating shows these very
files."""

from __future__ import annotations

import difflib
import re
import time
from pathlib import Path
from typing import Any, Callable

import pytest

import preopen
from preopen._base import with_clock
from preopen.sandbox import Sandbox

HERE = Path(__file__).parent / "migrations"
DOCS = Path(__file__).resolve().parents[2] / "docs"
MARK = r"<!-- tests/official/test_migrations\.py runs this block -->\n```python\n(.*?)```"
KINDS = {"smartapi": "angelone", "requests": "samco", "stocknote": "samco"}
LOGIN = {"angelone": "/rest/auth/angelbroking/user/v1/loginByPassword", "samco": "/session/token"}


def source(kind: str, when: str) -> str:
    return (HERE / f"{kind}_{when}.py").read_text()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a script as it is: its environment, its broker and its hours are those of an embedded broker."""
    monkeypatch.chdir(tmp_path)
    with Sandbox() as broker:
        monkeypatch.setattr(time, "sleep", hours_of(broker))
        monkeypatch.setenv("SAMCO_URL", broker.samco_url)
        for account in broker.accounts[::-1]:
            for name in ("api_key", "api_secret", "client_code", "pin", "totp_secret"):
                if account.get(name):
                    monkeypatch.setenv(f"{account['broker']}_{name}".upper(), account[name])

        def made(self: Any, credentials: Any, **options: Any) -> None:
            samco = isinstance(credentials, preopen.Samco)
            options["base_url"] = broker.samco_url if samco else broker.angelone_url
            with_clock(self, credentials, broker._clock, options)

        monkeypatch.setattr(preopen.Session, "__init__", made)
        clients_of(broker, monkeypatch)

        def play(text: str) -> dict[str, Any]:
            names: dict[str, Any] = {"__name__": "script", "broker": broker}
            try:
                exec(compile(text, "script.py", "exec"), names)
            except Exception as error:
                names["error"] = error
            return names

        yield play


def hours_of(broker: Sandbox) -> Callable[[float], None]:
    real = time.sleep

    def sleep(seconds: float) -> None:
        # The scripts' own waits; others are real.
        if seconds >= 60:
            broker.clock.advance(seconds=seconds)
        else:
            real(seconds)

    return sleep


def clients_of(broker: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points the brokers' own clients to the embedded broker, and keeps their look-ups off the network."""
    import requests

    def get(*_: object, **__: object) -> None:
        raise requests.ConnectionError("no network in tests")

    with pytest.MonkeyPatch.context() as importing:
        importing.setattr(requests, "get", get)
        from SmartApi import SmartConnect
    monkeypatch.setattr(SmartConnect, "_rootUrl", broker.angelone_url)
    from snapi_py_client.configuration import Configuration

    configuration = Configuration()
    configuration.host = broker.samco_url
    monkeypatch.setattr(Configuration, "_default", configuration)


@pytest.mark.parametrize("kind", KINDS)
def test_a_script_that_logs_in_once_ends_at_the_daily_logout(run: Any, kind: str) -> None:
    done = run(source(kind, "before"))
    assert 0 < len(done["prices"]) < 26
    assert type(done["error"]) in (KeyError, TypeError)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_script_on_preopen_does_not_notice_it(run: Any, kind: str) -> None:
    done = run(source(kind, "after"))
    assert "error" not in done
    assert len(done["prices"]) == 26
    broker = KINDS[kind]
    # One login, and one for each daily logout that came by.
    assert done["broker"].requests(broker, LOGIN[broker]).count in (2, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_two_lines_do_it(kind: str) -> None:
    before, after = (source(kind, when).splitlines() for when in ("before", "after"))
    added = [line for line in difflib.ndiff(before, after) if line.startswith("+ ") and line != "+ "]
    # The import of the credentials beside it, where there are two imports.
    assert len([line for line in added if "import" not in line]) == 1
    assert len(added) <= 3
    # The strategy itself stays as it is.
    strategy = "prices = []"
    assert before[before.index(strategy) :] == after[after.index(strategy) :]


def marked(page: str) -> list[str]:
    """The blocks of a page that say that they are run here."""
    return re.findall(MARK, (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


def test_the_page_shows_these_scripts_and_nothing_else() -> None:
    scripts = [source(kind, when) for kind in KINDS for when in ("before", "after")]
    # The first lines say what the file is.
    assert marked("migrating-from-the-official-sdks.md") == [text.split("\n", 2)[2] for text in scripts]


@pytest.mark.parametrize("block", marked("drop-ins.md"), ids=("smartapi", "stocknote"))
def test_a_block_about_the_clients_runs(run: Any, block: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(block)
    assert "error" not in done
    assert capsys.readouterr().out.strip()
