"""The blocks of docs/python.md and docs/observability.md that need a framework: they run as a person pastes
them, on the embedded broker."""

import json
import pathlib
import re
import subprocess
import sys

import pytest
from conftest import logins

DOCS = pathlib.Path(__file__).parents[2] / "docs"
PAGES = [(DOCS / name).read_text(encoding="utf-8") for name in ("python.md", "observability.md")]
BLOCKS = re.findall(
    r"<!-- tests/python-frameworks/test_page.py runs this block -->\n```python\n(.*?)^```",
    "\n".join(PAGES),
    re.DOTALL | re.MULTILINE,
)

# Sessions without a base URL are those of the broker that the test started.
BEFORE = """
import functools, json, os
import preopen
for kind in (preopen.Session, preopen.AsyncSession):
    kind.__init__ = functools.partialmethod(kind.__init__, base_url=os.environ["BROKER"])
"""
DJANGO = """
import django
from django.conf import settings
from django.urls import path
urlpatterns = [path("limits", limits), path("quote/<symbol>", quote)]
settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="for the tests", MIDDLEWARE=[])
django.setup()
from django.test import Client
print(json.dumps([Client().get(where).json() for where in ("/limits", "/quote/INFY")]))
"""
CALLED = """
session = preopen.Session(preopen.Samco.from_env())
session.get("/limit/getLimits")
assert hasattr(preopen.Session.get, "__wrapped__")
"""
AFTER = {"uvloop": "", "django": DJANGO, "opentelemetry": CALLED}


def test_there_are_blocks():
    assert len(BLOCKS) == len(AFTER)


@pytest.mark.parametrize("name", AFTER)
def test_block(name, broker, tmp_path):
    (block,) = [one for one in BLOCKS if name in one]
    account = next(one for one in broker.accounts if one["broker"] == "samco")
    environment = {
        "BROKER": broker.samco_url,
        "SAMCO_API_KEY": account["api_key"],
        "SAMCO_API_SECRET": account["api_secret"],
        "XDG_STATE_HOME": str(tmp_path),
        "PATH": "",
    }
    program = tmp_path / "program.py"
    program.write_text(BEFORE + block + AFTER[name])
    command = [sys.executable, program]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert logins(broker) == 1
    if name == "django":
        limits, quote = json.loads(ended.stdout)
        assert limits
        assert quote["quoteDetails"]["lastTradedPrice"]
