"""Attachments: what people and programs hand us to keep, held in the database, so that it needs nothing outside, is in every
backup, and every node sees it.

    stored = files.store(upload.name, upload.chunks(), actor)     # its own short transactions; before the act's
    files.keep(stored, "incident:42")                             # in the act's transaction: now it stays
    files.response(request, stored)                               # after the room's own permission check
    files.forget("incident:42")                                   # with the incident

What was stored and never kept goes after a day. What a file is, its first bytes say, never its name or its sender. Only
pictures are shown in a page; everything else is downloaded, text as plain text, so HTML and SVG are never run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from urllib.parse import quote

from django.db import transaction
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from prometheus_client import Counter

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.file_kinds import KINDS, MIB, TEXT, Kind, RefusedError, Sniffer
from midwatch.core.models import FileChunk, StoredFile
from midwatch.core.text import clean
from midwatch.settings import settings

__all__ = ["RefusedError", "address", "content", "forget", "forget_loose", "keep", "kept", "response", "store"]

REFUSED = Counter("midwatch_files_refused", "Attachments that were not taken.", ["reason"])
CHUNK_BYTES = 64 * 1024  # of one row
CHUNKS_AT_ONCE = 8  # of one transaction, so that nobody waits long for SQLite's write ticket
NAME_MAX = 120
SHOWN_SECONDS = 300  # a browser may show it again without asking
POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"  # browsers style the picture they show by itself
_UNSAFE = re.compile(r'[<>:"|?*\\/;%]')


def store(name: str, chunks: Iterable[bytes], actor: Actor, *, owner: str = "") -> StoredFile:
    """Take a file in, a bounded piece at a time. Raises `RefusedError`, whose text is for the sender.

    It writes transactions of its own, so call it before the act's transaction, and `keep` in that. `owner`: keep it at once.
    """
    shown = _plain_name(name)
    sniffer = Sniffer(shown, settings().file_max_mib * MIB)
    stored: StoredFile | None = None
    count = 0
    try:
        for batch in _batches(_pieces(chunks), sniffer):
            with transaction.atomic():
                if stored is None:
                    stored = _begin(shown, actor)
                rows = [FileChunk(file=stored, index=count + place, body=body) for place, body in enumerate(batch)]
                FileChunk.objects.bulk_create(rows)
            count += len(batch)
        kind = sniffer.end()
    except RefusedError as refused:
        REFUSED.labels(refused.reason).inc()
        if stored is not None:
            with transaction.atomic():
                stored.delete()
        raise
    assert stored is not None, "what is empty is refused"
    stored.name = _ending(shown, kind)
    stored.content_type = kind.content_type
    stored.size = sniffer.size
    stored.sha256 = sniffer.digest.hexdigest()
    stored.owner = owner
    with transaction.atomic():
        stored.save(update_fields=["name", "content_type", "size", "sha256", "owner"])
    return stored


def keep(stored: StoredFile, owner: str) -> None:
    """It belongs to something now ("incident:42"), and stays as long as that. Call it in the act's transaction."""
    stored.owner = owner
    StoredFile.objects.filter(pk=stored.pk).update(owner=owner)


def kept(owner: str) -> list[StoredFile]:
    """What belongs to it, oldest first."""
    return list(StoredFile.objects.filter(owner=owner).order_by("pk"))


def content(stored: StoredFile) -> Iterator[bytes]:
    """Its bytes, one row at a time."""
    index = 0
    while True:
        body = FileChunk.objects.filter(file=stored, index=index).values_list("body", flat=True).first()
        if body is None:
            return
        yield bytes(body)
        index += 1


def address(base: str, stored: StoredFile) -> str:
    """Below the page of what owns it: "/incidents/42" -> "/incidents/42/files/7/graph.png". Markdown takes pictures from
    addresses of this shape alone."""
    return f"{base}/files/{stored.pk}/{quote(stored.name, safe='')}"


def response(request: HttpRequest, stored: StoredFile) -> HttpResponseBase:
    """The file for a browser, which can do nothing with it but show a picture or save it. Ask for permission before."""
    kind = KINDS.get(stored.content_type, TEXT)
    tag = f'"{stored.sha256[:32]}"'
    answer: HttpResponseBase
    if request.headers.get("If-None-Match") == tag:
        answer = HttpResponse(status=304)
    else:
        answer = StreamingHttpResponse(content(stored), content_type=kind.served_as)
        answer["Content-Length"] = str(stored.size)
        answer["Content-Disposition"] = content_disposition_header(not kind.is_picture, stored.name) or "attachment"
    answer["ETag"] = tag
    answer["Cache-Control"] = f"private, max-age={SHOWN_SECONDS}"
    answer["Content-Security-Policy"] = POLICY
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer


def forget(owner: str) -> int:
    """What belongs to something that goes. Returns how many files."""
    with transaction.atomic():
        gone = list(StoredFile.objects.filter(owner=owner).values_list("pk", flat=True))
        _delete(gone)
    return len(gone)


def forget_loose(before: datetime, limit: int) -> int:
    """What was stored and never kept: an upload that was broken off, a form that was not sent."""
    with transaction.atomic():
        loose = StoredFile.objects.filter(owner="", created_at__lt=before).order_by("created_at")
        gone = list(loose.values_list("pk", flat=True)[:limit])
        _delete(gone)
    return len(gone)


def _delete(keys: list[int]) -> None:
    FileChunk.objects.filter(file__in=keys).delete()
    StoredFile.objects.filter(pk__in=keys).delete()


def _begin(name: str, actor: Actor) -> StoredFile:
    total = StoredFile.objects.aggregate(total=Sum("size"))["total"] or 0
    most = settings().files_total_mib
    if total >= most * MIB:
        raise RefusedError(
            "full", f"attachments fill {most} MiB, which is all they may: MIDWATCH_FILES_TOTAL_MIB allows more"
        )
    return StoredFile.objects.create(name=name, created_at=clock.now(), who=str(actor)[:200], user_id=actor.user_id)


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of `CHUNK_BYTES`, however they come."""
    held = bytearray()
    for chunk in chunks:
        view = memoryview(chunk)
        for start in range(0, len(view), CHUNK_BYTES):
            held += view[start : start + CHUNK_BYTES]
            while len(held) >= CHUNK_BYTES:
                yield bytes(held[:CHUNK_BYTES])
                del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)


def _batches(pieces: Iterable[bytes], sniffer: Sniffer) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for piece in pieces:
        sniffer.take(piece)
        batch.append(piece)
        if len(batch) == CHUNKS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _plain_name(given: str) -> str:
    """The last part of a path, without what a shell, a browser or a disk might take for something else."""
    last = given.replace("\\", "/").rpartition("/")[2] or "file"
    name = _UNSAFE.sub("_", clean(last, 1_000, is_one_line=True)).strip(". ") or "file"
    if len(name) <= NAME_MAX:
        return name
    stem, dot, ending = name.rpartition(".")
    is_ending = bool(dot) and len(ending) <= 10
    return f"{stem[: NAME_MAX - 11]}.{ending}" if is_ending else name[:NAME_MAX]


def _ending(name: str, kind: Kind) -> str:
    return name if name.lower().endswith(kind.endings) else f"{name}{kind.endings[0]}"
