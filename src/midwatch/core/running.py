"""What every executor needs while a step runs: a directory that leaves nothing behind, and patience with an end.

Comes after the clock; comes before the executors, and before the guard that stands around them.
"""

from __future__ import annotations

import codecs
import dataclasses
import importlib
import importlib.util
import os
import re
import secrets
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from midwatch.core import clock

LOOK_SECONDS = 0.2
PIECE_BYTES = 65_536
PARTIAL_SECONDS = 0.5  # a prompt without an end of line is shown after this


class Patience:
    """A step's time: it ends when it has passed, or when somebody cancels."""

    def __init__(self, seconds: float, is_cancelled: Callable[[], bool]) -> None:
        self.seconds = seconds
        self._ends_at = clock.monotonic() + seconds
        self._is_cancelled = is_cancelled

    def why_over(self) -> Literal["", "cancelled", "timed out"]:
        if self._is_cancelled():
            return "cancelled"
        return "timed out" if clock.monotonic() >= self._ends_at else ""

    def left(self, at_most: float) -> float:
        """For one request of many: seconds, never less than a tenth."""
        return max(0.1, min(at_most, self._ends_at - clock.monotonic()))

    def pause(self, seconds: float) -> Literal["", "cancelled", "timed out"]:
        """Waits, and looks several times a second whether it is over."""
        until = clock.monotonic() + seconds
        never = threading.Event()
        while not (why := self.why_over()) and (left := until - clock.monotonic()) > 0:
            never.wait(min(LOOK_SECONDS, left))
        return why


def _steps_directory() -> Path:
    root = Path(tempfile.gettempdir()) / f"midwatch-steps-{os.geteuid()}"
    root.mkdir(mode=0o711, exist_ok=True)
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{root} belongs to somebody else: remove it")
    if found.st_mode & 0o777 != 0o711:
        root.chmod(0o711)
    return root


def fresh_directory() -> str:
    """A private directory for one step. Whoever makes it removes it. Its neighbours cannot list it."""
    # Its maker's process stands in the name, so that what a killed one left is known by it.
    return tempfile.mkdtemp(prefix=f"{_processes()}-{os.getpid()}-{secrets.token_hex(8)}", dir=_steps_directory())


def _processes() -> int:
    """Which numbering of processes is ours: containers that share a directory for temporary files have one each."""
    return Path("/proc/self/ns/pid").stat().st_ino


def sweep_directories() -> int:
    """Removes what killed processes left of their steps. At the start of whatever runs steps. Returns how many."""
    count = 0
    for entry in os.scandir(_steps_directory()):
        processes, _, rest = entry.name.partition("-")
        maker = rest.partition("-")[0]
        if processes == str(_processes()) and maker.isdigit() and not Path(f"/proc/{maker}").exists():
            remove_directory(entry.path)
            count += 1
    return count


def remove_directory(path: str) -> None:
    """With all that programs left in it, whatever modes they gave it."""

    def open_and_try_again(function: Callable[..., object], name: str, _: object) -> None:
        try:
            os.chmod(os.path.dirname(name), 0o700)
            os.chmod(name, 0o700, follow_symlinks=True) if not os.path.islink(name) else None
            function(name)
        except OSError:
            pass  # it is said by the caller's check that nothing is left

    shutil.rmtree(path, onerror=open_and_try_again)


class TextStream:
    """Bytes become text, in whole lines where it can be, in bounded pieces."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._partial = ""
        self._since = 0.0

    def take(self, data: bytes, *, is_last: bool = False) -> None:
        text = self._partial + self._decoder.decode(data, is_last).replace("\0", "\ufffd")
        end = len(text) if is_last or len(text) >= PIECE_BYTES else text.rfind("\n") + 1
        if end:
            self._write(text[:end])
        if end or not self._partial:
            self._since = clock.monotonic()
        self._partial = text[end:]

    def hurry(self) -> None:
        """To be called now and then: what waits for the end of its line does not wait for ever."""
        if self._partial and clock.monotonic() - self._since > PARTIAL_SECONDS:
            self._write(self._partial)
            self._partial = ""


@cache
def extra(name: str) -> Any:
    """A library that not every installation has: the module, or None."""
    return importlib.import_module(name) if importlib.util.find_spec(name) is not None else None


class Captures:
    """Values taken from what a step says: NAME gets the rest of the last line that begins with some words.

    No regular expressions: one that is written badly stands still for hours on an odd line.
    """

    LINE_MAX = 16_384

    def __init__(self, settings: Mapping[str, Any]) -> None:
        given = settings.get("captures")
        self._wanted = {str(name): str(words) for name, words in given.items()} if isinstance(given, Mapping) else {}
        self._partial = ""
        self._values: dict[str, str] = {}

    def feed(self, text: str) -> None:
        if not self._wanted:
            return
        *lines, self._partial = (self._partial + text).split("\n")
        self._partial = self._partial[: self.LINE_MAX]
        for line in lines:
            self._look(line)

    def _look(self, line: str) -> None:
        line = line.strip()
        for name, words in self._wanted.items():
            if words and line.startswith(words.strip()):
                self._values[name] = line[len(words.strip()) :].strip()

    def values(self) -> dict[str, str]:
        self._look(self._partial)
        return dict(self._values)


CAPTURE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")


def problems_of_captures(settings: Mapping[str, Any]) -> list[str]:
    given = settings.get("captures")
    if given is None:
        return []
    if not isinstance(given, Mapping) or not all(isinstance(words, str) and words.strip() for words in given.values()):
        return ['captures: write {"NAME": "the words before the value"}']
    return [
        f"captures: {name!r} is no name; write letters, digits, dashes and _"
        for name in given
        if not CAPTURE_NAME.fullmatch(str(name))
    ]


def text_of(settings: Mapping[str, Any], name: str, default: str = "") -> str:
    value = settings.get(name)
    return default if value is None else str(value)


def flag_of(settings: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    """Runme writes attributes as text, so "false" is no."""
    value = settings.get(name)
    if value is None:
        return default
    return value if isinstance(value, bool) else str(value).strip().lower() in {"true", "yes", "1", "on"}


def number_of(settings: Mapping[str, Any], name: str, default: int, at_least: int, at_most: int) -> int:
    """Raises `ValueError` with a sentence."""
    value = settings.get(name)
    if value is None or value == "":
        return default
    try:
        number = int(str(value))
    except ValueError:
        number = at_least - 1
    if not at_least <= number <= at_most:
        raise ValueError(f"{name}: {str(value)[:40]!r} is no whole number from {at_least} to {at_most}")
    return number


def words_of(settings: Mapping[str, Any], name: str) -> Sequence[str]:
    """A list of texts. Raises `ValueError` with a sentence."""
    value = settings.get(name)
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(one, str | int | float) for one in value):
        raise ValueError(f'{name}: write a list, ["one", "two"]')
    return tuple(str(one) for one in value)


def unknown_attributes(settings: Mapping[str, Any], known: Mapping[str, str]) -> list[str]:
    return [
        f"{name}: this executor has no such attribute; it has {', '.join(sorted(known))}"
        for name in sorted(set(settings) - set(known))
    ]


REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_.-]*)\}")


def variable_of(name: str) -> str:
    """`${option.host}` is `${OPTION_HOST}`."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper()) if "." in name or not name.isupper() else name


def filled(text: str, names: Mapping[str, str], write: Callable[[str, str], str] | None = None) -> str:
    """References replaced by values; `write(name, value)` says how the place wants one. Raises `ValueError`.

    Without `write` they stand as they are: only where nothing around them is read, as for a value inside of a document.
    """

    def one(match: re.Match[str]) -> str:
        name = variable_of(match[1])
        if name not in names:
            known = ", ".join(sorted(names)) or "none"
            raise ValueError(f"${{{match[1]}}}: this step has no such variable; it has {known}")
        return write(name, names[name]) if write is not None else names[name]

    return REFERENCE.sub(one, text)


def filled_within(value: Any, names: Mapping[str, str]) -> Any:
    """Every text of a structure, filled. Raises `ValueError`."""
    if isinstance(value, str):
        return filled(value, names)
    if isinstance(value, Mapping):
        return {str(key): filled_within(one, names) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [filled_within(one, names) for one in value]
    return value


T = TypeVar("T")


def settled(task: T, *, apart: frozenset[str] = frozenset({"captures"})) -> T:
    """The task with its attributes filled, but those that stand `apart`. An address that a value had a part in is typed by
    somebody, whoever wrote the runbook: the task is not trusted then. Raises `ValueError`."""
    given: Any = task
    names, settings = given.variables, given.settings
    filled_ones = {key: one if key in apart else filled_within(one, names) for key, one in settings.items()}
    is_trusted = given.is_trusted and not REFERENCE.search(text_of(settings, "url"))
    return dataclasses.replace(given, settings=filled_ones, is_trusted=is_trusted)  # type: ignore[no-any-return]


def filled_document(text: str, names: Mapping[str, str]) -> Any:
    """One JSON or YAML document, filled after it was read: a value can add no field. A plain scalar that is one reference
    whose value is a number is a number (`replicas: ${OPTION_COUNT}`). Raises `ValueError` with the line.

    Without anchors: a few lines of them stand for more than a machine's memory.
    """
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1 if event.start_mark is not None else 1
                raise ValueError(f"line {line}: write it out, anchors are not read here")
        loader = yaml.CSafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _fill(node, names)
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise ValueError(f"{where}{getattr(error, 'problem', None) or 'this is no YAML'}") from None


def _fill(node: Any, names: Mapping[str, str]) -> None:
    if isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            _fill(value, names)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _fill(value, names)
    elif isinstance(node, yaml.ScalarNode) and REFERENCE.search(node.value):
        is_alone = node.style is None and REFERENCE.fullmatch(node.value)
        node.value = filled(node.value, names)
        is_number = is_alone and WHOLE.fullmatch(node.value)
        node.tag = "tag:yaml.org,2002:int" if is_number else "tag:yaml.org,2002:str"


WHOLE = re.compile(r"-?(0|[1-9]\d{0,14})")
