"""The demo's phones: a little Twilio, ntfy, webhook receiver and mail relay on loopback that take everything.

Each message becomes one line in the terminal, with its link, so that what a phone would show can be opened.
"""

from __future__ import annotations

import email
import email.policy
import itertools
import json
import re
import socketserver
import threading
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import parse_qs, urlsplit

from midwatch.core import clock

BODY_BYTES_MAX = 1024 * 1024
LINE_BYTES_MAX = 4_000
WORDS_MAX = 110
POLL_SECONDS = 0.1  # how soon they notice that the demo ends
LINK = re.compile(r"https?://[^\s\"'<>]+/p/[a-z0-9]+")
Say = Callable[[str], None]


class Phones:
    """Listens from `with` on; `url` is Twilio's and ntfy's address and the beginning of every webhook's."""

    def __init__(self, say: Say) -> None:
        self._http = _HttpServer(("127.0.0.1", 0), _HttpHandler)
        self._smtp = _SmtpServer(("127.0.0.1", 0), _SmtpHandler)
        self._http.say = self._smtp.say = say
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.smtp_port = int(self._smtp.server_address[1])

    def __enter__(self) -> Self:
        for server in (self._http, self._smtp):
            threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), name="phones", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in (self._http, self._smtp):
            server.shutdown()
            server.server_close()


def line(how: str, who: str, text: str, link: str = "") -> str:
    """ "14:03:07  push   ana-x7     [P1] Checkout: ...  http://..."."""
    words = " ".join(LINK.sub("", text).split())
    cut = words if len(words) <= WORDS_MAX else words[: WORDS_MAX - 3] + "..."
    at = clock.machine_now().astimezone()
    return f"{at:%H:%M:%S}  {how:<8} {who:<20} {cut}" + (f"\n{'':19}{link}" if link else "")


def twilio_answer(path: str, form: Mapping[str, str], number: int) -> tuple[dict[str, Any], str]:
    """(what Twilio would answer, the line to show)."""
    if path.endswith("/Calls.json"):
        return {"sid": f"CA{number:032x}", "status": "queued"}, line("call", form.get("To", ""), "(a call)")
    body = form.get("Body", "")
    return {"sid": f"SM{number:032x}", "status": "queued"}, line("sms", form.get("To", ""), body, _link_in(body))


def ntfy_answer(message: Mapping[str, Any], number: int) -> tuple[dict[str, Any], str]:
    link = str(message.get("click", ""))
    shown = line("push", str(message["topic"]), str(message.get("title", "")), link)
    return {"id": f"demo{number:08d}", "event": "message", "topic": message["topic"]}, shown


def _link_in(text: str) -> str:
    found = LINK.search(text)
    return found[0] if found else ""


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    say: Say
    numbers = itertools.count(1)


class _HttpHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        """Twilio, asked what became of a message."""
        self._answer(200, {"status": "completed" if "/Calls/" in self.path else "delivered"})

    def do_POST(self) -> None:
        server = cast(_HttpServer, self.server)
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            self.close_connection = True
            self._answer(413, {})
            return
        raw = self.rfile.read(int(length)).decode("utf-8", "replace")
        path = urlsplit(self.path).path
        number = next(server.numbers)
        if path.startswith("/2010-04-01/Accounts/"):
            form = {name: values[0] for name, values in parse_qs(raw).items()}
            told, shown = twilio_answer(path, form, number)
            server.say(shown)
            self._answer(201, told)
            return
        try:
            message = json.loads(raw)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            self._answer(400, {"error": "expected a JSON object"})
            return
        if path == "/" and isinstance(message.get("topic"), str):
            told, shown = ntfy_answer(message, number)
        else:
            title = str(message.get("subject") or message.get("text") or "")
            told, shown = {}, line("webhook", str(message.get("to", path)), title, str(message.get("ack_url", "")))
        server.say(shown)
        self._answer(200, told)

    def _answer(self, status: int, content: Mapping[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """One line for each message is enough."""


class _SmtpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    say: Say


class _SmtpHandler(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as it takes to be handed an e-mail."""

    timeout = 10

    def handle(self) -> None:
        self._reply("220 phones of the demo")
        recipient = ""
        while command := self.rfile.readline(LINE_BYTES_MAX).decode("utf-8", "replace").strip():
            match command.split(":")[0].split()[0].upper():
                case "EHLO" | "HELO":
                    self._reply("250 phones of the demo")
                case "RCPT":
                    recipient = command.partition("<")[2].partition(">")[0]
                    self._reply("250 yes")
                case "DATA":
                    self._reply("354 go on")
                    self._take(recipient)
                    self._reply("250 taken")
                case "QUIT":
                    self._reply("221 good bye")
                    return
                case _:
                    self._reply("250 yes")

    def _take(self, recipient: str) -> None:
        lines: list[bytes] = []
        size = 0
        while (text := self.rfile.readline(LINE_BYTES_MAX)) and text.rstrip(b"\r\n") != b".":
            size += len(text)
            if size <= BODY_BYTES_MAX:
                lines.append(text)
        mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        body = mail.get_body(preferencelist=("plain",)) if isinstance(mail, EmailMessage) else None
        link = _link_in(str(body.get_content())) if isinstance(body, EmailMessage) else ""
        cast(_SmtpServer, self.server).say(line("e-mail", recipient, str(mail["Subject"] or ""), link))

    def _reply(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")
