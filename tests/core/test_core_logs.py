"""Logs: one line a record, the route and never the path, and no secret, wherever it stands."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midwatch.core import logs
from midwatch.settings import SettingError

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    made = io.StringIO()
    logs.configure("debug", made)
    yield made
    root.handlers = handlers
    root.setLevel(level)


def test_one_record_is_one_line(stream: io.StringIO) -> None:
    logging.getLogger("midwatch.test").info("first\nERROR forged\r\x1b[31m\u2028%s", "\0")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("INFO midwatch.test first\\nERROR forged\\r\\x1b[31m\\u2028\\x00")
    assert line[:4].isdigit()
    assert line.split()[0].endswith("Z")


def test_a_traceback_is_on_the_line_with_its_cause(stream: io.StringIO) -> None:
    def inner() -> None:
        raise KeyError("inside")

    try:
        try:
            inner()
        except KeyError as error:
            raise ValueError("outside") from error
    except ValueError:
        logging.getLogger("midwatch.test").exception("job failed: %s", "tick")
    (line,) = stream.getvalue().splitlines()
    assert "job failed: tick: ValueError: outside [test_core_logs.py:" in line
    assert "caused by KeyError: 'inside' [test_core_logs.py:" in line
    assert " inner < test_core_logs.py:" in line


@pytest.mark.parametrize(
    "text",
    [
        f"GET /in/{KEY}",
        f"POST /in/{KEY}?x=1 HTTP/1.1",
        f"/ping/{KEY}/start",
        f"https://midwatch.example/p/{KEY}",
        f"/ical/{KEY}.ics",
        f"/link/{KEY}",
        f"/hooks/twilio/{KEY}/voice",
        f"/alertmanager/{KEY}/api/v2/alerts",
        f"/catalog-info.yaml?token={KEY}",
        f"https://x/y?a=b&token={KEY}&c=d",
        f"Authorization: Bearer {KEY}",
        f"GenieKey {KEY}",
        f"postgresql://midwatch:{KEY}@db/midwatch",
        f"smtp://user:{KEY}@relay:587 refused",
        f"{{'url': 'https://u:{KEY}@host/'}}",
        "secret-of-the-tests-in-plain-sight",
    ],
)
def test_no_secret_wherever_it_stands(stream: io.StringIO, text: str) -> None:
    logs.hide(["secret-of-the-tests-in-plain-sight", "short"])
    logging.getLogger("midwatch.test").warning("went wrong: %s", text)
    try:
        raise OSError(text)
    except OSError:
        logging.getLogger("midwatch.test").exception("and failed")
    assert KEY not in stream.getvalue()
    assert "plain-sight" not in stream.getvalue()
    assert logs.HIDDEN in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 2


def test_the_installation_s_own_secrets_are_known(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDWATCH_TWILIO_AUTH_TOKEN", "twilio-secret-token")
    monkeypatch.setenv("MIDWATCH_EMAIL_URL", "smtp://me:mail-password@one:25, smtp://two:25")
    monkeypatch.setenv("MIDWATCH_REF_NTFY", "ntfy-secret-token")
    logs.hide(logs.secrets_of_this_process())
    logging.getLogger("midwatch.test").info("twilio-secret-token mail-password ntfy-secret-token one:25")
    assert "secret-token" not in stream.getvalue()
    assert "mail-password" not in stream.getvalue()
    assert "one:25" in stream.getvalue()


def test_a_request_s_record_says_the_route(stream: io.StringIO) -> None:
    request = SimpleNamespace(method="POST", resolver_match=SimpleNamespace(route="p/<str:token>"), path=f"/p/{KEY}")
    extra = {"status_code": 403, "request": request}
    logging.getLogger("django.request").warning("%s: %s", "Forbidden", request.path, extra=extra)
    assert stream.getvalue().endswith("WARNING django.request POST /p/<str:token> answered 403\n")
    request.resolver_match = None
    logging.getLogger("django.request").warning("%s: %s", "Not Found", "/secret-path", extra=extra)
    assert "POST (no such route) answered 403" in stream.getvalue()
    assert "secret-path" not in stream.getvalue()


def test_long_lines_end(stream: io.StringIO) -> None:
    logging.getLogger("midwatch.test").info("x" * 100_000)
    assert len(stream.getvalue()) < 4_200
    assert "more characters" in stream.getvalue()


def test_twice_configured_speaks_once(stream: io.StringIO) -> None:
    again = io.StringIO()
    logs.configure("info", again)
    logging.getLogger("midwatch.test").info("hello")
    assert stream.getvalue() == ""
    assert again.getvalue().count("hello") == 1


def test_a_level_that_is_none() -> None:
    with pytest.raises(SettingError, match="debug, info, warning or error"):
        logs.configure("loud")


@given(st.text())
def test_any_text_becomes_one_line(text: str) -> None:
    line = logs.one_line(logs.without_secrets(text))
    assert len(line.splitlines()) <= 1
    line.encode("utf-8")
