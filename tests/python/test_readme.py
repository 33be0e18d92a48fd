"""The Python blocks of the README and of pages of docs/: they run without an account, or compile."""

import ast
import re

import pytest
from conftest import ROOT

PAGES = (
    "README.md",
    "docs/calls.md",
    "docs/stores.md",
    "docs/static-ip.md",
    "docs/oauth.md",
    "docs/migrating-from-samco-legacy.md",
    "docs/testing-your-strategy.md",
)
README = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
RUN = re.findall(
    r"<!-- tests/python/test_readme.py runs this block -->\n```python\n(.*?)^```",
    README,
    re.DOTALL | re.MULTILINE,
)


def test_there_are_blocks():
    assert RUN
    assert set(RUN) <= set(BLOCKS)


@pytest.mark.parametrize("block", RUN)
def test_block_runs(block):
    exec(compile(block, "README.md", "exec"), {})


@pytest.mark.parametrize("block", BLOCKS)
def test_names_that_blocks_import_exist(block):
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "preopen":
            module = __import__(node.module, fromlist=["x"])
            for alias in node.names:
                assert hasattr(module, alias.name), alias.name
