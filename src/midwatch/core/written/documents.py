"""YAML read as it is written: documents of scalars, lists and maps that know their lines. Pure but for reading files.

Nothing is guessed: every scalar is its text, and the schema says what it means. Built from parser events, without
recursion and with aliases counted, so that no file can make it run away.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from midwatch.core.written.problems import Problem

FILES_MAX: Final = 10_000
FILE_BYTES_MAX: Final = 5 * 1024 * 1024
NODES_MAX: Final = 200_000  # of one file, aliases written out
DEPTH_MAX: Final = 40
ENDINGS: Final = (".yaml", ".yml")
FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_PLAIN_TAGS = re.compile(r"!|tag:yaml\.org,2002:(?:str|int|float|bool|null|timestamp|seq|map)")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Scalar:
    line: int
    text: str
    is_plain: bool
    written: str
    size: int = 1

    @property
    def is_null(self) -> bool:
        return self.is_plain and self.text in _NULLS


@dataclass(slots=True)
class Items:
    line: int
    items: list[Node] = field(default_factory=list)
    written: str = ""
    size: int = 1


@dataclass(slots=True)
class Fields:
    line: int
    items: dict[str, Node] = field(default_factory=dict)
    key_lines: dict[str, int] = field(default_factory=dict)
    written: str = ""
    size: int = 1
    merged: list[Node] = field(default_factory=list)  # what `<<` named


Node = Scalar | Items | Fields


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document of one file."""

    file: str
    line: int
    root: Node


@dataclass(frozen=True, slots=True)
class Documents:
    """What was read. `root`: the directory as given; `directory`: the same resolved, what `{file: ...}` references are
    relative to. `digest`: of all the texts."""

    documents: Sequence[Document]
    problems: Sequence[Problem]
    directory: Path | None
    digest: str
    root: Path | None = None


class BrokenError(Exception):
    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.text = text


Maker = Callable[[str, str], list[Document]]


def read_directory(directory: Path, others: Mapping[str, Maker] | None = None) -> Documents:
    """Every *.yaml and *.yml below it, sorted; hidden files and directories are left out. `others`: ending of further files
    -> what makes documents of the name and text of one."""
    makers: dict[str, Maker] = {**dict.fromkeys(ENDINGS, documents_of), **(others or {})}
    if not directory.is_dir():
        return Documents(
            (), (Problem(str(directory), 0, text="is no directory: give the one with the *.yaml files"),), None, ""
        )
    documents: list[Document] = []
    problems: list[Problem] = []
    digest = hashlib.sha256()
    paths = sorted(_paths(directory, tuple(makers)))
    if len(paths) > FILES_MAX:
        problems.append(Problem(str(directory), 0, text=f"has more than {FILES_MAX} files: split it"))
    for path in paths[:FILES_MAX]:
        shown = str(path)
        try:
            data = _bytes(path)
            digest.update(f"{path.relative_to(directory)}\0{len(data)}\0".encode("utf-8", "surrogateescape") + data)
            found = makers[path.suffix](shown, _text(data))
        except BrokenError as error:
            problems.append(Problem(shown, error.line, text=error.text))
        else:
            documents.extend(found)
    return Documents(documents, problems, directory.resolve(), digest.hexdigest(), directory)


def read_text(text: str, *, file: str = "text", directory: Path | None = None) -> Documents:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    try:
        found = documents_of(file, text)
    except BrokenError as error:
        return Documents((), (Problem(file, error.line, text=error.text),), directory, digest)
    return Documents(found, (), directory, digest)


def _paths(directory: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    for root, folders, names in os.walk(directory):
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        for name in names:
            if name.endswith(endings) and not name.startswith("."):
                yield Path(root, name)


def _bytes(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BrokenError(0, "is no ordinary file: take it away")  # reading a pipe would wait for ever
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise BrokenError(0, f"cannot be read ({error.strerror}): make it readable or take it away") from error
    if len(data) > FILE_BYTES_MAX:
        raise BrokenError(0, f"is larger than {FILE_BYTES_MAX // 1024**2} MiB: split it into several files")
    return data


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BrokenError(
            data[: error.start].count(b"\n") + 1, "is no UTF-8 text here: save the file as UTF-8"
        ) from error


def documents_of(file: str, text: str) -> list[Document]:
    """Of one file. What is broken is noted by `read_directory` and `read_text`."""
    bad = FORBIDDEN.search(text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        raise BrokenError(line, f"a control character ({bad[0]!a}): take it away")
    try:
        return _Builder(file, text).documents()
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        what = error.problem or error.context or "not understood"
        raise BrokenError(
            mark.line + 1 if mark else 1, f"is not YAML here ({what}): check indentation, quotes and brackets"
        ) from error
    except yaml.YAMLError as error:
        raise BrokenError(1, f"is not YAML ({type(error).__name__}): check what it is") from error


class _Builder:
    """From parser events to nodes. `_open` holds the lists and maps that are not closed yet."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._text = text
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._anchors: dict[str, Node] = {}
        self._nodes_count = 0

    def documents(self) -> list[Document]:
        found = []
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors = {}
                root = self._document()
                if not (isinstance(root, Scalar) and root.is_null):
                    found.append(Document(self._file, root.line, root))
        return found

    def _document(self) -> Node:
        """The nodes of one document."""
        open_: list[tuple[Items | Fields, str | None, int]] = []  # node, its anchor, index of its first character
        keys: list[Scalar | None] = []  # of each open map: the key that waits for its value
        for event in self._events:
            node: Node | None = None
            if isinstance(event, yaml.ScalarEvent):
                node = self._scalar(event)
            elif isinstance(event, yaml.AliasEvent):
                node = self._alias(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._check_tag(event)
                mark: Any = event.start_mark
                if len(open_) >= DEPTH_MAX:
                    raise BrokenError(mark.line + 1, f"is nested deeper than {DEPTH_MAX}: no field needs that")
                is_map = isinstance(event, yaml.MappingStartEvent)
                open_.append((Fields(mark.line + 1) if is_map else Items(mark.line + 1), event.anchor, mark.index))
                keys.append(None)
                continue
            elif isinstance(event, yaml.CollectionEndEvent):
                node, anchor, first = open_.pop()
                self._end_collection(node, anchor, first, event, keys.pop())
            else:
                raise BrokenError(1, "ends in the middle of a document: check indentation and brackets")
            if not open_:
                return node
            keys[-1] = self._put(open_[-1][0], keys[-1], node)
        raise BrokenError(1, "ends in the middle of a document: check indentation and brackets")

    def _put(self, parent: Items | Fields, key: Scalar | None, node: Node) -> Scalar | None:
        """Put a finished node into the list or map it belongs to. Returns the key that waits for its value now."""
        parent.size += node.size
        self._count(1, node.line)
        if isinstance(parent, Items):
            parent.items.append(node)
            return None
        if key is None:
            if not isinstance(node, Scalar):
                raise BrokenError(node.line, "a key that is a list or a map: write a word")
            return node
        if key.is_plain and key.text == "<<":
            parent.merged.extend(node.items if isinstance(node, Items) else [node])
        elif key.text in parent.items:
            first = parent.key_lines[key.text]
            raise BrokenError(key.line, f"{key.text}: is written twice (first on line {first}): keep one of them")
        else:
            parent.items[key.text] = node
            parent.key_lines[key.text] = key.line
        return None

    def _count(self, size: int, line: int) -> None:
        self._nodes_count += size
        if self._nodes_count > NODES_MAX:
            raise BrokenError(
                line, f"has more than {NODES_MAX} values, aliases written out: split the file, use fewer aliases"
            )

    def _scalar(self, event: Any) -> Scalar:
        self._check_tag(event)
        written = self._text[event.start_mark.index : event.end_mark.index].strip()
        node = Scalar(event.start_mark.line + 1, event.value, not event.style, written)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any) -> Node:
        line = event.start_mark.line + 1
        found = self._anchors.get(event.anchor or "")
        if found is None:
            raise BrokenError(line, f"*{event.anchor}: no &{event.anchor} stands before it: write the value out")
        self._count(found.size, line)
        return found

    def _end_collection(
        self, node: Items | Fields, anchor: str | None, first: int, event: Any, key: Scalar | None
    ) -> None:
        if key is not None:
            raise BrokenError(key.line, f"{key.text}: has no value: write one")
        node.written = " ".join(self._text[first : event.end_mark.index].split())
        if isinstance(node, Fields):
            _merge(node)
        if anchor:
            self._anchors[anchor] = node

    @staticmethod
    def _check_tag(event: Any) -> None:
        if event.tag and not _PLAIN_TAGS.fullmatch(event.tag):
            raise BrokenError(event.start_mark.line + 1, f"has a tag ({event.tag}): write the value without one")


def _merge(node: Fields) -> None:
    """`<<: *defaults`: the fields that are not written here."""
    for other in node.merged:
        if not isinstance(other, Fields):
            raise BrokenError(other.line, "<<: names no map: give an alias of one, such as <<: *defaults")
        for key, value in other.items.items():
            if key not in node.items:
                node.items[key] = value
                node.key_lines[key] = other.key_lines[key]
    node.merged = []


def as_plain(node: Node) -> Any:
    """Texts, lists and dicts, for tests and messages."""
    match node:
        case Scalar():
            return None if node.is_null else node.text
        case Items():
            return [as_plain(item) for item in node.items]
        case Fields():
            plain: Mapping[str, Any] = {key: as_plain(value) for key, value in node.items.items()}
            return plain
