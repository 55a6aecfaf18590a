"""WebSockets out (RFC 6455): the same door and the same checks of where they go; the frames are the library's (`websockets`).

Not imported by the package itself: who needs none does not load the library.
"""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from midwatch.core.net import tcp
from midwatch.core.net.errors import NetError

MESSAGE_BYTES_MAX = 1_000_000
PING_SECONDS = 20.0


class WebSocket:
    """An open one. Messages are text; another thread may send while one receives."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def send(self, text: str) -> None:
        """Raises `NetError` when it is closed."""
        try:
            self._connection.send(text)
        except (WebSocketException, OSError):
            raise NetError("the connection was closed") from None

    def receive(self, seconds: float) -> str | None:
        """The next message; None when none came within `seconds`. Raises `NetError` when it is closed."""
        try:
            message = self._connection.recv(timeout=seconds)
        except TimeoutError:
            return None
        except (WebSocketException, OSError):
            raise NetError("the connection was closed") from None
        return message if isinstance(message, str) else message.decode("utf-8", "replace")

    def close(self) -> None:
        self._connection.close()


def open_websocket(url: str, *, is_trusted: bool, timeout_seconds: float = 10.0) -> WebSocket:
    """`url`: ws:// or wss://. Raises `NetError` or `AddressRefused`, whose text holds no path and no query."""
    parts = urlsplit(url)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise NetError("this is no ws:// or wss:// address")
    is_secure = parts.scheme == "wss"
    port = parts.port or (443 if is_secure else 80)
    sock = tcp(parts.hostname, port, is_trusted=is_trusted, timeout_seconds=timeout_seconds)
    try:
        return WebSocket(
            connect(
                url,
                sock=sock,
                ssl=ssl.create_default_context() if is_secure else None,
                open_timeout=timeout_seconds,
                close_timeout=2.0,
                ping_interval=PING_SECONDS,
                ping_timeout=PING_SECONDS,
                max_size=MESSAGE_BYTES_MAX,
                proxy=None,
            )
        )
    except (WebSocketException, OSError, TimeoutError) as error:
        sock.close()
        raise NetError(f"{parts.hostname}:{port} opens no WebSocket ({type(error).__name__})") from None
