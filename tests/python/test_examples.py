"""The examples: against the embedded broker, and a WebSocket server of the standard library."""

import asyncio
import base64
import contextlib
import hashlib
import importlib.util

import pytest
from conftest import ROOT, logins


@pytest.fixture
def example():
    return load("websocket_headers")


def load(name):
    path = ROOT / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Server:
    """A WebSocket server that only knows handshakes: it keeps their headers, and one text frame for each."""

    def __init__(self, header):
        self.header, self.seen, self.refuse = header, [], 0
        self.connections = asyncio.Queue()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader, writer):
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = (line.split(": ", 1) for line in request.split("\r\n")[1:] if line)
        headers = {name.lower(): value for name, value in lines}
        self.seen.append(headers.get(self.header))
        if self.refuse:
            self.refuse -= 1
            writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        else:
            key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
            writer.write(
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                f"sec-websocket-accept: {accept}\r\n\r\n".encode()
            )
            writer.write(b"\x81\x05hello")
            await self.connections.put(writer)
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


class Socket:
    """The client's end: text frames of less than 126 bytes."""

    def __init__(self, reader):
        self._reader = reader

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            kind, length = await self._reader.readexactly(2)
            assert kind == 0x81
            return (await self._reader.readexactly(length)).decode()
        except asyncio.IncompleteReadError:
            raise ConnectionError("the server went away") from None


def connector(example):
    @contextlib.asynccontextmanager
    async def connect(url, headers):
        host, port = url[len("ws://") :].rstrip("/").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        lines = ["GET / HTTP/1.1", f"host: {host}", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        try:
            status = (await reader.readuntil(b"\r\n\r\n")).split()[1]
            if status != b"101":
                raise example.TokenRefusedError(status)
            yield Socket(reader)
        finally:
            writer.close()

    return connect


HEADERS = {
    "stream": "x-session-token",
    "smart-order-update": "authorization",
    "smart-stream": "authorization",
}


@pytest.mark.parametrize("stream", HEADERS)
def test_a_websocket_is_always_on_the_live_token(sandbox, example, stream):
    broker = "samco" if stream == "stream" else "angelone"
    received = []

    async def receive(socket):
        async for message in socket:
            received.append(message)

    async def main():
        session = sandbox.async_session(broker)
        async with Server(HEADERS[stream]) as server:
            streaming = asyncio.ensure_future(
                example.keep_streaming(session, receive, server.url, connector(example), 0.01, stream)
            )

            async def connected(seconds=10):
                connection = await asyncio.wait_for(server.connections.get(), seconds)
                shown = server.seen[-1].split()[-1]
                assert shown == (await session.token()).expose()
                return connection

            await connected()
            # Renewed: the old connection is left for one with the new token.
            session.invalidate(1)
            assert (await session.token()).generation == 2
            second = await connected()
            # Lost: another one with the same token.
            second.transport.abort()
            await connected()
            assert server.seen[-1] == server.seen[-2]
            # Refused: another login.
            server.refuse = 1
            session.invalidate(2)
            await session.token()
            await connected()
            assert (await session.token()).generation == 4
            await session.close()
            await asyncio.wait_for(streaming, 5)
            assert len(server.seen) == 5
        # Nothing is left of it; the server's own tasks may still be on their way.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert [task for task in left if "Server." not in repr(task)] == []

    asyncio.run(main())
    assert received == ["hello"] * len(received)
    assert len(received) >= 3
    assert logins(sandbox, broker) == {"samco": 4, "angelone": 1}[broker]


def test_the_example_says_what_it_needs(example, monkeypatch):
    monkeypatch.setattr(example, "websockets", None)
    with pytest.raises(SystemExit, match="pip install websockets"):
        asyncio.run(example.main("samco"))


def test_a_month_in_steps_of_half_an_hour(capsys):
    seen, logins = load("soak_month").soak(minutes=30)
    assert (dict(seen), logins) == ({"ok": 535, "broker_unavailable": 4}, 31)
    told = [line[:20] for line in capsys.readouterr().out.splitlines()]
    assert told == [f"2026-11-{day} 11:00 IST" for day in ("04", "11", "18", "25")]
