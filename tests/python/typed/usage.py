"""What type checkers must understand of the package, and what they must refuse: mypy and pyright read this
file, and nothing runs it. A wrong use that a checker takes is an error too: its comment is needless then."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from datetime import datetime
from typing import Any, Dict, List, Optional

from typing_extensions import Literal, assert_type

import preopen
from preopen import AngelOne, AsyncSession, Samco, SamcoOAuth, Session
from preopen.sandbox import Requests, Sandbox
from preopen.static_ip import ChangeAnswer, may_change
from preopen.testing import check_store


async def ask_later() -> Optional[str]:
    return None


def blocking(session: Session) -> None:
    token = session.token()
    assert_type(token, preopen.Token)
    assert_type(token.expose(), str)
    assert_type(token.expires_at, datetime)
    assert_type(token.generation, int)
    assert_type(session.headers(), Dict[str, str])
    assert_type(session.broker, Literal["samco", "angelone"])
    assert_type(session.environment, Literal["live", "sandbox", "custom"])
    assert_type(session.store, Optional[str])
    reply = session.get("/x", params={"a": 1, "b": True, "c": 1.5, "d": "e"}, timeout=2)
    assert_type(reply, preopen.Reply)
    assert_type(reply.rejections, List[preopen.Rejection])
    assert_type(reply.server_time, Optional[datetime])
    assert_type(session.post("/x", json={"a": [1, None]}, replay_safe=True).http_status, int)
    assert_type(session.whoami().verdict, Literal["match", "mismatch", "unregistered", "unsupported"])
    assert_type(session.state().blocked_by, Optional[preopen.PreopenError])
    assert_type(session.preflight(strict=True).checks, List[preopen.Check])
    assert_type(session.logout().acknowledged, bool)
    with session as same, session.events() as events:
        assert_type(same, Session)
        for event in events:
            assert_type(event, preopen.SessionEvent)
            assert_type(event.error, Optional[preopen.PreopenError])
    session.stream_headers("smart-stream")
    session.login(show=lambda start: print(start.url))

    session.get(1)  # type: ignore[arg-type]
    session.get("/x", {"a": 1})  # type: ignore[call-arg]
    session.get("/x", params={"a": [1]})  # type: ignore[dict-item]
    session.get("/x", timeout="2")  # type: ignore[arg-type]
    session.patch("/x")  # type: ignore[attr-defined]
    session.stream_headers("no-such-stream")  # type: ignore[arg-type]
    session.state().name == "activ"  # type: ignore[comparison-overlap]
    session.broker = "samco"  # type: ignore[misc]
    session.closed  # type: ignore[attr-defined]
    with session.token():  # type: ignore[attr-defined]
        pass


async def awaited(session: AsyncSession) -> None:
    assert_type(await session.token(), preopen.Token)
    assert_type(await session.headers(), Dict[str, str])
    assert_type(await session.get("/x"), preopen.Reply)
    assert_type(session.state(), preopen.SessionState)
    async with session as same, session.events() as events:
        assert_type(same, AsyncSession)
        async for event in events:
            assert_type(event.generation, int)

    session.token().expose()  # type: ignore[attr-defined]
    for _ in session.events():  # type: ignore[attr-defined]
        pass
    with session:  # type: ignore[attr-defined]
        pass


def made() -> None:
    Session(Samco(api_key="k", api_secret="s"))
    Session(Samco(api_key="k", api_secret=ask_later), store="file", keep_warm=True)
    Session(AngelOne(api_key="k", client_code="c", pin=lambda: "1234", totp=lambda: None))
    AsyncSession(SamcoOAuth(api_key="k", redirect_url="http://127.0.0.1:8765/callback"))
    AsyncSession(Samco.from_env(), rate_limits={"orders": {"per_second": 5, "per_hour": None}})

    Session()  # type: ignore[call-arg]
    Session("secret")  # type: ignore[arg-type]
    Session(Samco)  # type: ignore[arg-type]
    Samco("k", "s")  # type: ignore[call-arg]
    Samco(api_key="k")  # type: ignore[call-arg]
    Samco(api_key="k", api_secret=1)  # type: ignore[arg-type]
    AngelOne(api_key="k", client_code="c", pin=1234, totp_secret="s")  # type: ignore[arg-type]
    Session(Samco.from_env(), on_store_loss="ignore")  # type: ignore[arg-type]
    Session(Samco.from_env(), keep_warn=True)  # type: ignore[call-arg]
    Session(Samco.from_env(), store=object())  # type: ignore[arg-type]


class AStore:
    """A store of one's own, without a base class."""

    async def read(self, account: str) -> Optional[str]:
        return None

    async def claim(self, account: str) -> Optional[AClaim]:
        return AClaim()


class AClaim:
    value: Optional[str] = None

    async def write(self, value: str) -> bool:
        return True

    async def release(self) -> None:
        pass


class WrongStore:
    """Its `read` gives bytes."""

    def read(self, account: str) -> bytes:
        return b""

    def claim(self, account: str) -> None:
        pass


def stores() -> None:
    store: preopen.Store = AStore()
    Session(Samco.from_env(), store=store)
    check_store(AStore())
    check_store(WrongStore())  # type: ignore[arg-type]


def errors(session: Session) -> None:
    try:
        session.post("/x")
    except preopen.RateLimitedError as error:
        assert_type(error.retry_after, Optional[float])
    except (preopen.TimeoutError, preopen.NetworkError) as error:
        assert_type(error.phase, Optional[str])
    except preopen.PreopenError as error:
        assert_type(error.code, str)
        assert_type(error.validation_errors, List[str])
        error.colour  # type: ignore[attr-defined]


def elsewhere() -> None:
    assert_type(may_change("samco", {"primary": "8.8.8.8"}), ChangeAnswer)
    may_change("zerodha")  # type: ignore[arg-type]
    with Sandbox(rate=0) as broker:
        assert_type(broker, Sandbox)
        assert_type(broker.session("samco"), Session)
        assert_type(broker.async_session("angelone"), AsyncSession)
        assert_type(broker.requests("samco", "/x"), Requests)
        assert_type(broker.accounts, List[Dict[str, Any]])
        broker.session("zerodha")  # type: ignore[arg-type]
    assert_type(preopen.generate_key(), str)
    preopen.no_such_name  # type: ignore[attr-defined]
