"""What the kinds share: secrets referred to, names in lists, how a check's sentence becomes a problem's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from midwatch.core.written.values import Field, Table, Value, WrongError, at, read_fields, reference, text
from midwatch.people.queries import REFERENCE_PREFIX, SecretUnreadableError, resolve_reference

HOUR, DAY, WEEK = 3600, 86_400, 604_800
NOBODY: Final = "nobody"


def once(value: Value, words: Sequence[str], path: Sequence[str | int], leaf: str = "") -> None:
    """Complains about the second of two alike in a list."""
    seen = set()
    for index, word in enumerate(words):
        if word in seen:
            where = at(value, *path, index, leaf) if leaf else at(value, *path, index)
            where.complain(WrongError("named twice", "leave one of them out"))
        seen.add(word)


def required_reference(kind: str, example: str) -> Field:
    return Field(reference(kind), is_required=True, example=example)


def secret_reference(value: Value) -> dict[str, str]:
    """`{env: NAME}` or `{file: PATH}`."""
    found = {key: word for key, word in read_fields(value, _REFERENCE, "{env: MIDWATCH_REF_X}").items() if word}
    if len(found) != 1:
        raise WrongError("not one reference", f"write {{env: {REFERENCE_PREFIX}NAME}} or {{file: PATH}}")
    if "env" in found and not found["env"].startswith(REFERENCE_PREFIX):
        at(value, "env").complain(
            WrongError("not a name that may be referred to", f"write a variable that begins with {REFERENCE_PREFIX}")
        )
    if "file" in found:
        _check_file(at(value, "file"), found)
    return found


def _check_file(value: Value, found: dict[str, str]) -> None:
    if value.reading.directory is None:
        value.complain(WrongError("a file without a configuration directory", "write {env: ...}, or apply a directory"))
        return
    try:
        resolve_reference(found, value.reading.directory)
    except SecretUnreadableError as error:
        what, _, instead = str(error).removeprefix("file: ").partition(": ")
        value.complain(WrongError(what, instead or "give a path below the configuration directory", written=""))


_REFERENCE: Table = {"env": Field(text(200)), "file": Field(text(500))}


def sentence(error: ValueError) -> str:
    """What a check says, as the second half of a sentence."""
    said = str(error).strip().rstrip(".")
    return said if said.startswith(("write ", "give ", "use ")) else f"write it so: {said}"
