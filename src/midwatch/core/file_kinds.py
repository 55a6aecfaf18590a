"""What a file is: its first bytes say, and for text all of them; never its name, and never who sent it."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass

MIB = 1024 * 1024
TAKEN = "PNG, JPEG, GIF and WebP pictures, PDF, text in UTF-8, JSON, CSV, zip and gzip"


class RefusedError(ValueError):
    """This is not taken. `reason`: empty, large, kind or full; the message is for the person who sent it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Kind:
    """`endings`: what its names may end in; the first is put behind a name that says something else.

    `served_as`: text of any kind leaves as plain text, so no program takes it for more.
    """

    content_type: str
    endings: tuple[str, ...]
    is_picture: bool = False
    is_text: bool = False

    @property
    def served_as(self) -> str:
        return "text/plain; charset=utf-8" if self.is_text else self.content_type


TEXT = Kind(
    "text/plain",
    (
        ".txt", ".log", ".md", ".cfg", ".conf", ".diff", ".err", ".ini", ".jsonl", ".ndjson", ".out", ".patch", ".sql",
        ".toml", ".tsv", ".yaml", ".yml",
    ),
    is_text=True,
)  # fmt: skip
JSON = Kind("application/json", (".json",), is_text=True)
CSV = Kind("text/csv", (".csv",), is_text=True)
WEBP = Kind("image/webp", (".webp",), is_picture=True)
BY_START: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG\r\n\x1a\n", Kind("image/png", (".png",), is_picture=True)),
    (b"\xff\xd8\xff", Kind("image/jpeg", (".jpg", ".jpeg"), is_picture=True)),
    (b"GIF87a", Kind("image/gif", (".gif",), is_picture=True)),
    (b"GIF89a", Kind("image/gif", (".gif",), is_picture=True)),
    (b"%PDF-", Kind("application/pdf", (".pdf",))),
    (b"PK\x03\x04", Kind("application/zip", (".zip",))),
    (b"PK\x05\x06", Kind("application/zip", (".zip",))),
    (b"\x1f\x8b", Kind("application/gzip", (".gz", ".tgz"))),
)
KINDS = {kind.content_type: kind for kind in (*(kind for _, kind in BY_START), WEBP, TEXT, JSON, CSV)}


def kind_of(start: bytes) -> Kind | None:
    """By the magic bytes; None: it may be text."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return WEBP
    return next((kind for magic, kind in BY_START if start.startswith(magic)), None)


class Sniffer:
    """Sees a file go by, a piece at a time. The first piece must hold the first sixteen bytes. Raises `RefusedError`."""

    def __init__(self, name: str, bytes_max: int) -> None:
        self.size = 0
        self.digest = hashlib.sha256()
        self._name = name
        self._bytes_max = bytes_max
        self._kind: Kind | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def take(self, piece: bytes) -> None:
        if self._kind is None:
            self._kind = kind_of(piece) or self._text()
        self.size += len(piece)
        if self.size > self._bytes_max:
            most = f"{self._bytes_max // MIB} MiB"
            raise RefusedError(
                "large", f"{self._name} is larger than {most}: cut it, or put it elsewhere and link to it"
            )
        self.digest.update(piece)
        if self._kind.is_text:
            self._read(piece, is_last=False)

    def end(self) -> Kind:
        if self._kind is None:
            raise RefusedError("empty", f"{self._name} is empty")
        if self._kind.is_text:
            self._read(b"", is_last=True)
        return self._kind

    def _text(self) -> Kind:
        name = self._name.lower()
        return JSON if name.endswith(".json") else CSV if name.endswith(".csv") else TEXT

    def _read(self, piece: bytes, *, is_last: bool) -> None:
        try:
            is_text = "\x00" not in self._decoder.decode(piece, is_last)
        except UnicodeDecodeError:
            is_text = False
        if not is_text:
            raise RefusedError(
                "kind", f"{self._name} is of a kind that is not taken: {TAKEN} are; pack it into a zip file"
            )
