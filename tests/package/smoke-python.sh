#!/bin/sh
# In a clean container, with the packages in /src/dist: installs the wheels without a registry, and uses them.
set -eu
if ! python3 -c 'import ensurepip, sys, venv; assert sys.version_info >= (3, 8)' 2>/dev/null; then
    if command -v apt-get >/dev/null; then
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
    else
        dnf install -y -q python38 >/dev/null
    fi
fi
python=python3
command -v python3.8 >/dev/null && python=python3.8
"$python" -m venv clean
clean/bin/pip install --quiet --no-index --find-links /src/dist "preopen[sandbox]"
clean/bin/python /src/tests/package/smoke.py
