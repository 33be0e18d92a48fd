"""What the shared vectors and scenarios do not ask of the generated Python."""

import asyncio
import json
from datetime import datetime

import pytest
import skin
from conftest import LOGIN, ROOT, assert_has, logins
from skin import native

import preopen

STATIC_IP = sorted((ROOT / "tests" / "vectors" / "static_ip").glob("*.json"))
SECRET = "a-secret-that-nobody-shows"


def test_every_code_has_a_case_of_its_own():
    assert list(skin.errors.BY_CODE) == native.error_catalogue()
    assert set(native.error_catalogue()) == set(preopen.errors.BY_CODE)


def test_both_packages_know_the_same_events():
    from preopen import _native

    assert native.event_catalogue() == _native.event_catalogue()


def cases():
    for path in STATIC_IP:
        vector = json.loads(path.read_text())
        for number, case in enumerate(vector["cases"]):
            yield pytest.param({**vector["given"], **case["asked"]}, case, id=f"{path.stem}-{number}")


def compare(found, expected):
    for name, wanted in expected.items():
        if name.endswith("_contains"):
            assert wanted in found[name[: -len("_contains")]]
        elif name in ("at", "last_counted") and wanted is not None:
            assert moment(found[name]) == moment(wanted)
        else:
            assert_has(found, {name: wanted})


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@pytest.mark.parametrize(("asked", "case"), cases())
def test_static_ip_vector(asked, case):
    text = json.dumps({name: value for name, value in asked.items() if value is not None})
    if "error" in case:
        with pytest.raises(skin.PreopenError) as caught, skin.translated():
            native.static_ip_may_change(text)
        compare(vars(caught.value.info), case["error"])
    else:
        compare(json.loads(native.static_ip_may_change(text)), case["ok"])


def test_an_address_is_checked():
    assert native.static_ip_check(" 8.8.8.8 ") == "8.8.8.8"
    with pytest.raises(native.PreopenError.InvalidInput) as caught:
        native.static_ip_check("10.0.0.1")
    assert caught.value.info.field == "address"


def raises():
    raise KeyError(SECRET)


def shown(thing):
    return f"{thing!r} {thing} {thing:}"


def test_nothing_shows_a_secret(sandbox, capfd):
    given = native.SecretSource.given(SECRET)
    store = native.Store(f"redis://:{SECRET}@127.0.0.1:1", SECRET)
    session = sandbox.session("samco")
    live = session.session
    token, headers = live.blocking().token(), live.blocking().headers()
    start = sandbox.session(
        "samco", credentials=skin.samco_oauth("key", "http://127.0.0.1:9/c")
    ).begin_login()
    state = start.url.partition("state=")[2]
    text = shown([given, store, live, live.blocking(), token, headers, start.inner, live.state()])
    for one in (given, store, live, live.blocking(), token, headers, start.inner, live.state()):
        text += shown(one)
    refused = sandbox.session("samco", credentials=skin.samco("key", raises))
    with pytest.raises(skin.PreopenError) as caught:
        refused.token()
    error = caught.value
    assert (error.code, error.field) == ("invalid_input", "api_secret")
    text += shown(error) + shown(error.info) + shown(error.__cause__) + "".join(capfd.readouterr())
    assert state
    for secret in (SECRET, token.expose(), state):
        assert secret not in text
    assert "redacted" in shown(token)


def test_a_wait_that_is_given_up_leaves_the_login_alive(sandbox):
    sandbox.fault("samco", LOGIN["samco"], delay_ms=500, times=1)
    session = sandbox.async_session("samco")

    async def impatient():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(session.token(), 0.05)
        return await session.token()

    assert asyncio.run(impatient()).generation == 1
    assert logins(sandbox) == 1


def test_a_session_and_its_blocking_face_are_one(sandbox):
    session = sandbox.session("samco").session
    assert (session.broker(), session.environment(), session.store()) == ("samco", "sandbox", None)
    assert session.try_token() is None
    token = session.blocking().token()
    assert session.try_token().expose() == token.expose()
    assert [
        header.name for header in session.blocking().headers().expose()
    ] == session.blocking().headers().names()


def test_options_reach_rust(sandbox, tmp_path):
    account = next(one for one in sandbox.accounts if one["broker"] == "samco")
    credentials = native.Credentials.samco(
        account["api_key"], native.SecretSource.given(account["api_secret"])
    )
    store = native.Store(f"file:{tmp_path}", native.generate_key())
    options = native.SessionOptions(base_url=sandbox.samco_url, ca_file=sandbox.ca_file, store=store)
    first, second = native.Session(credentials, options), native.Session(credentials, options)
    assert first.blocking().token().expose() == second.blocking().token().expose()
    assert logins(sandbox) == 1
    for name, wrong in {"timeout": -1.0, "ip_version": 5, "on_store_loss": "x"}.items():
        with pytest.raises(native.PreopenError.InvalidInput) as caught:
            native.Session(credentials, native.SessionOptions(**{name: wrong}))
        assert caught.value.info.field == name
    with pytest.raises(native.PreopenError.InvalidInput) as caught:
        told = [native.NameValue(name="mac_address", value="no address")]
        given = native.SecretSource.given
        angel = native.Credentials.angel_one("k", "A1", given("1234"), given("JBSWY3DPEHPK3PXP"), told)
        native.Session(angel)
    assert caught.value.info.field == "mac_address"


def test_a_call_has_headers_and_a_time_limit(sandbox):
    session = sandbox.session("samco").session.blocking()
    header = native.NameValue(name="x-strategy", value="INFY 1")
    query = [native.NameValue(name=name, value=value) for name, value in {"symbolName": "INFY"}.items()]
    session.get("/quote/getQuote", native.CallOptions(params=query, headers=[header], timeout=5.0))
    with pytest.raises(native.PreopenError.InvalidInput) as caught:
        session.get("/quote/getQuote", native.CallOptions(timeout=0.0))
    assert caught.value.info.field == "timeout"


def test_a_callback_that_waits_for_its_own_session_is_told(sandbox):
    holder = []

    async def later():
        await holder[0].token()

    for ask in (lambda: holder[0].blocking().token(), lambda: asyncio.run(later())):
        told = []

        def callback(ask=ask, told=told):
            try:
                ask()
            except native.PreopenError as error:
                told.append(error.info.code)
            return None

        holder[:] = [sandbox.session("samco", credentials=skin.samco("key", callback)).session]
        with pytest.raises(native.PreopenError.LoginRequired):
            holder[0].blocking().token()
        assert told == ["invalid_input"]
