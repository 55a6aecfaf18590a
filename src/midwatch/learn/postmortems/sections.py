"""What a post-mortem is made of: templates with sections and prompts, what is still missing, what changed. Pure.

A template is a file of this package, `packs/NAME-VERSION.yaml`. A post-mortem keeps the version it was begun by.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from midwatch.core.differences import Line, between

Kind = Literal["text", "timeline", "clients", "why", "actions"]
KINDS: Final[Mapping[str, Kind]] = {
    "text": "text",
    "timeline": "timeline",
    "clients": "clients",
    "why": "why",
    "actions": "actions",
}
TEXT_MAX: Final = 50_000  # characters of one section
DIFF_LINES_MAX: Final = 2_000
PACKS: Final = Path(__file__).parent / "packs"

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_NOTHING = re.compile(r"[\s\-_*#.…?]*(?:(?:tbd|todo|tba|tbc|n/?a|xxx|later)[\s.…!:]*)?", re.IGNORECASE)
_LINE_ENDS = re.compile(r"\r\n?")


@dataclass(frozen=True, slots=True)
class Section:
    """`kind`: what stands beside the text (entries, clients, a tree, action items). `is_external`: in what clients read."""

    key: str
    title: str
    prompts: tuple[str, ...]
    kind: Kind = "text"
    is_required: bool = False
    is_external: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    name: str
    version: int
    title: str
    summary: str
    sections: tuple[Section, ...]

    def section(self, key: str) -> Section | None:
        return next((section for section in self.sections if section.key == key), None)


class TemplateError(ValueError):
    """A template that cannot be read: the message says which and why."""


def parse_template(raw: Mapping[str, Any]) -> Template:
    """Raises TemplateError."""
    try:
        sections = tuple(_section(one) for one in raw["sections"])
        template = Template(str(raw["name"]), int(raw["version"]), str(raw["title"]), str(raw["summary"]), sections)
    except (KeyError, TypeError, ValueError) as error:
        raise TemplateError(f"a template needs name, version, title, summary and sections: {error!r}") from error
    keys = [section.key for section in sections]
    if len(set(keys)) != len(keys) or not keys:
        raise TemplateError(f"{template.name}-{template.version}: section keys must be there and differ, not {keys}")
    return template


def _section(raw: Mapping[str, Any]) -> Section:
    return Section(
        key=str(raw["key"]),
        title=str(raw["title"]),
        prompts=tuple(str(prompt) for prompt in raw.get("prompts", ())),
        kind=KINDS[raw.get("kind", "text")],
        is_required=bool(raw.get("required", False)),
        is_external=bool(raw.get("external", False)),
    )


@cache
def templates() -> Mapping[tuple[str, int], Template]:
    """Every version of every template there is."""
    found = [parse_template(yaml.safe_load(path.read_text("utf-8"))) for path in sorted(PACKS.glob("*.yaml"))]
    return {(template.name, template.version): template for template in found}


def newest(name: str) -> Template:
    """The version that is begun by now. Raises TemplateError."""
    versions = [template for (known, _), template in templates().items() if known == name]
    if not versions:
        known = ", ".join(sorted({name for name, _ in templates()}))
        raise TemplateError(f"there is no template {name!r}; there are {known}")
    return max(versions, key=lambda template: template.version)


def clean(text: str) -> str:
    """As it is kept: one kind of line end, composed characters, nothing a database refuses, no longer than TEXT_MAX."""
    text = _LINE_ENDS.sub("\n", text).replace("\x00", "")
    text = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates
    return unicodedata.normalize("NFC", text)[:TEXT_MAX].rstrip()


def is_written(text: str) -> bool:
    """Something stands there: not only comments, bullets without words, "TBD"."""
    return _NOTHING.fullmatch(_COMMENT.sub("", text)[:400]) is None


def missing(template: Template, texts: Mapping[str, str], answered: Sequence[str] = ()) -> list[Section]:
    """Required sections with nothing in them. `answered`: keys whose part beside the text (entries, clients) is there."""
    return [
        section
        for section in template.sections
        if section.is_required and section.key not in answered and not is_written(texts.get(section.key, ""))
    ]


def differences(old: str, new: str) -> list[Line]:
    """Between two revisions of a text, at most DIFF_LINES_MAX lines."""
    return between(old, new, lines_max=DIFF_LINES_MAX)
