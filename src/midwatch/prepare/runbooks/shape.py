"""What a runbook's document holds, once it is read. Pure; `document.parse` makes these."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from midwatch.prepare.runbooks.front import Front
from midwatch.prepare.runbooks.when import Condition

KINDS: Final = ("manual", "copy", "approve", "run", "auto")
RUNS: Final = frozenset({"run", "auto"})


@dataclass(frozen=True, slots=True)
class Retry:
    """`attempts`: tries in all, the first among them."""

    attempts: int = 1
    delay: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Needs:
    """Who approves: `count` people of `who`: users, `team:NAME`, `ic`, `manager`, `administrator`; () anyone who may."""

    count: int = 1
    who: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """Another way to run a step: its `verify`, or its dry run."""

    executor: str
    language: str
    body: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One fenced block. `attributes`: as written; `settings`: those of its executor, `cwd` and `interpreter` among them.

    `captures`: names of the values that its executor takes from what comes out. `secrets`: variable and
    name in the secret store. `needs`: who approves; None of a step that
    needs nobody. `approves`: of kind approve, the names of the steps it opens. `is_handler`: it runs only when a step fails
    that names it. `tags`: of the runner that may take it; `labels`: Runme's categories and tags. `asks`: what a manual step
    asks ("what did you see?"); `expects`: what one should see.
    """

    name: str
    title: str
    kind: str
    executor: str
    language: str
    body: str
    line: int
    attributes: Mapping[str, Any]
    settings: Mapping[str, Any]
    when: Condition | None = None
    retry: Retry = Retry()
    timeout: timedelta | None = None
    on_failure: str = "stop"
    idempotent: str = "no"
    verify: Form | None = None
    dry_run: Form | None = None
    can_dry_run: bool = True
    is_enabled: bool = True
    skip_reason: str = ""
    targets: tuple[str, ...] = ()
    needs: Needs | None = None
    approves: tuple[str, ...] = ()
    captures: tuple[str, ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    is_handler: bool = False
    asks: str = ""
    expects: str = ""
    is_named: bool = True


@dataclass(frozen=True, slots=True)
class Prose:
    """Markdown between steps."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Document:
    """`blocks`: all of it in order; forms (`verifies`, `dryRunOf`) stand with their steps and are left out. `spec`: the
    front matter in its normal form. `text`: what follows the front matter."""

    front: Front
    steps: tuple[Step, ...]
    blocks: tuple[Prose | Step, ...]
    spec: Mapping[str, Any]
    text: str

    def step(self, name: str) -> Step | None:
        return next((step for step in self.steps if step.name == name), None)

    @property
    def title(self) -> str:
        """The front matter's, else the first heading's."""
        return self.front.title or heading_of(self.text)


def heading_of(text: str) -> str:
    for token, inline in zip(tokens := blocks_of(text), tokens[1:], strict=False):
        if token.type == "heading_open":
            return plain(inline.content)
    return ""


def plain(text: str) -> str:
    """A line of Markdown without its commonest marks."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("`", "").replace("**", "").strip()


def blocks_of(text: str) -> list[Token]:
    """Block tokens alone: what stands inside lines is not looked at."""
    return _parser().parse(text)


@lru_cache(1)
def _parser() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "maxNesting": 20})
    made.core.ruler.enableOnly(["normalize", "block"])
    return made
