"""The benchmarks' page says what was measured; a client that does not do what it claims is noticed."""

import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT

BENCHES = ROOT / "benches"
MODULES = ("bench", "broker", "groups", "groups.calls", "page", "plots", "report", "rounds", "run")


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
        "stolen": 0.253,
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
    assert "1.2 after, 25% of the CPU time that was wanted went to others of the host; 2 cores" in page
    assert "1.2 after; 2 cores" in report.section("calls", {**kept(report), "stolen": None})
    assert "mean little" not in page


def test_what_the_host_took_is_a_share_of_what_was_wanted():
    import page

    assert page.stolen((100, 10), (160, 30)) == 0.25
    assert page.stolen((100, 10), (100, 10)) == 0.0
    assert page.stolen(None, (1, 2)) is None
    assert page.stolen((1, 2), None) is None
    told = page.cpu_time()
    assert (told is not None) == os.path.exists("/proc/stat")
    assert told is None or all(isinstance(number, int) and number >= 0 for number in told)


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


@pytest.mark.parametrize("text", ["", '{"calls": {', "<html>"])
def test_kept_numbers_that_cannot_be_read_are_named_and_left_alone(tmp_path, text):
    import page
    import report

    (tmp_path / page.DATA).write_text(text)
    for act in (lambda: page.render(tmp_path), lambda: page.keep(tmp_path, "calls", kept(report))):
        with pytest.raises(SystemExit, match=r"benchmarks.json is no JSON .*: restore it"):
            act()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {page.DATA: text}


def test_a_page_of_nothing_is_not_written(tmp_path):
    import page

    with pytest.raises(SystemExit, match="has no numbers"):
        page.render(tmp_path)
    assert list(tmp_path.iterdir()) == []


def drive(*words):
    done = subprocess.run(
        [sys.executable, str(BENCHES / "run.py"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def test_a_plot_says_the_numbers_of_its_table_and_which_end_is_good():
    import plots

    drawn = '<path d="M 146.123 74.05 L 544.1 9"/><text x="142.64">2.98</text><text>6.02 MB</text>'
    told = '<path d="M 146.1 74.0 L 544.1 9"/><text x="142.6">2.98</text><text>6.02 MB</text>'
    assert plots.shorter(drawn) == told
    for column, better in {"calls/s": "more", "CPU µs": "less", "MB": "less"}.items():
        table = {"title": "A table", "columns": [{"name": column}, {"name": "wall µs"}]}
        assert plots.title(table) == f"A table ({column}; {better} is better)"


def test_what_a_run_would_miss_at_its_end_is_said_before_it(tmp_path, monkeypatch):
    (tmp_path / "benchmarks.json").write_text("{")
    assert drive("--check", "--only", "calls", "--out", str(tmp_path / "new")) == (0, "")
    assert not (tmp_path / "new").exists()
    assert drive("--check", "--only", "calls", "--out", str(tmp_path))[0] == 1
    assert drive("--check", "--only", "no such group")[0] == 2
    monkeypatch.setenv("PATH", "")
    code, said = drive("--check", "--only", "calls", "--only", "sandbox", "--out", str(tmp_path / "new"))
    assert (code, "needs wrk" in said) == (1, True)


def test_a_quick_run_replaces_no_committed_numbers(monkeypatch, tmp_path):
    import page
    import run

    monkeypatch.setattr(run, "ROOT", tmp_path)
    places = []
    monkeypatch.setattr(page, "read", lambda out: places.append(out))
    for words in (["--quick"], ["--quick", "--out", str(tmp_path / "docs")], []):
        monkeypatch.setattr(sys, "argv", ["run.py", "--check", "--only", "calls", *words])
        run.main()
    assert places == [tmp_path / "target" / "bench", tmp_path / "docs", tmp_path / "docs"]


def a_bench(**more):
    from bench import Bench

    programs = dict.fromkeys(("python", "node", "node-peers", "rust"), "none")
    return Bench(programs, rounds=1, calls=1200, hot_calls=1, sessions=[1], seconds=1, **more)


def test_clients_that_a_compiler_makes_quicker_are_measured_after_it_did():
    from groups import calls

    def cold(bench):
        found = calls.sections(bench)
        return [one.title for one in found if "Node" in one.title and one.unmeasured < 8000]

    assert cold(a_bench()) == ["Node, 16 workers, first calls"]
    assert len(cold(a_bench(quick=True))) == 4


def test_a_target_of_several_tables_is_that_of_the_worst():
    from groups import calls

    bench = a_bench()
    found = {
        calls.title(section, scheme): {
            row: [{"cpu_us": 40.0 if row.startswith("preopen") else 100.0, "rate": 1.0}]
            for row in section.rows
        }
        for section in calls.sections(bench)
        for scheme in section.schemes
    }

    def measured(what):
        return next(target.measured for target in calls.targets(found) if target.what == what)

    aio, name = "Python, asyncio, https: CPU, of aiohttp's", "Python, asyncio, {}, https"
    assert measured(aio) == 0.4
    for tasks in ("1 task", "16 tasks"):
        ours = found[name.format(tasks)]["preopen-async"][0]
        ours["cpu_us"] = 90.0
        assert measured(aio) == 0.9
        ours["cpu_us"] = 40.0


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
    from broker import EVERY, LOGIN, PATH
    from rounds import Peer, alternate

    client = [sys.executable, str(BENCHES / "clients" / "client.py"), name]
    path = {"token()": EVERY, "build preopen": EVERY, **dict.fromkeys(HERDS, LOGIN)}.get(name, PATH)
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
