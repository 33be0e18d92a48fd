"""The `console` blocks of the README and of docs/: every command of a page runs, in order, in one
shell, with an embedded broker where the page means a real one. What a page shows below a command is
what the command says, but for `...`."""

import os
import re
import subprocess

import pytest
from pages import all_blocks, environment, free_redirect, programs

from preopen.sandbox import Sandbox

PAGES = all_blocks("console")
#: What a page leaves to its reader is in the environment already, and so is the address that is registered.
GIVEN = re.compile(r"\b([A-Z][A-Z0-9_]*)=\.\.\.|\b(SAMCO_REDIRECT_URL)=\S+")
START, END = "\x1e", "\x1f"


def given(match):
    name = match.group(1) or match.group(2)
    return f'{name}="${name}"'


class Command:
    """One command of a page, and what the page shows below it."""

    def __init__(self, block, line, text):
        self.where, self.text, self.shown = f"{block.page}:{line}", text, []

    def script(self, number):
        text = GIVEN.sub(given, self.text) if self.text.startswith("export ") else self.text
        # The exit code goes to the command after it, which may be `echo $?`.
        return (
            f"printf '\\n{START}{number}\\n'\n(exit $code)\n{text}\ncode=$?\nprintf '\\n{END}%d\\n' $code\n"
        )


def commands(block):
    """The commands of a block: lines that begin with ``$ ``, with those that continue them."""
    found = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ ") or line == "$":
            found.append(Command(block, number, line[2:]))
        elif found and (found[-1].text.endswith("\\") and not found[-1].shown):
            found[-1].text += "\n" + line
        else:
            assert found, f"{block.page}:{number} is below no command"
            found[-1].shown.append(line)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_page(page, tmp_path):
    wanted = []
    script = "exec 2>&1 </dev/null\ncode=0\n"
    for block in PAGES[page]:
        if block.runs:
            script += block.setup
            for command in commands(block):
                script += command.script(len(wanted))
                wanted.append(command)
    with Sandbox() as broker:
        free_redirect(broker)
        account = next(one for one in broker.accounts if one["broker"] == "samco")
        env = {
            **os.environ,
            **environment(broker),
            **programs(broker, tmp_path / "bin"),
            "SAMCO_REDIRECT_URL": account["redirect_url"],
            "HOME": str(tmp_path),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "PREOPEN_BIN": str(tmp_path / "bin" / "preopen"),
            "NO_COLOR": "1",
        }
        shell = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=env, stdout=subprocess.PIPE, timeout=120, check=False
        )
    compare(wanted, shell.stdout.decode())


def compare(wanted, said):
    parts = re.findall(f"\n{START}(\\d+)\n(.*?)\n{END}(\\d+)\n", said, re.DOTALL)
    assert len(parts) == len(wanted), said
    for command, (_, output, code), after in zip(wanted, parts, [*wanted[1:], None]):
        # One that is meant to fail is followed by its code.
        if after is None or not after.text.startswith("echo $?"):
            assert code == "0", f"{command.where}: $ {command.text}\n{output}\nexit code {code}"
        if command.shown:
            lines = [re.escape(line.strip()).replace(re.escape("..."), ".*") for line in command.shown]
            pattern = r"\s*\n\s*".join(line for line in lines if line)
            shown = "\n".join(command.shown)
            assert re.search(pattern, output), f"{command.where} shows\n{shown}\nand not\n{output}"


def test_what_a_page_shows_is_compared():
    class Block:
        page, line, text = "page", 1, "$ false\n$ echo $?\n1\n$ echo one two\none ...\n"

    wanted = commands(Block)
    said = [
        f"\n{START}{n}\n{out}\n{END}{code}\n"
        for n, (out, code) in enumerate([("", 1), ("1\n", 0), ("one two\n", 0)])
    ]
    compare(wanted, "".join(said))
    for wrong in (
        [*said[:2], said[2].replace("one", "1")],
        [said[0], said[1].replace("1\n", "2\n"), said[2]],
        said[:2],
    ):
        with pytest.raises(AssertionError):
            compare(wanted, "".join(wrong))
