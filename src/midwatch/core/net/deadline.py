"""Sockets whose time-out is a total.

A socket's own time-out starts again with every byte that arrives, so that a server which drips holds a worker for ever.
These sockets look at one deadline before each wait instead.
"""

from __future__ import annotations

import os
import socket
import ssl
from functools import lru_cache
from typing import Any

from midwatch.core import clock


class Deadline:
    """A moment on the monotonic clock by which everything must be over."""

    __slots__ = ("ends_at", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.ends_at = clock.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        return clock.monotonic() >= self.ends_at

    def left(self) -> float:
        """Seconds left. Raises `TimeoutError` when there are none."""
        left = self.ends_at - clock.monotonic()
        if left <= 0:
            raise TimeoutError("the time is over")
        return left


class DeadlineSocket(socket.socket):
    """A plain socket. One call of `sendall` is bounded as a whole by Python itself."""

    deadline: Deadline | None = None

    def _hurry(self) -> None:
        if self.deadline is not None:
            self.settimeout(self.deadline.left())

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._hurry()
        return super().recv_into(*args, **kwargs)

    def recv(self, *args: Any, **kwargs: Any) -> bytes:
        self._hurry()
        return super().recv(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self._hurry()
        return super().send(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self._hurry()
        super().sendall(*args, **kwargs)


class DeadlineTlsSocket(DeadlineSocket, ssl.SSLSocket):
    """The same above TLS: each call looks at the deadline and goes on to the TLS socket. It inherits the time left at
    the handshake, which OpenSSL's binding treats as a total.
    """


def connect(ips: tuple[str, ...], port: int, deadline: Deadline) -> DeadlineSocket:
    """A connection to the first of `ips` that takes it. Raises `OSError` (the last one's)."""
    problem: OSError = OSError("no address")
    for position, ip in enumerate(ips):
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        sock = DeadlineSocket(family, socket.SOCK_STREAM)
        sock.deadline = deadline
        try:
            # A dead first address must leave time for the others.
            sock.settimeout(deadline.left() / (len(ips) - position))
            sock.connect((ip, port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            problem = error
        else:
            return sock
    raise problem


def tls_context(*, is_verified: bool = True, ca_pem: str = "") -> ssl.SSLContext:
    """`ca_pem`: authorities that are believed instead of the usual ones. Raises `ssl.SSLError` when they cannot be read."""
    return _tls_context(is_verified, ca_pem, os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", ""))


@lru_cache(maxsize=32)
def _tls_context(is_verified: bool, ca_pem: str, _cert_file: str, _cert_dir: str) -> ssl.SSLContext:
    """Loading the authorities takes some 20 ms, so once; again when OpenSSL's own variables name other ones."""
    context = ssl.create_default_context(cadata=ca_pem or None)
    context.sslsocket_class = DeadlineTlsSocket
    if not is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
