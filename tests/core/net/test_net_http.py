from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.server import FakeServer, Reply
from midwatch.core import net
from midwatch.core.net import addresses


@contextmanager
def raw_server(talk: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A listener that hands each connection to `talk`."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            try:
                talk(tls.wrap_socket(sock, server_side=True) if tls else sock)
            except OSError:
                pass
            finally:
                sock.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def names(monkeypatch: pytest.MonkeyPatch, **hosts: str | list[str]) -> list[str]:
    """A name server of our own; a list answers its entries one after the other. Returns who was asked for."""
    asked: list[str] = []

    def lookup(host: str, port: int) -> tuple[addresses.IP, ...]:
        asked.append(host)
        known = {name.replace("_", "."): value for name, value in hosts.items()}
        if host not in known:
            raise socket.gaierror(-2, "Name or service not known")
        value = known[host]
        answer = value.pop(0) if isinstance(value, list) else value
        return tuple(ipaddress.ip_address(part) for part in answer.split())

    monkeypatch.setattr(addresses, "lookup", lookup)
    return asked


def test_a_request_arrives_whole_and_its_answer_comes_back() -> None:
    with FakeServer() as server:
        server.answers_with(Reply(201, b"made", {"X-Kind": "Test"}))
        answer = net.http(
            "post",
            f"{server.url}/a%20b?x=1",
            is_trusted=True,
            headers={"X-One": "1"},
            body=b"\x00\xff",
            basic_auth=("u", "p:q"),
        )
        assert (answer.status, answer.body, answer.headers["x-kind"], answer.is_ok) == (201, b"made", "Test", True)
        (request,) = server.requests
        assert (request.method, request.path, request.query, request.body) == ("POST", "/a%20b", "x=1", b"\x00\xff")
        assert request.headers["x-one"] == "1"
        assert request.headers["authorization"] == "Basic dTpwOnE="
        assert request.headers["host"] == f"127.0.0.1:{server.port}"


def test_user_and_password_in_the_address_become_a_header() -> None:
    with FakeServer() as server:
        net.http("GET", server.url.replace("//", "//ana:se%40cret@"), is_trusted=True)
        assert server.requests[0].headers["authorization"] == "Basic YW5hOnNlQGNyZXQ="


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://localhost/", "http://0.0.0.0/", "http://0/", "http://2130706433/", "http://0x7f.1/",
        "http://017700000001/", "http://[::1]/", "http://[::]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[::7f00:1]/", "http://[fec0::1]/", "http://10.1.2.3/",
        "http://172.16.0.1/", "http://192.168.1.1/", "http://169.254.169.254/latest/meta-data/", "http://100.64.0.1/",
        "http://224.0.0.1/", "http://255.255.255.255/", "http://[fe80::1]/", "http://[fd00::1]/", "http://[ff02::1]/",
        "http://192.0.2.1/", "http://198.18.0.1/",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(url: str) -> None:
    with pytest.raises(net.AddressRefused, match="not a public address"):
        net.http("GET", url, is_trusted=False, timeout_seconds=2)


@pytest.mark.parametrize("public", ["8.8.8.8", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_public(public: str) -> None:
    assert addresses.is_public(ipaddress.ip_address(public))


@pytest.mark.parametrize(
    "url",
    [
        "", "ftp://x/", "file:///etc/passwd", "//x/", "http://", "http:///x", "javascript:alert(1)", "http://a b/", "http://x\\@y/",
        "http://x/\r\nHost: y", "http://bücher.example/", "http://[fe80::1%25eth0]/", "http://x:0/", "http://x:99999/", "http://[::1/",
        "http://x/" + "a" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_http_address_is_refused_with_words(url: str) -> None:
    with pytest.raises(net.AddressRefused, match="address"):
        net.http("GET", url, is_trusted=True, timeout_seconds=2)


@given(st.text(max_size=60).map(lambda text: "http://" + text))
def test_no_address_breaks_the_check(url: str) -> None:
    with suppress(net.NetError):
        addresses.split_url(url)


def test_permitted_networks_and_hosts(allow: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeServer() as server:
        allow("127.0.0.0/8")
        assert net.http("GET", server.url, is_trusted=False).is_ok
        allow("10.0.0.0/8, *.corp.example gateway.example")
        names(monkeypatch, gateway_example="127.0.0.1", a_corp_example="127.0.0.1", corp_example="127.0.0.1")
        for host in ("gateway.example", "a.corp.example", "A.CORP.example"):
            assert net.http("GET", f"http://{host}:{server.port}", is_trusted=False).is_ok
        for host in ("corp.example", "127.0.0.1"):
            with pytest.raises(net.AddressRefused):
                net.http("GET", f"http://{host}:{server.port}", is_trusted=False)


def test_a_name_is_asked_once_and_connected_to_as_checked(
    allow: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the second answer would be another machine."""
    allow("127.0.0.1")
    with FakeServer() as server:
        asked = names(monkeypatch, rebind_example=["127.0.0.1", "10.0.0.1"])
        assert net.http("GET", f"http://rebind.example:{server.port}/", is_trusted=False).is_ok
        assert asked == ["rebind.example"]
        assert server.requests[0].headers["host"] == f"rebind.example:{server.port}"


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, mixed_example="8.8.8.8 127.0.0.1")
    with pytest.raises(net.AddressRefused):
        net.http("GET", "http://mixed.example/", is_trusted=False)


def test_the_next_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeServer() as server:
        names(monkeypatch, two_example="127.0.0.9 127.0.0.1")  # nothing listens on the first
        assert net.http("GET", f"http://two.example:{server.port}/", is_trusted=True).is_ok


def test_redirects_are_answers_unless_asked_for() -> None:
    with FakeServer() as server:
        server.answers_with(Reply(307, headers={"Location": "/elsewhere"}))
        assert net.http("POST", server.url, is_trusted=True).status == 307
        assert len(server.requests) == 1


def test_redirects_are_followed_as_often_as_asked_and_checked_each_time(
    allow: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    allow("trap.example")
    names(monkeypatch, trap_example="127.0.0.1", evil_example="127.0.0.1")
    with FakeServer() as server, FakeServer() as inner:
        start = f"http://trap.example:{server.port}/"
        server.answers_with(Reply(307, headers={"Location": "/again"}))
        assert net.http("POST", start, is_trusted=False, body=b"x", redirects_max=2).status == 307
        assert [request.body for request in server.requests] == [b"x"] * 3
        server.answers_with(Reply(302, headers={"Location": f"http://evil.example:{inner.port}/"}))
        with pytest.raises(net.AddressRefused):
            net.http("GET", start, is_trusted=False, redirects_max=3)
        with pytest.raises(net.AddressRefused):  # the trust was in the first host
            net.http("GET", start, is_trusted=True, redirects_max=3)
        assert not inner.requests
        server.answers_with(Reply(302, headers={"Location": "gopher://x/"}))
        with pytest.raises(net.AddressRefused):
            net.http("GET", start, is_trusted=True, redirects_max=3)


def test_a_post_does_not_become_a_get_in_silence_and_credentials_stay_home() -> None:
    with FakeServer() as server, FakeServer() as other:
        server.answers_with(Reply(302, headers={"Location": f"{other.url}/"}))
        assert net.http("POST", server.url, is_trusted=True, body=b"x", redirects_max=3).status == 302
        answer = net.http(
            "GET", server.url, is_trusted=True, basic_auth=("u", "p"), headers={"X-A": "1"}, redirects_max=3
        )
        assert answer.is_ok
        assert "authorization" not in other.requests[0].headers
        assert other.requests[0].headers["x-a"] == "1"


def drips(sock: socket.socket) -> None:
    sock.recv(65536)
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000:
        sock.sendall(bytes([byte]))
        time.sleep(0.02)


def drips_body(sock: socket.socket) -> None:
    sock.recv(65536)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(100000):
        sock.sendall(b"x")
        time.sleep(0.02)


def accepts_only(sock: socket.socket) -> None:
    sock.recv(65536)
    while sock.recv(65536):
        pass


@pytest.mark.parametrize("talk", [drips, drips_body, accepts_only])
@pytest.mark.parametrize("is_tls", [False, True])
def test_the_time_out_is_a_total(
    talk: Callable[[socket.socket], None],
    is_tls: bool,
    server_tls: ssl.SSLContext,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with raw_server(talk, server_tls if is_tls else None) as port:
        began = time.monotonic()
        with pytest.raises(net.NetError, match=r"did not answer within 0.5 s"):
            net.http(
                "POST", f"{'https' if is_tls else 'http'}://127.0.0.1:{port}/", is_trusted=True, timeout_seconds=0.5
            )
        assert time.monotonic() - began < 1.5


def test_a_silent_name_server_and_a_silent_handshake_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = threading.Event()

    def lookup(host: str, port: int) -> tuple[addresses.IP, ...]:
        silent.wait(20)
        return ()

    monkeypatch.setattr(addresses, "lookup", lookup)
    began = time.monotonic()
    with pytest.raises(net.NetError, match="name server did not answer"):
        net.http("GET", "http://slow.example/", is_trusted=True, timeout_seconds=0.3)
    silent.set()
    with raw_server(accepts_only) as port, pytest.raises(net.NetError, match="within"):
        net.http("GET", f"https://127.0.0.1:{port}/", is_trusted=True, timeout_seconds=0.3)
    assert time.monotonic() - began < 2


def test_a_large_answer_is_cut() -> None:
    with FakeServer() as server:
        server.answers_with(Reply(200, b"x" * (net.BODY_BYTES_MAX + 5000)))
        answer = net.http("GET", server.url, is_trusted=True)
        assert (len(answer.body), answer.is_cut, answer.status) == (net.BODY_BYTES_MAX, True, 200)


def test_certificates_count(server_tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def talk(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    names(monkeypatch, hook_example="127.0.0.1", other_example="127.0.0.1")
    with raw_server(talk, server_tls) as port:
        with pytest.raises(net.NetError, match="certificate is not accepted"):
            net.http("GET", f"https://hook.example:{port}/", is_trusted=True)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert net.http("GET", f"https://hook.example:{port}/", is_trusted=True).status == 204
        with pytest.raises(net.NetError, match="certificate is not accepted"):
            net.http("GET", f"https://other.example:{port}/", is_trusted=True)


def hang_up(sock: socket.socket) -> None:
    sock.recv(65536)


def nonsense(sock: socket.socket) -> None:
    sock.recv(65536)
    sock.sendall(b"220 hello, I am SMTP\r\n\r\n")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("talk", [hang_up, nonsense, None])
def test_errors_hold_no_secret(scheme: str, talk: Callable[[socket.socket], None] | None) -> None:
    with raw_server(talk or hang_up) as port:
        pass
    if talk is None:
        with pytest.raises(net.NetError, match="refused") as closed:
            net.http("GET", f"{scheme}://user:sesame@127.0.0.1:{port}/sesame?sesame=1", is_trusted=True)
        assert "sesame" not in str(closed.value)
        return
    with raw_server(talk) as port, pytest.raises(net.NetError) as caught:
        net.http("GET", f"{scheme}://user:sesame@127.0.0.1:{port}/sesame?sesame=1", is_trusted=True, timeout_seconds=2)
    assert str(caught.value).startswith(f"127.0.0.1:{port}")
    assert "sesame" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_unknown_names_and_unusable_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch)
    with pytest.raises(net.NetError, match="no such host"):
        net.http("GET", "https://nowhere.example/sesame", is_trusted=False)
    for value in ("a\r\nX-Evil: 1", "a\nb", "č", "\x00"):
        with pytest.raises(net.NetError, match="header"):
            net.http("GET", "http://127.0.0.1:1/", is_trusted=True, headers={"X-A": value})


def test_a_story_takes_the_wire_away() -> None:
    seen: list[net.HttpRequest] = []

    class Wire:
        def http(self, request: net.HttpRequest) -> net.HttpAnswer:
            seen.append(request)
            return net.HttpAnswer(202, body=b'{"a": 1}')

        def smtp(self, request: net.SmtpRequest) -> None:
            raise AssertionError

    with net.installed(Wire()):
        assert net.http("GET", "https://x.example/?token=sesame", is_trusted=False).json() == {"a": 1}
    assert isinstance(net.transport, net.RealTransport)
    assert seen[0].url.endswith("sesame")
    assert "sesame" not in repr(seen[0])
