"""What configuration as code and the web both write: names, marks of origin, the refusal to edit what is from code."""

from __future__ import annotations

from dataclasses import dataclass

from midwatch.core.text import NAME, NAME_HELP, clean
from midwatch.people.models import Managed


class FromCodeError(ValueError):
    """It comes from configuration as code: change it there. The text names the file and line."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a document stands: `owner` applied it, `file` is FILE:LINE below the directory."""

    owner: str
    file: str


def check_name(name: str, reserved: frozenset[str] = frozenset()) -> str:
    """Raises `ValueError` with a sentence."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{clean(name, 80)!r} is no name: give {NAME_HELP}")
    if name in reserved:
        raise ValueError(f"{name!r} has a meaning of its own: give another name")
    return name


def guard(found: Managed, mark: Mark | None) -> None:
    """The web, the API and the command line (no mark) only read what comes from code. Raises `FromCodeError`."""
    if mark is None and found.is_from_code:
        place = f" ({found.code_file})" if found.code_file else ""
        raise FromCodeError(f"{found} comes from configuration as code{place}: change it there and apply")


def mark_values(mark: Mark | None) -> dict[str, str]:
    """The columns of `Managed` for a new row."""
    return {"code_owner": mark.owner, "code_file": mark.file[:300]} if mark else {"code_owner": "", "code_file": ""}
