"""A WebSocket server on loopback that a test plays: it keeps the headers of each handshake and closes."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socketserver
import threading
from typing import Iterator

#: What RFC 6455 has servers add to a client's key.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class _Handshake(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.rfile.readline()
        headers = {}
        for line in iter(self.rfile.readline, b"\r\n"):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        self.server.handshakes.append(headers)
        digest = hashlib.sha1(headers["sec-websocket-key"].encode() + _GUID).digest()
        accept = base64.b64encode(digest).decode()
        reply = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        # The reply, and at once a close frame: normal closure.
        self.wfile.write(f"{reply}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode() + b"\x88\x02\x03\xe8")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handshake)
        self.handshakes: list[dict[str, str]] = []
        self.url = f"ws://127.0.0.1:{self.server_address[1]}"


@contextlib.contextmanager
def streaming() -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
