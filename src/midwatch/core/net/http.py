"""HTTP through urllib3, to the checked address only, within one deadline."""

from __future__ import annotations

import base64
import binascii
import socket
import ssl
from typing import Any
from urllib.parse import unquote, urljoin

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from midwatch.core.net import addresses
from midwatch.core.net.addresses import Target
from midwatch.core.net.deadline import Deadline, DeadlineSocket, DeadlineTlsSocket, connect, tls_context
from midwatch.core.net.errors import AddressRefused, NetError
from midwatch.core.net.lines import Line, lines
from midwatch.core.net.shapes import BODY_BYTES_MAX, HttpAnswer, HttpRequest

REDIRECTS_KEEPING_METHOD = frozenset({307, 308})
REDIRECTS = frozenset({301, 302, 303}) | REDIRECTS_KEEPING_METHOD
CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
REPEATABLE = frozenset({"GET", "HEAD"})
USER_AGENT = "Midwatch"


class _PlainConnection(HTTPConnection):
    """Connects to the addresses that were checked, whatever the name says by now."""

    ips: tuple[str, ...] = ()
    deadline: Deadline
    is_new = True  # it was connected for the request that it carries
    has_sent = False  # the head of that request has gone

    def __init__(self, *args: Any, line: Line, ips: tuple[str, ...], deadline: Deadline, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        line.connection = self
        self.begin(ips, deadline)

    def begin(self, ips: tuple[str, ...], deadline: Deadline) -> None:
        """A request of its own time."""
        self.ips, self.deadline = ips, deadline
        self.is_new = self.has_sent = False
        if isinstance(self.sock, DeadlineSocket):
            self.sock.deadline = deadline

    def _new_conn(self) -> socket.socket:
        self.is_new = True
        sock = connect(self.ips, self.port or self.default_port, self.deadline)
        sock.settimeout(self.deadline.left())
        return sock

    def send(self, data: Any) -> None:
        super().send(data)
        self.has_sent = True


class _TlsConnection(_PlainConnection, HTTPSConnection):
    """The same; the certificate is checked against the name, which also goes into SNI and Host."""

    def connect(self) -> None:
        HTTPSConnection.connect(self)
        if isinstance(self.sock, DeadlineTlsSocket):
            self.sock.deadline = self.deadline


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def send_http(request: HttpRequest) -> HttpAnswer:
    deadline = Deadline(request.timeout_seconds)
    method, url, body = request.method, request.url, request.body
    headers = {"user-agent": USER_AGENT, "accept-encoding": "identity"}
    if not request.keeps_connection:
        headers["connection"] = "close"
    headers |= {name.lower(): value for name, value in request.headers.items()}
    if request.basic_auth is not None:
        headers["authorization"] = _basic(*request.basic_auth)
    _check_headers(method, headers)
    is_trusted = request.is_trusted
    redirects_left = request.redirects_max
    while True:
        try:
            target = addresses.resolve_url(url, is_trusted=is_trusted, timeout_seconds=deadline.left())
        except TimeoutError:
            raise NetError(f"no answer within {request.timeout_seconds:g} s") from None
        if target.url.auth and "authorization" not in headers:
            user, _, password = target.url.auth.partition(":")
            headers["authorization"] = _basic(unquote(user), unquote(password))
        answer = _send_once(request, target, method, headers, body, deadline)
        location = answer.headers.get("location", "")
        follows = answer.status in REDIRECTS_KEEPING_METHOD or (
            answer.status in REDIRECTS and (method in {"GET", "HEAD"} or answer.status == 303)
        )
        # A 301 after a POST would go on as a GET, and its 200 would pass for a delivery: that is the caller's answer.
        if not (redirects_left and follows and location):
            return answer
        redirects_left -= 1
        next_url = urljoin(target.url._replace(auth=None).url, location)
        _, scheme, host, port = addresses.split_url(next_url)
        if target.scheme == "https" and scheme == "http":
            raise AddressRefused(f"{target.name} redirects from https to http: give the final address")
        if (scheme, host, port) != target.origin:
            headers = {name: value for name, value in headers.items() if name not in CREDENTIAL_HEADERS}
        is_trusted = is_trusted and host == target.host
        if answer.status == 303 and method != "HEAD":
            method, body = "GET", b""
            headers = {name: value for name, value in headers.items() if not name.startswith("content-")}
        url = next_url


def _send_once(
    request: HttpRequest, target: Target, method: str, headers: dict[str, str], body: bytes, deadline: Deadline
) -> HttpAnswer:
    context = _context(request, target) if target.scheme == "https" else None
    key = (*target.origin, context)
    line = lines.take(key, target) if request.keeps_connection else None
    if line is not None:
        line.connection.begin(target.ips, deadline)
        try:
            return _exchange(line, target, method, headers, body, deadline, keeps=True)
        except _ClosedMeanwhile as closed:
            if closed.has_sent and method not in REPEATABLE and not request.is_repeatable:
                raise NetError(f"{target.name}: the connection was cut", may_have_arrived=True) from None
    line = Line(key, None)
    kind, extra = (_TlsPool, {"ssl_context": context}) if context is not None else (_PlainPool, {})
    line.pool = kind(
        target.host,
        target.port,
        maxsize=1,
        retries=False,
        line=line,
        ips=target.ips,
        deadline=deadline,
        **extra,  # type: ignore[arg-type]
    )
    return _exchange(line, target, method, headers, body, deadline, keeps=request.keeps_connection)


def _context(request: HttpRequest, target: Target) -> ssl.SSLContext:
    try:
        return tls_context(ca_pem=request.ca_pem)
    except (ssl.SSLError, TypeError, ValueError):
        raise NetError(
            f"{target.name}: the certificate authority that was given is no certificate: give it as PEM"
        ) from None


class _ClosedMeanwhile(Exception):  # noqa: N818 - says what happened
    """The server ended a kept connection before it answered. `has_sent`: it may have had the request."""

    def __init__(self, *, has_sent: bool) -> None:
        super().__init__()
        self.has_sent = has_sent


def _exchange(
    line: Line,
    target: Target,
    method: str,
    headers: dict[str, str],
    body: bytes,
    deadline: Deadline,
    *,
    keeps: bool,
) -> HttpAnswer:
    """The line is kept or closed when this returns or raises."""
    timed_out = f"{target.name} did not answer within {deadline.seconds:g} s"
    is_kept = is_answered = False
    try:
        response = line.pool.urlopen(
            method,
            target.url.request_uri,
            body=body or (b"" if method in {"POST", "PUT", "PATCH"} else None),
            headers=headers,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(total=deadline.left()),
        )
        is_answered = True
        content, is_cut = _read(response)
        answer = HttpAnswer(response.status, _lower(response.headers), content, is_cut)
        is_kept = keeps and not is_cut
        return answer
    except (TimeoutError, urllib3.exceptions.TimeoutError):
        raise NetError(timed_out, may_have_arrived=_has_sent(line)) from None
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        cause = _cause(error)
        if isinstance(cause, TimeoutError):
            raise NetError(timed_out, may_have_arrived=_has_sent(line)) from None
        is_closed = isinstance(cause, ConnectionError | ssl.SSLEOFError)
        if is_closed and not is_answered and not line.connection.is_new:
            raise _ClosedMeanwhile(has_sent=line.connection.has_sent) from None
        if isinstance(error, urllib3.exceptions.SSLError):
            raise NetError(f"{target.name}: TLS failed, {_tls_reason(error)}") from None
        raise NetError(f"{target.name}: {_reason(cause)}", may_have_arrived=_has_sent(line)) from None
    finally:
        if is_kept:
            lines.keep(line, answer.headers)
        else:
            line.close()


def _has_sent(line: Line) -> bool:
    return line.connection is not None and bool(line.connection.has_sent)


def _read(response: urllib3.BaseHTTPResponse) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    size = 0
    try:
        for part in response.stream(65_536, decode_content=False):
            parts.append(part)
            size += len(part)
            if size > BODY_BYTES_MAX:
                return b"".join(parts)[:BODY_BYTES_MAX], True
        return b"".join(parts), False
    finally:
        response.close()


def _lower(headers: urllib3.HTTPHeaderDict) -> dict[str, str]:
    return {name.lower(): headers[name] for name in headers}


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogateescape")).decode("ascii")


def _check_headers(method: str, headers: dict[str, str]) -> None:
    if not method.isascii() or not method.isalpha():
        raise NetError("the method is not a word")
    for name, value in headers.items():
        is_name_fine = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        is_value_fine = value.isascii() and (value.isprintable() or value == "")
        if not (is_name_fine and is_value_fine):
            raise NetError("a header holds characters that HTTP does not carry: use plain ASCII")


def _tls_reason(error: BaseException) -> str:
    inner = error.args[0] if error.args else error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({inner.verify_message})"
    return "it does not speak TLS as we do (is it http:// on this port?)"


def _cause(error: BaseException) -> BaseException:
    """What the system said, below the library's words for it."""
    cause = error
    for _ in range(4):
        if isinstance(cause, OSError) or cause.__cause__ is None:
            break
        cause = cause.__cause__
    inside = [cause, *error.args[:2], error.__context__, error]
    return next((one for one in inside if isinstance(one, OSError)), error)


def _reason(cause: BaseException) -> str:
    """Words for the usual failures; never the library's own text, which quotes the address."""
    match cause:
        case ConnectionRefusedError():
            return "connection refused, nothing listens there"
        case ConnectionResetError() | BrokenPipeError():
            return "the connection was cut"
        case OSError(strerror=str(words)) if words:
            return words.lower()
        case binascii.Error():
            return "the answer cannot be read"
        case _:
            return "it did not answer in HTTP"
