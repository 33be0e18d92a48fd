"""The benchmarks' page says what was measured; a client that does not do what it claims is noticed."""

import json
import os
import sys

import pytest
from conftest import ROOT

BENCHES = ROOT / "benches"
MODULES = ("broker", "groups", "page", "report", "rounds")


@pytest.fixture(autouse=True)
def benches(monkeypatch):
    """The harness is a folder of modules for its driver, no package."""
    monkeypatch.syspath_prepend(str(BENCHES))
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


def kept(report, *targets, quick=False):
    """A group as a run keeps it: three rounds of two rows, in microseconds."""
    rows = {
        "preopen": [{"cpu_us": cpu, "wall_us": 200.0, "other": None} for cpu in (40.0, 60.0, 50.0)],
        "peer": [{"cpu_us": 125.0, "wall_us": 300.0, "other": 7.0}],
    }
    columns = [*report.PER_CALL, report.Column("more", "other", scale=2, digits=0)]
    table = report.Table("A table", rows, columns, note="What it is.")
    group = report.Group("calls", "An authenticated GET, per call", [table], "Why.", list(targets))
    return {
        **report.plain(group),
        "rounds": 3,
        "quick": quick,
        "load": [0.1, 1.2],
        "date": "2026-11-23 03:30 UTC",
        "commit": "abc1234",
        "machine": {"cpu": "A CPU", "cores": 2, "system": "Linux 6"},
        "versions": {"preopen": "0.1.0"},
    }


def test_a_row_has_its_median_spread_and_ratio_to_the_first():
    import report

    page = report.page({"calls": kept(report)}, {})
    assert "|  | CPU µs | min-max | ratio | wall µs | more |" in page
    assert "| preopen | 50.0 | 40.0-60.0 | 1.00x | 200.0 |  |" in page
    assert "| peer | 125.0 | 125.0-125.0 | 2.50x | 300.0 | 14 |" in page
    assert "3 rounds, 2026-11-23 03:30 UTC, commit abc1234; load average 0.1 before and 1.2 after" in page
    assert "mean little" not in page


def test_a_target_is_met_or_missed_by_so_much():
    import report

    targets = [
        report.Target("most", 100, 50.0, "µs"),
        report.Target("too much", 40, 50.0, "µs"),
        report.Target("exactly", 50, 50.0, "µs"),
        report.Target("enough", 15, 20.0, "x", at_least=True),
        report.Target("too little", 25_000, 20_000.0, "/s", at_least=True),
    ]
    page = report.page({"calls": kept(report, *targets)}, {})
    link = "#an-authenticated-get-per-call"
    assert f"| [most]({link}) | ≤ 100 µs | 50 µs | met |" in page
    assert f"| [too much]({link}) | ≤ 40 µs | 50 µs | **missed** by 25% |" in page
    assert f"| [exactly]({link}) | ≤ 50 µs | 50 µs | met |" in page
    assert f"| [enough]({link}) | ≥ 15 x | 20 x | met |" in page
    assert f"| [too little]({link}) | ≥ 25,000 /s | 20,000 /s | **missed** by 20% |" in page


def test_a_note_is_said_of_a_missed_target_alone():
    import report

    targets = [report.Target("missed", 1, 2.0), report.Target("met", 2, 1.0)]
    notes = {"calls": {"missed": "Why it\nwas.", "met": "Never seen."}, "hot": {"missed": "Elsewhere."}}
    page = report.page({"calls": kept(report, *targets)}, notes)
    assert "- **missed**: Why it was." in page
    assert "Never seen." not in page
    assert "Elsewhere." not in page


def test_a_quick_run_says_that_it_means_little():
    import report

    assert "(`calls`)" in report.page({"calls": kept(report, quick=True), "hot": kept(report)}, {})


def test_a_group_replaces_its_own_numbers_and_no_others(tmp_path):
    import page
    import report

    for name in ("sandbox", "hot", "calls"):
        page.keep(tmp_path, name, kept(report))
    page.keep(tmp_path, "calls", kept(report, quick=True))
    found = page.read(tmp_path)
    assert list(found) == ["hot", "calls", "sandbox"], "in the page's order"
    assert {name: group["quick"] for name, group in found.items()} == {
        "hot": False,
        "calls": True,
        "sandbox": False,
    }


def test_the_committed_page_is_that_of_the_committed_numbers():
    import page
    import report

    docs = ROOT / "docs"
    notes = toml((BENCHES / page.NOTES).read_text(encoding="utf-8"))
    numbers = page.read(docs)
    assert numbers, "run `cargo xtask bench`"
    committed = (docs / page.PAGE).read_text(encoding="utf-8").replace("\r\n", "\n")
    assert committed == report.page(numbers, notes), "run `cargo xtask bench --render`"
    plots = {path.name for path in (docs / report.PLOTS).iterdir()}
    assert plots == {f"{name}.svg" for name in numbers}
    known = {(name, one["what"]) for name, group in numbers.items() for one in group["targets"]}
    assert {(name, what) for name, texts in notes.items() for what in texts} <= known


def toml(text):
    try:
        import tomllib
    except ImportError:  # pytest brings this one to the Pythons that have none
        import tomli as tomllib
    return tomllib.loads(text)


@pytest.fixture
def running():
    from broker import Broker

    with Broker(os.environ["PREOPEN_BIN"]) as broker:
        yield broker


HERDS = ["herd asyncio", "herd event", "herd threads"]


@pytest.mark.parametrize(
    "name", ["preopen", "preopen-async", "raw socket", "token()", "build preopen", *HERDS]
)
def test_a_client_does_what_it_says(running, name):
    from broker import LOGIN, PATH
    from rounds import Peer, alternate

    client = [sys.executable, str(BENCHES / "clients" / "client.py"), name]
    path = {"token()": None, "build preopen": None, **dict.fromkeys(HERDS, LOGIN)}.get(name, PATH)
    found = alternate(running, [Peer(name, client, path=path)], 2, calls=8, workers=2, warm_up=2)
    assert [result["cpu_us"] > 0 for result in found[name]] == [True, True]


def test_a_client_that_sends_less_than_it_says_ends_the_run(running):
    from rounds import Peer, alternate

    claims = [sys.executable, "-c", f"print({json.dumps(json.dumps({'cpu_us': 1, 'sent': 9}))})"]
    with pytest.raises(SystemExit, match="liar claims 9 requests, the broker saw 0"):
        alternate(running, [Peer("liar", claims)], 1)


def test_a_client_that_errs_ends_the_run_with_its_words(running):
    from rounds import Peer, alternate

    with pytest.raises(SystemExit, match="wrong payload"):
        alternate(running, [Peer("broken", [sys.executable, "-c", "raise SystemExit('wrong payload')"])], 1)
