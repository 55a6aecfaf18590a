"""A connection that is kept for the next request is used only where a new one would have been made in the same way."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from midwatch.core import clock, net
from midwatch.core.net import addresses, lines

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
RESET = struct.pack("ii", 1, 0)


@pytest.fixture(autouse=True)
def _none_is_left() -> Iterator[None]:
    lines.lines.close()
    yield
    lines.lines.close()


@dataclass
class Server:
    """Answers what it is told, request by request, and counts the connections it was opened."""

    address: str = "127.0.0.1"
    answer: bytes = OK
    answers_max: int = 1_000  # of one connection: then it is closed
    is_rude: bool = False  # takes the request after those, and resets the connection without an answer
    tls: ssl.SSLContext | None = None
    connections: list[socket.socket] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __enter__(self) -> Server:
        self.listening = socket.create_server((self.address, 0))
        self.port = int(self.listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.listening.close()
        for sock in self.connections:
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.listening.accept()
            except OSError:
                return
            self.connections.append(sock)
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock: socket.socket) -> None:
        try:
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
            for _ in range(self.answers_max):
                self._read(sock)
                sock.sendall(self.answer)
            if self.is_rude:
                self._read(sock)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.close()
        except OSError:
            pass
        with self.changed:
            self.changed.notify_all()

    def _read(self, sock: socket.socket) -> None:
        text = b""
        while b"\r\n\r\n" not in text:
            got = sock.recv(65_536)
            if not got:
                raise ConnectionResetError
            text += got
        head, _, body = text.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
        )
        while len(body) < length:
            body += sock.recv(65_536)
        with self.changed:
            self.requests.append(head)
            self.changed.notify_all()


def post(server: Server, *, host: str = "127.0.0.1", is_repeatable: bool = False, is_trusted: bool = True) -> int:
    scheme = "https" if server.tls else "http"
    return net.http(
        "POST",
        f"{scheme}://{host}:{server.port}/hook",
        body=b"{}",
        is_trusted=is_trusted,
        keeps_connection=True,
        is_repeatable=is_repeatable,
        timeout_seconds=5,
    ).status


def passes(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now + seconds)


def test_the_next_request_goes_over_the_same_connection() -> None:
    with Server() as server:
        assert [post(server) for _ in range(5)] == [200] * 5
        assert len(server.connections) == 1
        assert not any(b"connection: close" in head.lower() for head in server.requests)
        net.http("POST", f"http://127.0.0.1:{server.port}/", is_trusted=True)
        assert len(server.connections) == 2, "who did not ask for it gets one of their own"
        assert b"connection: close" in server.requests[-1].lower()


def test_a_server_that_wants_to_close_is_let() -> None:
    with Server(answer=OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) as server:
        assert [post(server) for _ in range(2)] == [200, 200]
        assert len(server.connections) == 2
        assert len(lines.lines) == 0


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\nno length", b"HTTP/1.0 200 OK\r\n\r\nold"])
def test_an_answer_without_an_end_ends_its_connection(answer: bytes) -> None:
    with Server(answer=answer, answers_max=1) as server:
        assert [post(server) for _ in range(2)] == [200, 200]
        assert len(lines.lines) == 0


def test_a_large_answer_is_not_read_to_its_end_for_the_sake_of_a_connection() -> None:
    size = net.BODY_BYTES_MAX + 100_000
    with Server(answer=b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size) as server:
        assert post(server) == 200
        assert len(lines.lines) == 0


def test_silence_and_age_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as server:
        post(server)
        with monkeypatch.context() as later:
            passes(later, lines.SILENCE_SECONDS_MAX + 0.1)
            post(server)
        assert len(server.connections) == 2
    with Server() as server:
        for turn in range(40):
            with monkeypatch.context() as later:
                passes(later, turn * 2.0)
                post(server)
        assert len(server.connections) == 2, "one a minute, however busy"


def test_a_server_says_how_long_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(answer=OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=3, max=100\r\n\r\n")) as server:
        post(server)
        passes(monkeypatch, 2.1)
        post(server)
        assert len(server.connections) == 2
    lines.lines.close()
    with Server(answer=OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=1\r\n\r\n")) as server:
        post(server)
        assert len(lines.lines) == 0


def test_what_is_silent_is_closed_without_a_further_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "SILENCE_SECONDS_MAX", 0.05)
    with Server() as server:
        post(server)
        with server.changed:
            assert server.changed.wait_for(lambda: len(lines.lines) == 0, 10)


def test_there_are_never_many() -> None:
    servers = [Server() for _ in range(6)]
    with ThreadPoolExecutor(12) as pool:
        try:
            for server in servers:
                server.__enter__()
            for server in servers:
                together = threading.Barrier(12)

                def one(server: Server = server, together: threading.Barrier = together) -> None:
                    together.wait(10)
                    post(server)

                for done in [pool.submit(one) for _ in range(12)]:
                    done.result(20)
                kept = [line for line in lines.lines._idle if line.key[2] == server.port]
                assert 1 <= len(kept) <= lines.KEPT_PER_SERVER_MAX
                assert len(lines.lines) <= lines.KEPT_MAX
        finally:
            for server in servers:
                server.__exit__()


def test_it_is_used_only_for_an_address_that_was_checked_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name moves to another machine: the next request goes there, though the old connection still stands."""
    where = ["127.0.0.1"]
    monkeypatch.setattr(addresses, "lookup", lambda host, port: tuple(ipaddress.ip_address(one) for one in where))
    with Server() as first:
        assert post(first, host="hook.example") == 200
        assert post(first, host="hook.example") == 200
        assert len(first.connections) == 1
        where[:] = ["127.0.0.2"]
        with pytest.raises(net.NetError, match="refused"):  # nothing listens there on that port
            post(first, host="hook.example")
        assert len(first.requests) == 2


def test_who_typed_the_address_does_not_ride_on_somebodys_trust() -> None:
    with Server() as server:
        assert post(server) == 200
        with pytest.raises(net.AddressRefused):
            post(server, is_trusted=False)
        assert len(server.requests) == 1


def test_other_authorities_make_a_new_connection(
    server_tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setattr(addresses, "lookup", lambda host, port: (ipaddress.ip_address("127.0.0.1"),))
    with Server(tls=server_tls) as server:
        assert [post(server, host="hook.example") for _ in range(3)] == [200] * 3
        assert len(server.connections) == 1
        with pytest.raises(net.NetError, match="certificate is not accepted"):
            post(server, host="other.example")  # the same machine, and not the name that was checked
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(net.NetError, match="certificate is not accepted"):
            post(server, host="hook.example")
        assert len(server.requests) == 3


def test_a_connection_that_was_closed_meanwhile_is_seen_before_it_is_used() -> None:
    with Server(answers_max=1) as server:
        assert post(server) == 200
        with server.changed:
            assert server.changed.wait_for(lambda: server.connections[0].fileno() == -1, 10)
        assert post(server) == 200
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("act", "is_repeated"),
    [
        (post, False),
        (lambda server: post(server, is_repeatable=True), True),
        (
            lambda server: (
                net.http("GET", f"http://127.0.0.1:{server.port}/", is_trusted=True, keeps_connection=True).status
            ),
            True,
        ),
    ],
)
def test_a_request_that_went_without_an_answer_is_repeated_only_if_it_may(
    act: Callable[[Server], int], is_repeated: bool
) -> None:
    with Server(answers_max=1, is_rude=True) as server:
        assert post(server) == 200
        if is_repeated:
            assert act(server) == 200
            assert len(server.requests) == 3
        else:
            with pytest.raises(net.NetError, match="the connection was cut"):
                act(server)
            assert len(server.requests) == 2


def test_a_new_connection_that_is_cut_is_not_repeated() -> None:
    with Server(answers_max=0, is_rude=True) as server:
        with pytest.raises(net.NetError, match="the connection was cut"):
            post(server, is_repeatable=True)
        assert len(server.requests) == 1


def test_what_cannot_have_been_understood_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reset arrives between the look at the connection and the first byte: nothing of the request has gone."""
    with Server(answers_max=1) as server:
        assert post(server) == 200
        (line,) = lines.lines._idle
        sock = line.connection.sock
        with server.changed:
            assert server.changed.wait_for(lambda: server.connections[0].fileno() == -1, 10)
        monkeypatch.setattr(type(line.connection), "is_connected", True)
        sock.shutdown(socket.SHUT_WR)  # as after a reset: the first send fails
        assert post(server) == 200
        assert len(server.requests) == 2


def test_each_request_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is not measured by the first one's deadline, and has one."""
    with Server() as server:
        post(server)
        (line,) = lines.lines._idle
        line.connection.deadline.ends_at = 0.0
        line.connection.sock.deadline.ends_at = 0.0
        assert post(server) == 200
        assert len(server.connections) == 1
        server.answer = b"HTTP/1.1 200 OK\r\n"  # and no more
        with pytest.raises(net.NetError, match=r"did not answer within 0\.3 s"):
            net.http(
                "POST", f"http://127.0.0.1:{server.port}/", is_trusted=True, keeps_connection=True, timeout_seconds=0.3
            )
