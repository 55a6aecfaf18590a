"""All runbooks as pages that need no server: for the night when everything is down, on a stick or on paper.

No scripts, no addresses of ours, nothing that is fetched: a page is whole by itself. Files are put in place one by one; what an
earlier export left and is gone is taken away, and nothing else of the directory is touched.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.template.loader import render_to_string

from midwatch.core import clock
from midwatch.prepare.runbooks.document import DocumentError, parse
from midwatch.prepare.runbooks.models import Runbook
from midwatch.prepare.runbooks.shape import Prose

LISTING: Final = ".midwatch-runbooks"


def write_offline(directory: Path) -> list[Path]:
    """Writes index.html and a page each. Returns what was written. Raises `OSError`."""
    directory.mkdir(parents=True, exist_ok=True)
    names = []
    for name, text in pages():
        _put(directory / name, text)
        names.append(name)
    listing = directory / LISTING
    before = set(listing.read_text("utf-8").splitlines()) if listing.exists() else set()
    for gone in before - set(names):
        if "/" not in gone and gone.endswith(".html"):
            (directory / gone).unlink(missing_ok=True)
    _put(listing, "\n".join(names))
    return [directory / name for name in names]


def pages() -> Iterator[tuple[str, str]]:
    """Name and text of each."""
    found = list(
        Runbook.objects.filter(is_active=True).select_related("team", "service", "owner", "current").order_by("title")
    )
    at = clock.now()
    ordered = sorted(found, key=lambda one: (str(one.service or "~"), one.title))
    yield "index.html", render_to_string("runbooks/offline_index.html", {"runbooks": ordered, "at": at})
    for runbook in found:
        yield f"{page_name(runbook)}", render_to_string("runbooks/offline.html", {**_context(runbook), "at": at})


def page_name(runbook: Runbook) -> str:
    """A runbook may be called index."""
    return f"runbook-{runbook.name}.html"


def _context(runbook: Runbook) -> dict[str, object]:
    body = runbook.current.body if runbook.current is not None else ""
    try:
        document = parse(body)
    except DocumentError:
        return {"runbook": runbook, "body": body}
    blocks = [
        {"prose": block.text} if isinstance(block, Prose) else {"step": block, "place": document.steps.index(block) + 1}
        for block in document.blocks
    ]
    return {"runbook": runbook, "document": document, "blocks": blocks}


def _put(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path)
