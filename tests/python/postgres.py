"""A PostgreSQL server of the tests' own: in a temporary folder, reached over a Unix socket in it."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile


def programs():
    """The folder of the newest server here; Debian does not put it on the PATH."""
    here = shutil.which("initdb")
    folders = sorted(
        pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name)
    )
    folders = ([pathlib.Path(here).parent] if here else []) + folders
    assert folders, "these tests need a PostgreSQL server (Debian: apt-get install postgresql)"
    return folders[-1]


@contextlib.contextmanager
def server():
    """Starts it, and gives what libpq needs to reach it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="preopen-pg-", dir="/tmp"))
    run_as = []
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        run_as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
        shutil.chown(str(folder), "postgres", "postgres")
    data, log = folder / "data", folder / "log"

    def run(program, *arguments):
        command = [*run_as, str(programs() / program), *map(str, arguments)]
        done = subprocess.run(
            command, cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120
        )
        text = done.stdout.decode() + (log.read_text() if done.returncode and log.exists() else "")
        assert done.returncode == 0, f"{program} failed: {text}"

    try:
        run("initdb", "--pgdata", data, "--username=preopen", "--auth=trust", "--no-sync", "--encoding=UTF8")
        settings = (
            f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=200"
        )
        run("pg_ctl", "start", "--wait", "--pgdata", data, "--log", log, "--options", settings)
        try:
            yield f"host={folder} user=preopen dbname=postgres"
        finally:
            run("pg_ctl", "stop", "--wait", "--mode=immediate", "--pgdata", data)
    finally:
        shutil.rmtree(str(folder))
