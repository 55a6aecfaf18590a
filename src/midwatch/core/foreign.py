"""Files of other products, read without trust: YAML, JSON, XML and archives with a limit on everything. Writes no file.

A file may be a bomb (an archive or an alias that grows without end), may nest without end, may name paths that lead
elsewhere. Nothing of an archive is ever unpacked to a disk: members are read into memory, up to a limit, by their name.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

import yaml

FILE_BYTES_MAX = 5 * 1024**2
ARCHIVE_BYTES_MAX = 50 * 1024**2  # as it comes
UNPACKED_BYTES_MAX = 100 * 1024**2  # of all members that are read
MEMBERS_MAX = 20_000
NODES_MAX = 200_000  # of one file, aliases written out
DEPTH_MAX = 60
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_DOCTYPE = re.compile(rb"<!\s*(doctype|entity)", re.I)


class ForeignError(ValueError):
    """A file that is not read; the message says why and what to give instead."""


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """`path`: its name, or its path inside the archive, with `/`."""

    path: str
    data: bytes

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    def text(self) -> str:
        """Raises `ForeignError`."""
        if len(self.data) > FILE_BYTES_MAX:
            raise ForeignError(f"is larger than {FILE_BYTES_MAX // 1024**2} MiB: split it")
        try:
            text = self.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ForeignError("is no UTF-8 text: save it as UTF-8") from error
        if bad := _UNSTORABLE.search(text):
            line = text.count("\n", 0, bad.start()) + 1
            raise ForeignError(f"line {line}: a control character ({bad[0]!a}): take it away")
        return text


def opened(name: str, data: bytes, endings: Sequence[str]) -> list[ForeignFile]:
    """The file itself, or of a ZIP archive the members whose names end so. Raises `ForeignError`."""
    if not data.startswith(b"PK\x03\x04"):
        return [ForeignFile(name, data)]
    if len(data) > ARCHIVE_BYTES_MAX:
        raise ForeignError(f"is larger than {ARCHIVE_BYTES_MAX // 1024**2} MiB: export fewer jobs at once")
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return list(_members(archive, tuple(endings)))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ForeignError(f"is no ZIP archive that can be read ({error}): export it again") from error


def _members(archive: zipfile.ZipFile, endings: tuple[str, ...]) -> Iterator[ForeignFile]:
    """Sizes are counted as bytes come out: what the directory of the archive says of itself is not believed."""
    wanted = [one for one in archive.infolist() if not one.is_dir() and one.filename.endswith(endings)]
    if len(wanted) > MEMBERS_MAX:
        raise ForeignError(f"holds more than {MEMBERS_MAX} files: export fewer jobs at once")
    left = UNPACKED_BYTES_MAX
    for one in wanted:
        with archive.open(one) as member:
            data = member.read(min(FILE_BYTES_MAX, left) + 1)
        left -= len(data)
        if left < 0:
            raise ForeignError(f"unpacks to more than {UNPACKED_BYTES_MAX // 1024**2} MiB: export fewer jobs at once")
        yield ForeignFile(one.filename[:500], data)


def documents(file: ForeignFile) -> list[Any]:
    """The values of a YAML file's documents, or a JSON file's one: dicts, lists, texts, numbers. Raises `ForeignError`."""
    text = file.text()
    if file.path.lower().endswith(".json") or text.lstrip()[:1] in {"{", "["}:
        try:
            found = json.loads(text)
        except RecursionError as error:
            raise ForeignError("is nested too deeply") from error
        except ValueError as error:
            if file.path.lower().endswith(".json"):
                raise ForeignError(f"is no JSON: {str(error)[:200]}") from error
        else:
            _measure(found)
            return [found]
    return _yaml(text)


def _yaml(text: str) -> list[Any]:
    """Events first: their parser does not recurse, and tells how large the values would become."""
    try:
        _count(yaml.parse(text, Loader=_LOADER))
        return [found for found in yaml.load_all(text, Loader=_LOADER) if found is not None]
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise ForeignError(f"{where}no YAML ({error.problem or error.context})") from error
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, TypeError) as error:
        if isinstance(error, ForeignError):
            raise
        raise ForeignError(f"is no YAML that can be read ({str(error)[:200] or type(error).__name__})") from error


def _count(events: Iterator[Any]) -> None:
    total, depth = 0, 0
    sizes: dict[str, int] = {}
    open_: list[tuple[str, int]] = []  # anchor, total at its start
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            sizes = {}
        elif isinstance(event, yaml.AliasEvent):
            mark: Any = event.start_mark
            if event.anchor not in sizes:
                raise ForeignError(f"line {mark.line + 1}: *{event.anchor} stands inside itself, or nowhere")
            total += sizes[event.anchor]
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            total += 1
            open_.append((event.anchor or "", total))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            anchor, began = open_.pop()
            if anchor:
                sizes[anchor] = total - began + 1
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
        if total > NODES_MAX or depth > DEPTH_MAX:
            raise ForeignError(
                f"holds more than {NODES_MAX} values, aliases written out, or nests deeper than {DEPTH_MAX}"
            )


def _measure(value: Any) -> None:
    waiting, total = [(value, 0)], 0
    while waiting:
        here, depth = waiting.pop()
        total += 1
        if total > NODES_MAX or depth > DEPTH_MAX:
            raise ForeignError(f"holds more than {NODES_MAX} values, or nests deeper than {DEPTH_MAX}")
        inner = here.values() if isinstance(here, dict) else here if isinstance(here, list) else ()
        waiting += [(one, depth + 1) for one in inner]


def xml(file: ForeignFile) -> ElementTree.Element:
    """The root of an XML file. No document types: they are what XML bombs and thefts of files are made of."""
    if len(file.data) > FILE_BYTES_MAX:
        raise ForeignError(f"is larger than {FILE_BYTES_MAX // 1024**2} MiB: split it")
    if _DOCTYPE.search(file.data) or file.data[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in file.data[:100]:
        raise ForeignError("declares a document type or entities, or is no UTF-8: export it again")
    found: ElementTree.Element | None = None
    depth = total = 0
    try:
        for event, element in ElementTree.iterparse(BytesIO(file.data), ("start", "end")):  # noqa: S314 - see above
            depth += 1 if event == "start" else -1
            total += event == "start"
            found = element if found is None else found
            if total > NODES_MAX or depth > DEPTH_MAX:
                raise ForeignError(f"holds more than {NODES_MAX} elements, or nests deeper than {DEPTH_MAX}")
    except (ElementTree.ParseError, ValueError) as error:
        if isinstance(error, ForeignError):
            raise
        raise ForeignError(f"is no XML ({error})") from error
    if found is None:
        raise ForeignError("is empty")
    return found


def as_yaml(value: Any) -> str:
    """As people write it: keys in their order, texts of several lines as blocks, no anchors."""
    return str(
        yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False)
    )


class _Plain(_DUMPER):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Any, value: str) -> Any:
    block = "\n" in value and all(not line.endswith((" ", "\t")) for line in value.split("\n"))
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if block else None)


_Plain.add_representer(str, _text)
