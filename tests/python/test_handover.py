"""Handing a session to another program: sealed, openly, and all that is refused before it is used."""

import asyncio
import json
import os
import pathlib
import pickle
import traceback

import pytest
from conftest import QUOTE, READ, logins, script

import preopen
from preopen import _native
from preopen.sandbox import Sandbox

BROKERS = ["samco", "angelone"]


@pytest.fixture
def key():
    return preopen.generate_key()


def refused(call, *arguments):
    """The field of an `InvalidInputError` that holds nothing of what it refuses."""
    with pytest.raises(preopen.InvalidInputError) as caught:
        call(*arguments)
    for text in arguments:
        if isinstance(text, str) and len(text) > 16:
            assert text not in str(caught.value)
    assert caught.value.__context__ is None
    return caught.value.field


@pytest.mark.parametrize("broker", BROKERS)
def test_a_sealed_session_goes_on_elsewhere(sandbox, broker, key):
    first = sandbox.session(broker)
    record = first.export(key)
    token = first.token()
    assert record.startswith("preopen1.")
    assert record == record.strip()
    assert len(record.splitlines()) == 1
    for secret in (token.expose(), key, *account_of(sandbox, broker).values()):
        assert str(secret) not in record or len(str(secret)) < 4
    second = sandbox.session(broker)
    events = second.events()
    second.prime(f" {record}\n", key)
    taken = second._native.try_token()
    assert taken.expose() == token.expose()
    assert (taken.generation, taken.expires_at) == (1, token.expires_at)
    assert second.state().issued_at == first.state().issued_at
    assert second.state().expiry_evidence == first.state().expiry_evidence
    assert next(events).name == "renewed"
    assert second.get(READ[broker], params=QUOTE).http_status == 200
    assert second.profile() == first.profile()
    assert logins(sandbox, broker) == 1


def account_of(sandbox, broker):
    return next(one for one in sandbox.accounts if one["broker"] == broker)


def test_an_exposed_session_is_json_with_its_token(sandbox):
    first = sandbox.session("samco")
    record = first.export_exposed()
    token = first.token().expose()
    assert json.loads(record)["tokens"][0] == ["access", token]
    second = sandbox.session("samco")
    # A key that is there by chance does no harm.
    second.prime(record, preopen.generate_key())
    assert second.token().expose() == token
    assert logins(sandbox) == 1


def test_asyncio_sessions_hand_over_too(sandbox, key):
    first, second = (sandbox.async_session("samco") for _ in range(2))

    async def main():
        second.prime(await first.export(key), key)
        assert (await second.token()).expose() == (await first.token()).expose()
        third = sandbox.async_session("samco")
        third.prime(await second.export_exposed())
        return (await third.token()).expose() == (await first.token()).expose()

    assert asyncio.run(main())
    assert logins(sandbox) == 1


def test_a_smartapi_session_brings_its_refresh_token(sandbox, key):
    second = sandbox.session("angelone")
    second.prime(sandbox.session("angelone").export(key), key)
    second.invalidate(1)
    assert second.token().generation == 2
    assert logins(sandbox, "angelone") == 1


OTHER = """
import sys
import preopen
record = sys.stdin.read()
session = preopen.Session(
    preopen.Samco(api_key=sys.argv[2], api_secret=sys.argv[3]), base_url=sys.argv[1]
)
session.prime(record)
print(session.get("/limit/getLimits").http_status, session.token().expose())
"""


def test_another_process_with_the_key_in_its_environment(sandbox, key, monkeypatch):
    monkeypatch.setenv("PREOPEN_KEY", key)
    account = account_of(sandbox, "samco")
    session = sandbox.session("samco")
    with script(OTHER, sandbox.samco_url, account["api_key"], account["api_secret"]) as child:
        out, err = child.communicate(session.export(), timeout=30)
    assert (err, child.returncode) == ("", 0)
    assert out.split() == ["200", session.token().expose()]
    assert logins(sandbox) == 1


def test_keys(sandbox, monkeypatch, key):
    monkeypatch.delenv("PREOPEN_KEY", raising=False)
    assert len({preopen.generate_key() for _ in range(50)}) == 50
    assert len(key) == 43
    session = sandbox.session("samco")
    record = session.export(key)
    for bad in ("", "short", key[:-1], key + "A", "x" * 43 + "!", 12, b"x" * 43):
        assert refused(session.export, bad) == "key"
        assert refused(sandbox.session("samco").prime, record, bad) == "key"
    assert refused(session.export) == "key"
    assert refused(sandbox.session("samco").prime, record) == "key"
    monkeypatch.setenv("PREOPEN_KEY", "short")
    assert refused(session.export) == "key"
    # Nothing was sent for a key that is none.
    assert logins(sandbox) == 1
    monkeypatch.setenv("PREOPEN_KEY", key)
    sandbox.session("samco").prime(session.export())


def test_an_asyncio_export_refuses_a_bad_key_when_it_is_awaited(sandbox):
    session = sandbox.async_session("samco")

    async def main():
        coroutine = session.export("short")
        with pytest.raises(preopen.InvalidInputError) as caught:
            await coroutine
        return caught.value.field

    assert asyncio.run(main()) == "key"
    assert logins(sandbox) == 0


def test_a_wrong_key_and_a_changed_record_are_refused(sandbox, key):
    session = sandbox.session("samco")
    record = session.export(key)
    cold = sandbox.session("samco")
    assert refused(cold.prime, record, preopen.generate_key()) == "record"
    for at in range(len(record)):
        other = "A" if record[at] != "A" else "B"
        assert refused(cold.prime, record[:at] + other + record[at + 1 :], key) == "record", at
        assert refused(cold.prime, record[:at], key) == "record", at
    exposed = session.export_exposed()
    for bad in (
        "",
        "x",
        "{}",
        "{",
        exposed[:-1],
        exposed.replace('"access"', '"other"'),
        "null",
        5,
        None,
        b"{}",
    ):
        assert refused(cold.prime, bad, key) == "record", bad
    assert cold.state().name == "signed_out"
    assert cold.token().generation == 1


def test_a_record_of_another_account_or_broker_is_refused(sandbox, key):
    record = sandbox.session("samco").export(key)
    exposed = sandbox.session("samco").export_exposed()
    other = sandbox.session("samco", credentials=sandbox.samco_credentials(1))
    for session in (other, sandbox.session("angelone")):
        assert refused(session.prime, record, key) == "record"
        assert refused(session.prime, exposed) == "record"
        assert session.state().name == "signed_out"


def test_a_record_that_is_over_or_older_is_refused(sandbox, key):
    sandbox.clock.set("2026-11-23T10:00:00+05:30")
    first = sandbox.session("samco")
    old = first.export(key)
    sandbox.clock.advance(seconds=3600)
    first.invalidate(1)
    new = first.export(key)
    second = sandbox.session("samco")
    second.prime(new, key)
    # The same once more changes nothing.
    second.prime(new, key)
    assert second.token().generation == 1
    assert refused(second.prime, old, key) == "record"
    sandbox.clock.advance_to("08:00 IST")
    assert refused(sandbox.session("samco").prime, new, key) == "record"
    closed = sandbox.session("samco")
    closed.close()
    assert refused(closed.prime, new, key) == "session"


# X4: what belongs to the embedded broker is never used at a live one, nor the reverse.


@pytest.mark.parametrize("kind", [preopen.Session, preopen.AsyncSession])
def test_sandbox_credentials_are_refused_by_a_live_session(sandbox, kind):
    for credentials in (sandbox.samco_credentials(), sandbox.angelone_credentials()):
        assert refused(kind, credentials) == "base_url"
        with pytest.raises(preopen.InvalidInputError) as caught:
            kind(credentials, allowed_hosts=["broker.example"], base_url="https://broker.example")
        assert caught.value.field == "base_url"


@pytest.mark.parametrize("kind", [preopen.Session, preopen.AsyncSession])
def test_a_sandbox_record_is_refused_by_a_live_session_before_anything_is_sent(sandbox, key, kind):
    session = sandbox.session("samco")
    records = [session.export(key), session.export_exposed()]
    live = kind(preopen.Samco(api_key="a-key", api_secret="a-secret"))
    assert live.environment == "live"
    before = connections()
    for record in records:
        assert refused(live.prime, record, key) == "record"
        with pytest.raises(preopen.InvalidInputError, match="sandbox session"):
            live.prime(record, key)
    assert live.state().name == "signed_out"
    assert connections() == before


def connections():
    folder = pathlib.Path("/proc/self/fd")
    targets = (os.readlink(path) for path in folder.iterdir() if path.exists()) if folder.exists() else ()
    return sorted(target for target in targets if target.startswith("socket:"))


def test_records_of_two_sandboxes_are_kept_apart(sandbox, key):
    record = sandbox.session("samco").export(key)
    with Sandbox() as another:
        session = another.session("samco", credentials=sandbox.samco_credentials())
        assert refused(session.prime, record, key) == "record"


def test_frames_hide_the_record_and_the_key(sandbox, key):
    session = sandbox.session("samco")
    record = session.export_exposed()
    token = session.token().expose()
    package = str(pathlib.Path(preopen.__file__).parent)
    for call, arguments in (
        (session.prime, (record[:-1], key)),
        (session.export, (key + token,)),
        (lambda text: asyncio.run(sandbox.async_session("samco").export(text)), (key + token,)),
    ):
        with pytest.raises(preopen.InvalidInputError) as caught:
            call(*arguments)
        told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        frames = [frame for frame in told.stack if frame.filename.startswith(package)]
        assert frames
        for frame in frames:
            for text in (frame.locals or {}).values():
                assert token not in text
                assert key not in text


def test_the_native_work_is_no_way_around(sandbox, key):
    work = sandbox.session("samco")._native.export(key)
    assert isinstance(work, _native.Work)
    with pytest.raises(TypeError):
        pickle.dumps(work)
    assert key not in repr(work)
