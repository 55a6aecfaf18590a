"""Attachments from anybody: what is taken, what it becomes, and how it leaves."""

from __future__ import annotations

import hashlib
import tracemalloc
import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.http import HttpResponseBase
from django.test import RequestFactory

from midwatch.core import clock, files
from midwatch.core.actor import Actor
from midwatch.core.models import FileChunk, StoredFile
from midwatch.engine import retention
from midwatch.settings import settings

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
ANA = Actor("Ana Novak", "web", 7)
MIB = 1024 * 1024


def a_chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + a_chunk(b"IHDR", bytes.fromhex("0000000100000001080600000000"[:26]))
    + a_chunk(b"IDAT", zlib.compress(b"\x00\x00\x00\x00\x00"))
    + a_chunk(b"IEND", b"")
)
SCRIPT = b"<script>alert(1)</script>"


def take(name: str, *chunks: bytes) -> StoredFile:
    return files.store(name, chunks, ANA)


def body_of(answer: HttpResponseBase) -> bytes:
    return b"".join(answer.streaming_content)  # type: ignore[attr-defined]


def leaves(stored: StoredFile, **headers: Any) -> HttpResponseBase:
    return files.response(RequestFactory().get("/", headers=headers), stored)


@pytest.mark.parametrize(
    ("start", "content_type", "name"),
    [
        (PNG, "image/png", "a.png"),
        (b"\xff\xd8\xff\xe0" + b"x" * 20, "image/jpeg", "a.jpg"),
        (b"GIF89a" + b"x" * 20, "image/gif", "a.gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp", "a.webp"),
        (b"%PDF-1.7\n", "application/pdf", "a.pdf"),
        (b"PK\x03\x04" + b"x" * 20, "application/zip", "a.zip"),
        (b"\x1f\x8b\x08" + b"x" * 20, "application/gzip", "a.tgz"),
        (b"# log\n\x1b[31mred\x1b[0m \xc3\xa9", "text/plain", "a.log"),
        (b'{"a": 1}', "application/json", "a.json"),
        (b"a,b\n1,2\n", "text/csv", "a.csv"),
    ],
)
def test_what_is_taken(start: bytes, content_type: str, name: str) -> None:
    stored = take(name, start)
    assert (stored.name, stored.content_type, stored.size) == (name, content_type, len(start))
    assert stored.sha256 == hashlib.sha256(start).hexdigest()
    assert (stored.who, stored.user_id) == ("Ana Novak", 7)
    assert b"".join(files.content(stored)) == start


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.exe", b"MZ\x90\x00" + b"\x00" * 60),
        ("a.txt", b"\x7fELF\x02\x01\x01\x00"),
        ("a.txt", "hello".encode("utf-16")),
        ("latin.log", b"caf\xe9 was down"),
        ("late.txt", b"a" * 200_000 + b"\xff"),
        ("cut.txt", b"a" * 10 + b"\xc3"),
        ("a.svgz.bmp", b"BM\x00\x00\x00\x00"),
    ],
)
def test_other_kinds_are_refused_with_a_way_out(name: str, body: bytes) -> None:
    with pytest.raises(files.RefusedError, match="pack it into a zip file") as refused:
        take(name, body)
    assert refused.value.reason == "kind"
    assert not StoredFile.objects.exists()
    assert not FileChunk.objects.exists()


def test_what_is_empty_is_refused() -> None:
    for chunks in ((), (b"",), (b"", b"")):
        with pytest.raises(files.RefusedError, match=r"a\.txt is empty"):
            take("a.txt", *chunks)
    assert not StoredFile.objects.exists()


def test_what_is_too_large_is_refused_without_reading_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDWATCH_FILE_MAX_MIB", "1")
    settings.cache_clear()
    given = 0

    def endless() -> Iterator[bytes]:
        nonlocal given
        while given < 1_000:
            given += 1
            yield b"a" * 65_536

    try:
        tracemalloc.start()
        with pytest.raises(files.RefusedError, match=r"big\.log is larger than 1 MiB"):
            files.store("big.log", endless(), ANA)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        monkeypatch.undo()
        settings.cache_clear()
    assert given <= 18
    assert most < 4 * MIB
    assert not FileChunk.objects.exists()


def test_rows_stay_small_however_the_bytes_come() -> None:
    whole = bytes(range(256)) * 1_000
    text = whole.hex().encode()
    for size in (1_000, 65_536, len(text)):
        stored = files.store("a.txt", (text[start : start + size] for start in range(0, len(text), size)), ANA)
        rows = list(FileChunk.objects.filter(file=stored).order_by("index").values_list("index", "body"))
        assert [index for index, _ in rows] == list(range(8))
        assert max(len(body) for _, body in rows) == files.CHUNK_BYTES
        assert b"".join(files.content(stored)) == text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd.txt"),
        ("C:\\Users\\ana\\report.txt", "report.txt"),
        ("..", "file.txt"),
        ("", "file.txt"),
        ("/", "file.txt"),
        ("a\x00b\r\nSet-Cookie: x.txt", "ab Set-Cookie_ x.txt"),
        ("\u202etxt.exe", "txt.exe.txt"),
        ('x"; filename="evil.html', "x__ filename=_evil.html.txt"),
        ("page.html", "page.html.txt"),
        ("drawing.svg", "drawing.svg.txt"),
        ("n" * 300 + ".log", "n" * 109 + ".log"),
        ("\ud800.txt", "\ufffd.txt"),
        ("caf\u00e9 (1).txt", "caf\u00e9 (1).txt"),
    ],
)
def test_names_are_names_and_say_what_it_is(given: str, kept: str) -> None:
    stored = take(given, SCRIPT)
    assert stored.name == kept
    answer = leaves(stored)
    assert "\n" not in answer["Content-Disposition"]
    assert answer["Content-Disposition"].startswith("attachment")


def test_a_wrong_ending_gets_the_right_one() -> None:
    assert take("invoice.html", PNG).name == "invoice.html.png"
    assert take("a.png", b"%PDF-1.4 x").name == "a.png.pdf"


@pytest.mark.parametrize(
    "body",
    [
        PNG + SCRIPT,
        b"GIF89a/*" + SCRIPT + b"*/=1;alert(1)",
        b"\xff\xd8\xff\xe0" + SCRIPT,
        b"%PDF-1.4\n" + SCRIPT,
        b"\n" + SCRIPT,
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        b"PK\x03\x04" + SCRIPT,
    ],
)
def test_two_things_at_once_leave_as_one_that_runs_nothing(body: bytes) -> None:
    answer = leaves(take("x.html", body))
    assert body_of(answer) == body
    assert not any(word in answer["Content-Type"] for word in ("html", "svg", "xml", "script"))
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert answer["Cache-Control"].startswith("private")
    is_picture = answer["Content-Type"].startswith("image/")
    assert answer["Content-Disposition"].startswith("inline" if is_picture else "attachment")


def test_a_type_that_is_not_ours_leaves_as_text() -> None:
    stored = take("a.txt", SCRIPT)
    stored.content_type = "text/html"
    assert leaves(stored)["Content-Type"] == "text/plain; charset=utf-8"


def test_a_browser_that_has_it_gets_nothing() -> None:
    stored = take("a.png", PNG)
    first = leaves(stored)
    assert first["Content-Length"] == str(len(PNG))
    again = leaves(stored, if_none_match=first["ETag"])
    assert again.status_code == 304
    assert "sandbox" in again["Content-Security-Policy"]


def test_addresses_are_those_that_markdown_shows() -> None:
    from midwatch.core.markdown import render

    stored = take("caf\u00e9 (1)~.png", PNG)
    assert "<img" in render(f"![x]({files.address('/incidents/42', stored)})")


def test_what_nobody_kept_goes_and_the_rest_goes_with_its_owner() -> None:
    loose, kept, other = take("a.txt", b"a"), take("b.txt", b"b"), files.store("c.txt", [b"c"], ANA, owner="incident:2")
    with transaction.atomic():
        files.keep(kept, "incident:1")
    StoredFile.objects.update(created_at=clock.now() - timedelta(days=2))
    late = take("d.txt", b"d")
    assert files.forget_loose(clock.now() - retention.LOOSE_FILES_KEPT, 10) == 1
    assert set(StoredFile.objects.values_list("pk", flat=True)) == {kept.pk, other.pk, late.pk}
    assert not FileChunk.objects.filter(file=loose.pk).exists()
    assert files.kept("incident:1") == [kept]
    assert files.forget("incident:1") == 1
    assert not FileChunk.objects.filter(file=kept.pk).exists()
    assert files.kept("incident:2") == [other]


def test_all_of_them_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = take("a.txt", b"a")
    StoredFile.objects.filter(pk=stored.pk).update(size=10_240 * MIB)
    with pytest.raises(files.RefusedError, match="MIDWATCH_FILES_TOTAL_MIB") as refused:
        take("b.txt", b"b")
    assert refused.value.reason == "full"
