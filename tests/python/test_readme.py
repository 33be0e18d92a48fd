"""The README's sandbox example, run as it stands."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_readme_example_runs():
    blocks = re.findall(
        r"<!-- tests/python/test_readme.py[^\n]*-->\n```python\n(.*?)```", README.read_text("utf-8"), re.S
    )
    assert len(blocks) == 1
    exec(compile(blocks[0], "README.md", "exec"), {"__name__": "readme"})
