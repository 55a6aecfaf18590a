"""What another product keeps, brought here as runbooks: the protocol of `importer.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from midwatch.core.foreign import ForeignFile

# same: means what it meant. near: with the difference that is noted. manual: a person does it. dropped: nothing like it here.
MappedWord = Literal["same", "near", "manual", "dropped"]


@dataclass(frozen=True, slots=True)
class Mapped:
    """What became of one part of a definition. `part`: as its owner knows it ("step 2: restart", "option host")."""

    part: str
    word: MappedWord
    note: str = ""


@dataclass(frozen=True, slots=True)
class ImportWish:
    """`kind`: of the steps that a machine ran: `auto`, as there, or `run`, where a person presses each."""

    team: str = ""
    service: str = ""
    kind: str = "auto"


@dataclass(frozen=True, slots=True)
class ImportedRunbook:
    """`name`: a slug, unique within one import. `text`: Markdown with front matter. `key`: its lasting id there, `group`: its
    folder there, `origin`: the file. `schedule`: five fields of cron, in `time_zone`, for whoever makes a trigger of it."""

    name: str
    title: str
    text: str
    key: str
    group: str
    origin: str
    mapped: Sequence[Mapped]
    is_active: bool = True
    schedule: str = ""
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class Imports:
    """`refused`: (file or place in it, why). `notes`: sentences about what came along and becomes no runbook."""

    runbooks: Sequence[ImportedRunbook]
    refused: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()


class Importer(Protocol):
    """`integrations/<vendor>/importer.py`, as a module."""

    PRODUCT: str  # the word in `midwatch import PRODUCT`
    TITLE: str
    ENDINGS: Sequence[str]  # of the members of an archive that it reads

    def read(self, files: Sequence[ForeignFile], wish: ImportWish) -> Imports:
        """Pure, and never raises: what cannot become a runbook is refused with its reason, the rest goes on."""

    # Optional: exported(runbooks: Sequence[Mapping]) -> list   (the way back, in the product's own shape)
