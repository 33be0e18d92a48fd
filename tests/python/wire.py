"""Servers that a test plays by hand: plain or TLS, one answer for everything but the login."""

import contextlib
import json
import socket
import socketserver
import ssl
import threading

from conftest import LOGIN, ROOT

TLS = ROOT / "tests" / "faults" / "tls"
TOKEN = "CANARY-token-of-a-server-that-is-played"
READ = json.dumps({"status": "Success", "quoteDetails": {"symbolName": "INFY"}}).encode()


def reply(body, close=False):
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body, close


class Handler(socketserver.StreamRequestHandler):
    """Answers the requests of one connection, and keeps what they were."""

    def handle(self):
        with contextlib.suppress(OSError):
            while self.one():
                pass

    def one(self):
        line = self.rfile.readline()
        if not line:
            return False
        length, headers = 0, {}
        for header in iter(self.rfile.readline, b"\r\n"):
            if not header:
                return False
            name, _, value = header.partition(b":")
            headers[name.decode()] = value.strip().decode()
            if name.lower() == b"content-length":
                length = int(value)
        self.server.bodies.append(self.rfile.read(length))
        path = line.split()[1].decode().split("?")[0]
        self.server.seen.append(path)
        self.server.headers.append(headers)
        answer, close = self.server.answer(path)
        self.wfile.write(answer)
        self.wfile.flush()
        return not close


class Server(socketserver.ThreadingTCPServer):
    """``answer(path)`` gives bytes, and whether the connection ends then."""

    allow_reuse_address = daemon_threads = True
    block_on_close = False

    def __init__(self, answer, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen, self.headers, self.bodies, self.answer, self.context = [], [], [], answer, None
        #: How many connected, whether they sent a request or not.
        self.connected = 0
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(TLS / f"{certificate}.pem")
        scheme = "http" if certificate is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self.server_address[1]}"

    def finish_request(self, request, client_address):
        self.connected += 1
        # On the connection's own thread: a handshake that fails is none of the others' business.
        with contextlib.suppress(OSError):
            if self.context is None:
                super().finish_request(request, client_address)
                return
            options = {"server_side": True, "do_handshake_on_connect": False}
            with self.context.wrap_socket(request, **options) as secured:
                secured.do_handshake()
                super().finish_request(secured, client_address)

    def handle_error(self, request, client_address):
        pass


@contextlib.contextmanager
def serving(answer, certificate=None):
    with Server(answer, certificate) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def broker(body=READ, close=False, login=None):
    """The answers of a Samco that says `body` to everything; a login works unless `login` is a body."""
    token = json.dumps({"status": "Success", "sessionToken": TOKEN, "accountID": "M1"}).encode()

    def answer(path):
        if path == LOGIN["samco"]:
            return reply(token if login is None else login, close)
        return reply(body, close)

    return answer


def unused_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
