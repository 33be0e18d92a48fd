"""Keeps the WebSocket of a broker on a live token: connects with the session's headers, and connects again
with new ones as soon as the session is renewed.

    SAMCO_API_KEY=... SAMCO_API_SECRET=... python examples/websocket_headers.py samco 3045_NSE

It needs the package ``websockets`` (13 or newer); any other client does as well, see `connect`.
"""

import asyncio
import contextlib
import json
import sys

import preopen

try:
    import websockets
    from websockets.asyncio.client import connect as open_websocket
except ImportError:
    websockets = None

#: Where each broker streams, by the broker's names of its streams (documented). What happens to an open
#: connection when its token ends is documented by neither: here it is replaced when there is a new one.
STREAMS = {
    "samco": {"stream": "wss://stream.samco.in"},
    "angelone": {
        # A handshake is refused with 401 for an invalid and 403 for an expired token (documented).
        "smart-order-update": "wss://tns.angelone.in/smart-order-update",
        # Quotes, in binary frames, for what you subscribe to.
        "smart-stream": "wss://smartapisocket.angelone.in/smart-stream",
    },
}

#: Seconds before the next try after a refused or lost connection: twice as long each time, up to the second.
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0


class TokenRefusedError(Exception):
    """The handshake was answered with 401 or 403."""


@contextlib.asynccontextmanager
async def connect(url, headers):
    """A connection of the package ``websockets``. Another client takes its place if it raises
    `TokenRefusedError` for a refused token and `ConnectionError` for everything else that goes wrong."""
    try:
        async with open_websocket(url, additional_headers=headers) as socket:
            yield socket
    except websockets.exceptions.InvalidStatus as error:
        refused = error.response.status_code in (401, 403)
        raise (TokenRefusedError if refused else ConnectionError)(str(error)) from None
    except websockets.exceptions.WebSocketException as error:
        raise ConnectionError(str(error)) from None


async def keep_streaming(session, receive, url=None, connect=connect, first_wait=FIRST_WAIT, stream=None):
    """Calls ``receive(socket)`` with one connection after another, until the session is closed; `stream` is
    one of `STREAMS`, by default the broker's first."""
    streams = STREAMS[session.broker]
    stream = stream or next(iter(streams))
    wait = first_wait
    async with session.events() as events:
        while True:
            token = await session.token()
            headers = await session.stream_headers(stream)
            try:
                async with connect(url or streams[stream], headers) as socket:
                    wait = first_wait
                    renewed = await until_renewed(session, events, token, receive(socket))
            except TokenRefusedError:
                # The next headers come from a new login.
                session.invalidate(token.generation)
                renewed = False
            except OSError:
                renewed = False
            if session.state().name == "closed":
                return
            if not renewed:
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)


async def until_renewed(session, events, token, receiving):
    """Receives until there is a newer token (true), or until the connection or the session ends (false)."""

    async def newer_token():
        # An event that is not looked at here is kept for the next time.
        async for event in events:
            if event.name in ("renewed", "lagged") and session.state().generation > token.generation:
                return True
        return False

    received, renewal = asyncio.ensure_future(receiving), asyncio.ensure_future(newer_token())
    try:
        await asyncio.wait({received, renewal}, return_when=asyncio.FIRST_COMPLETED)
        if received.done():
            received.result()
        return renewal.done() and renewal.result()
    finally:
        for task in (received, renewal):
            task.cancel()
        await asyncio.wait({received, renewal})


async def main(broker, *symbols):
    if websockets is None:
        sys.exit("this example needs the package websockets: pip install websockets")
    credentials = {"samco": preopen.Samco, "angelone": preopen.AngelOne}[broker].from_env()

    async def receive(socket):
        if broker == "samco":
            # Documented: each frame ends with a line feed, or the subscription never starts.
            data = {"symbols": [{"symbol": symbol} for symbol in symbols]}
            request = {"streaming_type": "quote", "data": data, "request_type": "subscribe"}
            await socket.send(json.dumps({"request": {**request, "response_format": "json"}}) + "\n")
        async for message in socket:
            print(message)

    # Kept warm, the session is renewed after its daily end although nobody calls it.
    async with preopen.AsyncSession(credentials, keep_warm=True) as session:
        await keep_streaming(session, receive)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
