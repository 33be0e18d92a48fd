"""Where the official clients' streams may connect to: a handshake has the session's tokens."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from .errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from ._base import SessionBase

__all__ = ["stream_url"]


def stream_url(session: SessionBase, url: Optional[str], own: str) -> str:
    """`url`, or the client's `own`: a sandbox session connects to loopback alone, any other to the client's
    own address alone. Raises `InvalidInputError` (field ``url``)."""
    if session.environment == "sandbox":
        if url is None or not _is_loopback(url):
            problem = (
                "url must be a loopback address for a sandbox session: the broker's stream does not know it"
            )
            raise InvalidInputError(problem, field="url")
        return url
    if url not in (None, own) or not own.startswith("wss://"):
        raise InvalidInputError(f"url must be {own}: tokens are sent to no other stream", field="url")
    return own


def _is_loopback(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("ws", "wss") or "\\" in url or "@" in parts.netloc:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
