"""Markdown of another place, made a runbook: what its front matter says to other programs is left out and told. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from midwatch.core.text import slug
from midwatch.core.written import documents
from midwatch.core.written.documents import Fields
from midwatch.prepare.runbooks.document import split
from midwatch.prepare.runbooks.front import FRONT


@dataclass(frozen=True, slots=True)
class Cleaned:
    """`dropped`: fields of the front matter that mean nothing here."""

    text: str
    dropped: tuple[str, ...] = ()


def cleaned(text: str) -> Cleaned:
    """Front matter that is no YAML stays: reading it says what is wrong."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    header, rest, _ = split(text)
    try:
        found = documents.documents_of("", header) if header else []
    except (ValueError, yaml.YAMLError, documents.BrokenError):
        return Cleaned(text)
    root = found[0].root if found else None
    if not isinstance(root, Fields) or root.written.startswith("{"):
        return Cleaned(text)
    unknown = [key for key in root.items if key not in FRONT]
    if not unknown:
        return Cleaned(text)
    lines = header.split("\n")
    starts = sorted(set(root.key_lines.values()))
    kept = list(enumerate(lines, start=1))
    for key in unknown:
        first = root.key_lines[key]
        after = next((line for line in starts if line > first), len(lines) + 1)
        kept = [(number, line) for number, line in kept if not first <= number < after]
    front = "\n".join(line for _, line in kept)
    return Cleaned(f"---\n{front}\n---\n{rest}" if front.strip() else rest, tuple(unknown))


def name_of(path: str) -> str:
    """A name for a file that says none: of the file, and of its directory when it is an index."""
    parts = path.replace("\\", "/").rpartition(".")[0].split("/")
    stem = parts[-2] if parts[-1].lower() in {"index", "readme", "_index"} and len(parts) > 1 else parts[-1]
    return slug(stem)
