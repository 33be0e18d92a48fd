"""The Python blocks of the README and of docs/: each runs, a page from top to bottom, on an embedded
broker that stands in for the real ones. And every block of any language has somebody who runs it,
or says why nobody does."""

import ast
import asyncio
import inspect
import json
import os
import re
import warnings
from unittest import mock

import pytest
from conftest import MORNING, ROOT
from pages import RUNNERS, SHOWN, all_blocks, blocks, pages, stand_in

from preopen.sandbox import Sandbox

PAGES = all_blocks("python")
DATA = [one for found in all_blocks("toml", "json").values() for one in found if one.runs]
#: What a script of the embedded broker has, and no other TOML.
STEP = "[[step]]"


@pytest.mark.parametrize("page", PAGES)
def test_page(page, monkeypatch, tmp_path):
    names = {"__name__": "page"}
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    # What a page sets in its environment ends with it.
    with mock.patch.dict(os.environ), Sandbox(start_at=MORNING, rate=0) as broker, stand_in(
        broker, monkeypatch, tmp_path
    ), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a page tells the way off them
        names["broker"] = broker
        for block in PAGES[page]:
            if block.runs:
                run(block, names)
        del names["broker"]


def run(block, names):
    """Runs a block as a person would paste it: statements, with ``await`` at the top level if it has that."""
    # The lines of a traceback are those of the page.
    source = block.setup + "\n" * max(0, block.line - 1 - block.setup.count("\n")) + block.text
    code = compile(source, str(ROOT / block.page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    before = names.get("main")
    result = eval(code, names)
    if inspect.iscoroutine(result):
        asyncio.run(result)
    main = names.get("main")
    if main is not before and inspect.iscoroutinefunction(main) and "asyncio.run(" not in block.text:
        asyncio.run(main())


@pytest.mark.parametrize("block", DATA, ids=repr)
def test_data(block, tmp_path):
    if block.language == "json":
        json.loads(block.text)
    elif STEP in block.text:  # a script of the embedded broker, which refuses one that is not right
        file = tmp_path / "script.toml"
        file.write_text(block.text, encoding="utf-8")
        with Sandbox(script=file, rate=0) as broker:
            assert broker.script()["next"]


def test_every_block_is_run_or_says_why_not():
    wrong, counted = [], 0
    for page in pages():
        found = blocks(page)
        text = (ROOT / page).read_text(encoding="utf-8")
        assert 2 * len(found) == len(re.findall(r"^[ \t]*```", text, re.MULTILINE)), (
            f"{page}: a block is not closed"
        )
        for block in found:
            counted += 1
            if block.elsewhere is not None:
                # Whoever says that it runs a block reads its page.
                test = ROOT / block.elsewhere
                if not test.is_file() or page.rsplit("/", 1)[-1] not in test.read_text(encoding="utf-8"):
                    wrong.append(f"{block}: {block.elsewhere} does not run it")
            elif block.language not in SHOWN and block.language not in RUNNERS:
                wrong.append(f"{block}: nobody runs {block.language}")
    assert not wrong, "\n".join(wrong)
    assert counted > 50
    for runner in set(RUNNERS.values()):
        assert (ROOT / runner).is_file(), runner


def test_a_block_that_is_not_run_is_rare():
    excused = [one for page in pages() for one in blocks(page) if one.excuse is not None]
    for block in excused:
        assert len(block.excuse) > 15, f"{block}: why is it not run?"
    run = [one for page in pages() for one in blocks(page) if one.runs and one.language in RUNNERS]
    assert len(excused) * 3 < len(run), excused
