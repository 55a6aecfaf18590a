"""A whole page as files, for a host that survives us: the same HTML, feeds and JSON, linked relatively where they can be.

Files are written beside and put in place one by one, so that a web server which serves the directory never shows half a
file. What is no longer there is taken away, and nothing else of the directory is touched.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from midwatch.respond.statuspage import queries, rendering, wire
from midwatch.respond.statuspage.links import Links
from midwatch.respond.statuspage.models import Page

NOTICES_MAX = 5_000
LISTING = ".midwatch-export"  # what the last export wrote: those names may be taken away again


def export_page(page: Page, directory: Path) -> list[Path]:
    """Writes it all. Returns what was written. Raises `OSError`."""
    directory.mkdir(parents=True, exist_ok=True)
    written: list[str] = []
    for name, body in files(page):
        _put(directory / name, body)
        written.append(name)
    listing = directory / LISTING
    before = set(listing.read_text("utf-8").splitlines()) if listing.exists() else set()
    for gone in sorted(before - set(written)):
        target = (directory / gone).resolve()
        if target.is_relative_to(directory.resolve()):
            target.unlink(missing_ok=True)
    _put(listing, "\n".join(written).encode())
    return [directory / name for name in written]


def files(page: Page) -> Iterator[tuple[str, bytes]]:
    """Name and body of each, below the directory."""
    top, below = Links(".", is_export=True), Links("..", is_export=True)
    yield "index.html", rendering.home(page, top)
    yield "history.html", rendering.whole_history(page, top)
    for notice in queries.notices_of(page).order_by("-started_at", "-pk")[:NOTICES_MAX]:
        yield f"incidents/{notice.wire_id}.html", rendering.notice(page, notice, below)
    yield "look.css", rendering.look()
    yield "history.atom", rendering.atom(page)
    yield "history.rss", rendering.rss(page)
    yield "badge.svg", rendering.badge(page, "")
    for name in wire.ANSWERS:
        yield f"api/v2/{name}.json", rendering.api(page, name)


def _put(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        Path(beside).chmod(0o644)  # for the web server that serves it
        Path(beside).replace(path)
    except OSError:
        Path(beside).unlink(missing_ok=True)
        raise
