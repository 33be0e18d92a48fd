"""Django: plain and async views that share a session, under its test clients and in gunicorn's workers, which
are forked with sessions that were used before."""

import asyncio
import json
import subprocess
import sys
import urllib.request

import pytest
from conftest import account, logins, until

SITE = '''
"""A site in one file, as a person would write it: sessions are made once, at the import."""
import json, os, pathlib
import django
from django.conf import settings
from django.http import JsonResponse
from django.urls import path
import preopen

where = json.loads(pathlib.Path(__file__).with_name("where.json").read_text())
samco = preopen.Samco(api_key=where["api_key"], api_secret=where["api_secret"])
options = {"base_url": where["url"], "store": where["store"]}
session = preopen.Session(samco, **options)
later = preopen.AsyncSession(samco, **options)

def told(token, status):
    told = {"generation": token.generation, "token": token.expose(), "status": status}
    return JsonResponse({"pid": os.getpid(), **told})

def plain(request):
    return told(session.token(), session.get("/limit/getLimits").http_status)

async def asynchronous(request):
    reply = await later.get("/limit/getLimits")
    return told(await later.token(), reply.http_status)

urlpatterns = [path("plain", plain), path("async", asynchronous)]
if not settings.configured:
    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="for the tests", MIDDLEWARE=[])
    django.setup()
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
'''


@pytest.fixture
def site(tmp_path, broker):
    """The site's folder: its sessions share one store."""
    url, key, secret = account(broker)
    where = {"url": url, "api_key": key, "api_secret": secret, "store": f"file:{tmp_path}/store"}
    (tmp_path / "where.json").write_text(json.dumps(where))
    (tmp_path / "site_of_one_file.py").write_text(SITE)
    return tmp_path


CLIENTS = """
import asyncio, json, threading
import site_of_one_file
from django.test import AsyncClient, Client

answers = [Client().get(path).json() for path in ("/plain", "/async") for _ in range(3)]

async def main():
    client = AsyncClient()
    replies = await asyncio.gather(*[client.get(path) for path in ("/plain", "/async") for _ in range(10)])
    return [reply.json() for reply in replies]

for _ in range(2):
    answers += asyncio.run(main())
threads = [threading.Thread(target=lambda: answers.append(Client().get("/async").json())) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(answers))
"""


def assert_one_session(answers):
    assert {one["status"] for one in answers} == {200}
    assert {one["generation"] for one in answers} == {1}
    assert len({one["token"] for one in answers}) == 1


def test_views_under_the_test_clients(site, broker):
    ended = subprocess.run(
        [sys.executable, "-c", CLIENTS], cwd=site, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    answers = json.loads(ended.stdout)
    assert len(answers) == 6 + 40 + 8
    assert_one_session(answers)
    assert logins(broker) == 1


async def asked(port, path):
    def ask():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as reply:
            return json.loads(reply.read())

    return await asyncio.to_thread(ask)


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_views_in_gunicorns_workers(site, broker, worker):
    # The session is used in the master, whose threads the workers do not have.
    with (site / "site_of_one_file.py").open("a") as text:
        text.write("session.token()\n")
    command = [
        "--preload",
        "--workers",
        "2",
        "--worker-class",
        worker,
        "--threads",
        "2",
        "--bind",
        "127.0.0.1:0",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *command, "site_of_one_file:application"],
        cwd=site,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            port = None
            for line in server.stderr:
                if "Listening at: http://127.0.0.1:" in line:
                    port = int(line.split("127.0.0.1:")[1].split(" ")[0])
                    break
            answers = []

            async def round_of():
                paths = ["/plain", "/async"] * 4
                answers.extend(await asyncio.gather(*[asked(port, path) for path in paths]))

            def both():
                asyncio.run(round_of())
                return len({one["pid"] for one in answers}) == 2

            until(both, 40)
            server.terminate()
            _, err = server.communicate(timeout=30)
            assert server.returncode == 0, err
            assert "Traceback" not in err
        finally:
            server.kill()
    assert_one_session(answers)
    assert logins(broker) == 1
