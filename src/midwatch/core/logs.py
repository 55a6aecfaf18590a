"""Logging: one record, one line, to standard error; the route of a request, never its path or query; no secrets.

Addresses here carry keys (`/in/KEY`, `/p/TOKEN`, `?token=`), so whatever is logged, by us, by Django or inside a
traceback, passes one formatter that takes them out. Django's own record of a refused or failed request, which names the
path, is written again with the route.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TextIO
from urllib.parse import urlsplit

from midwatch import settings

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
LINE_MAX = 4_000
FRAMES_MAX = 12
SECRET_LENGTH_MIN = 8  # a shorter value would be cut out of ordinary words
HIDDEN = "(hidden)"
KEPT = ("secret-key", "admin-token")  # files of the data directory

# What stands after these in an address is a key or a token.
_IN_PATHS = re.compile(r"(/(?:in|ping|p|ical|link|hooks/[\w-]+|alertmanager)/)[^\s/?#\"'<>)\],]+")
_IN_QUERIES = re.compile(r"(?i)\b((?:token|authtoken|key|code|secret|password|routing_key|signature)=)[^\s&\"'<>)\],]+")
_IN_HEADERS = re.compile(r"(?i)\b(bearer|geniekey|basic|token|oauth)(\s+)[A-Za-z0-9._~+/=-]{8,}")
_IN_USERINFO = re.compile(r"(\w://)[^\s/@\"'<>]+@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_QUIET = ("asyncio", "urllib3", "hypothesis")

_known: set[str] = set()


def hide(secrets: Iterable[str]) -> None:
    """Values that are never to be seen in a log, wherever they turn up."""
    _known.update(value for value in secrets if len(value) >= SECRET_LENGTH_MIN)


def secrets_of_this_process() -> list[str]:
    """Every secret this process was given, and those kept in the data directory. Makes none."""
    found = [value for name, value in os.environ.items() if name.startswith("MIDWATCH_REF_")]
    for setting in settings.SETTINGS:
        given = (settings.raw(setting.name) or "") if setting.is_secret else ""
        is_address = "://" in given
        found += [urlsplit(part.strip()).password or "" for part in given.split(",")] if is_address else [given]
    for name in KEPT:
        path = settings.settings().data_dir / name
        if path.is_file():
            found.append(path.read_text("utf-8").strip())
    return found


def without_secrets(text: str) -> str:
    for value in _known:
        if value in text:
            text = text.replace(value, HIDDEN)
    text = _IN_USERINFO.sub(rf"\1{HIDDEN}@", text)
    text = _IN_PATHS.sub(rf"\1{HIDDEN}", text)
    text = _IN_QUERIES.sub(rf"\1{HIDDEN}", text)
    return _IN_HEADERS.sub(rf"\1\2{HIDDEN}", text)


def one_line(text: str) -> str:
    """Line ends and other control characters escaped: what somebody sends us must not write lines of its own."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def compact(error: BaseException) -> str:
    """A traceback in one line, innermost call first: `ValueError: text [tick.py:12 run < main.py:3 main]`."""
    parts: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(parts) < 3:
        frames = traceback.extract_tb(seen.__traceback__)[-FRAMES_MAX:]
        where = " < ".join(
            f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in reversed(frames)
        )
        parts.append(f"{type(seen).__name__}: {seen} [{where}]")
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return " caused by ".join(parts)


class OneLine(logging.Formatter):
    """`2026-11-22T12:33:00.123Z WARNING midwatch.engine text`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {compact(record.exc_info[1])}"
        text = one_line(without_secrets(text))
        if len(text) > LINE_MAX:
            text = f"{text[:LINE_MAX]}... ({len(text) - LINE_MAX} more characters)"
        return f"{at} {record.levelname} {record.name} {text}"


class RouteInsteadOfPath(logging.Filter):
    """Django's request and security records hold the request, and their text its path: say the route instead."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if request is None:
            return True
        match = getattr(request, "resolver_match", None)
        route = f"/{match.route}" if match is not None else "(no such route)"
        status = getattr(record, "status_code", None)
        record.msg, record.args = "%s %s answered %s", (getattr(request, "method", "?"), route, status or "nothing")
        return True


def configure(level: str | None = None, stream: TextIO | None = None) -> None:
    """Set up this process's logging. `level` left out: MIDWATCH_LOG_LEVEL. May be called again."""
    chosen = level or settings.settings().log_level
    if chosen.lower() not in LEVELS:
        raise settings.SettingError(f"MIDWATCH_LOG_LEVEL={chosen!r}: write debug, info, warning or error")
    hide(secrets_of_this_process())
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(OneLine())
    handler.addFilter(RouteInsteadOfPath())
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old.formatter, OneLine)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(LEVELS[chosen.lower()])
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)
