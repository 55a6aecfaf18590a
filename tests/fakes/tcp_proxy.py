"""A way to a server that can be cut: refused, hanging (bytes are taken and go nowhere), or reset."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Self

LINGER_NONE = struct.pack("ii", 1, 0)  # close() then sends a reset


class TcpProxy:
    """Listens on a loopback port of its own and hands everything on to `target`, while `heal()` was the last word."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._passes = threading.Event()
        self._passes.set()
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._is_closed = False
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._listening: socket.socket | None = None
        self._listen()

    # --- what may happen to a network ---

    def refuse(self) -> None:
        """Nobody listens any more, and what was open is reset."""
        listening, self._listening = self._listening, None
        if listening is not None:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listening.close()
        self.reset()

    def hang(self) -> None:
        """Connections are taken and stay open, and no byte arrives at the other end."""
        self._passes.clear()

    def reset(self) -> None:
        """What is open is reset; new connections pass."""
        with self._lock:
            pairs, self._pairs = list(self._pairs), set()
        for pair in pairs:
            for end in pair:
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
                    end.shutdown(socket.SHUT_RD)  # wakes the thread that reads from it
                with suppress(OSError):
                    end.close()

    def heal(self) -> None:
        """All well again. What hung goes on where it was."""
        if self._listening is None:
            self._listen()
        self._passes.set()

    # --- the pipe ---

    def _listen(self) -> None:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", self.port))
        made.listen(128)
        self._listening = made
        threading.Thread(target=self._accept, args=(made,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        self._passes.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
            client.close()
            return
        server.settimeout(None)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = (client, server)
        with self._lock:
            self._pairs.add(pair)
        threading.Thread(target=self._pump, args=(client, server, pair), daemon=True).start()
        self._pump(server, client, pair)

    def _pump(self, source: socket.socket, sink: socket.socket, pair: tuple[socket.socket, socket.socket]) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                self._passes.wait()
                sink.sendall(data)
        self._passes.wait()
        with self._lock:
            self._pairs.discard(pair)
        for end in pair:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            with suppress(OSError):
                end.close()

    def close(self) -> None:
        self._passes.set()
        self.refuse()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
