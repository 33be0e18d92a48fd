"""The blocks of code of the README and of docs/, and the embedded broker that they run on without
knowing: a session that is made without a base URL is one of its, and a credential that a page
writes as "..." is that of its account.

How a block says that it is not run, or what it needs beforehand, is in tests/README.md.
"""

import contextlib
import os
import re
import socket
import sys

from conftest import ROOT

import preopen
from preopen._base import with_clock

#: Which runner takes which language; what a page shows beside code is not code.
RUNNERS = {
    "python": "tests/python/test_readme.py",
    "console": "tests/python/test_pages_console.py",
    "js": "tests/node/readme.test.mjs",
    "ts": "tests/node/readme.test.mjs",
    "rust": "tests/pages/tests/pages.rs",
    "toml": "tests/python/test_readme.py",
    "json": "tests/python/test_readme.py",
}
SHOWN = ("", "text", "yaml")

FENCE = re.compile(r"^([ \t]*)(```+)[ \t]*([^\s`]*)[^`\n]*$")
COMMENT = re.compile(r"<!--(.*?)-->\s*\Z", re.DOTALL)
ELSEWHERE = re.compile(r"\s*(\S+/\S+) runs this block\s*")
EXCUSE = re.compile(r"\s*not run: (\S.*?)\s*", re.DOTALL)
SETUP = re.compile(r"\s*setup\b:?(.*)", re.DOTALL)


class Block:
    """One fenced block of a page: its language, text and line, and what the comment before it says."""

    def __init__(self, page, line, language, text, comment):
        # `rust,no_run` is Rust.
        self.page, self.line, self.language, self.text = page, line, language.split(",")[0], text
        self.setup, self.excuse, self.elsewhere = "", None, None
        excuse = EXCUSE.fullmatch(comment)
        elsewhere = ELSEWHERE.fullmatch(comment)
        setup = SETUP.fullmatch(comment)
        if excuse:
            self.excuse = excuse.group(1)
        elif elsewhere and elsewhere.group(1) != RUNNERS.get(language):
            self.elsewhere = elsewhere.group(1)
        elif setup:
            self.setup = dedent(setup.group(1))

    @property
    def runs(self):
        return self.excuse is None and self.elsewhere is None

    def __repr__(self):
        return f"{self.page}:{self.line}"


def dedent(text):
    lines = text.strip("\n").splitlines()
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    return "".join(line[min(indents, default=0) :].rstrip() + "\n" for line in lines)


def blocks(page):
    """The blocks of a page, also those in tabs."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    found, before, number = [], "", 0
    while number < len(lines):
        opening = FENCE.match(lines[number])
        if not opening:
            before += lines[number] + "\n"
            number += 1
            continue
        indent, fence, language = opening.groups()
        start = number + 1
        number = start
        while number < len(lines) and lines[number].strip() != fence:
            number += 1
        text = "".join(line[len(indent) :] + "\n" for line in lines[start:number])
        said = COMMENT.search(before)
        found.append(Block(page, start + 1, language, text, said.group(1) if said else ""))
        before = ""
        number += 1
    return found


def pages():
    """Every page of the site that is in the repository, and the README."""
    docs = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
    return ["README.md", *docs]


def all_blocks(*languages):
    """The blocks of these languages that run, by page."""
    chosen = {page: [one for one in blocks(page) if one.language in languages] for page in pages()}
    return {page: found for page, found in chosen.items() if any(one.runs for one in found)}


def environment(broker):
    """What a program finds in its environment: the credentials of the broker's first accounts."""
    samco = next(one for one in broker.accounts if one["broker"] == "samco")
    angelone = next(one for one in broker.accounts if one["broker"] == "angelone")
    return {
        "SAMCO_API_KEY": samco["api_key"],
        "SAMCO_API_SECRET": samco["api_secret"],
        "ANGELONE_API_KEY": angelone["api_key"],
        "ANGELONE_CLIENT_CODE": angelone["client_code"],
        "ANGELONE_PIN": angelone["pin"],
        "ANGELONE_TOTP_SECRET": angelone["totp_secret"],
    }


#: What stands in for programs of the machine: a browser whose person always consents, and a curl that
#: asks the embedded broker when it is told to ask a real one.
PROGRAMS = {
    "preopen": """#!/bin/sh
case "$1" in
login | token | headers | whoami | status | logout | run | preflight | doctor | login-code | request)
    case " $* " in *" --base-url "*) ;; *)
        name=$1; shift
        set -- "$name" --base-url "$PAGES_BROKER" "$@" ;;
    esac ;;
esac
exec "$PAGES_PREOPEN" "$@"
""",
    "xdg-open": """#!{python}
import json, os, sys, urllib.request

def ask(url, headers=None, body=None):
    return urllib.request.urlopen(urllib.request.Request(url, body, headers or dict()), timeout=20).read()

wanted = json.dumps(dict(url=sys.argv[1], decision="approve")).encode()
token = {{"x-sandbox-token": os.environ["PAGES_TOKEN"], "content-type": "application/json"}}
ask(json.loads(ask(os.environ["PAGES_CONTROL"] + "/consent", token, wanted))["redirect_to"])
""",
    "curl": """#!{python}
import os, re, sys, urllib.error, urllib.request

headers, url, words = dict(), None, iter(sys.argv[1:])
for word in words:
    if word.startswith("-") and word.endswith("H"):
        said = next(words)
        if said.startswith("@"):
            said = sys.stdin.read() if said == "@-" else open(said[1:]).read()
        headers.update(line.split(": ", 1) for line in said.splitlines() if line.strip())
    elif not word.startswith("-"):
        url = word
url = re.sub("^https://(tradeapi[.]samco[.]in|apiconnect[.]angelone[.]in)", os.environ["PAGES_BROKER"], url)
try:
    reply = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20)
except urllib.error.HTTPError as error:
    reply = error
print(reply.read().decode())
""",
}


def programs(broker, folder):
    """Puts the programs into a folder, and gives the environment in which they are found."""
    folder.mkdir()
    for name, text in PROGRAMS.items():
        (folder / name).write_text(text.format(python=sys.executable) if "{python}" in text else text)
        (folder / name).chmod(0o755)
    (folder / "python").symlink_to(sys.executable)
    return {
        "PATH": os.pathsep.join([str(folder), os.environ["PATH"]]),
        "PAGES_PREOPEN": os.environ["PREOPEN_BIN"],
        "PAGES_BROKER": broker.samco_url,
        "PAGES_CONTROL": broker.control_url,
        "PAGES_TOKEN": broker.control_token,
    }


def free_redirect(broker):
    """Gives the Samco account a redirect URL on a port that is free."""
    account = next(one for one in broker.accounts if one["broker"] == "samco")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        account["redirect_url"] = f"http://127.0.0.1:{free.getsockname()[1]}/callback"
    broker.change_account(account["account"], redirect_url=account["redirect_url"])


@contextlib.contextmanager
def stand_in(broker, monkeypatch, folder):
    """Everything that is made from the package's public names belongs to the embedded broker."""
    free_redirect(broker)
    accounts = {
        name: next(one for one in broker.accounts if one["broker"] == name) for name in ("samco", "angelone")
    }
    for name, value in {**environment(broker), **programs(broker, folder / "bin")}.items():
        monkeypatch.setenv(name, value)
    for name in ("Samco", "SamcoOAuth", "SamcoLegacy", "AngelOne", "AngelOnePublisher"):
        fill_in(
            getattr(preopen, name), accounts["samco" if name.startswith("Samco") else "angelone"], monkeypatch
        )
    for kind in (preopen.Session, preopen.AsyncSession):
        monkeypatch.setattr(kind, "__init__", made_by(broker))
    yield


def fill_in(credentials, account, monkeypatch):
    original = credentials.__init__

    def init(self, **given):
        # Who leaves the key to the reader leaves the address, too, whatever it says.
        left = [name for name, value in given.items() if value == "..."]
        left += [name for name in ("redirect_url",) if left and name in given]
        known = {name: account.get("account" if name == "user_id" else name) for name in left}
        original(self, **{**given, **known})

    monkeypatch.setattr(credentials, "__init__", init)


def made_by(broker):
    def init(self, credentials, **options):
        samco = type(credentials).__name__.startswith("Samco")
        options.setdefault("base_url", broker.samco_url if samco else broker.angelone_url)
        with_clock(self, credentials, broker._clock, options)

    return init
