"""The wheels for Python without the GIL. A release has them; without such a Python none can be built."""

from __future__ import annotations

from conftest import LIMITS, PYTHON_VERSION, in_wheel, only
from native import fits


def test_python_without_the_gil_has_a_wheel_of_its_own(target):
    path = only(f"preopen-{PYTHON_VERSION}-cp314-cp314t-{target['wheel']}.whl")
    assert path.stat().st_size <= LIMITS["wheel"]
    files = in_wheel(path)
    [native] = [
        name for name in files if name.startswith("preopen/_native.c") and name.endswith((".so", ".pyd"))
    ]
    assert "314t" in native
    fits(files[native], target)
