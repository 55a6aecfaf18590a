"""The reference says what the code says: settings, metrics, events, dependencies, fields, verbs, the loop."""

from __future__ import annotations

import argparse
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import prometheus_client
import pytest

from midwatch.cli import parser
from midwatch.core import files
from midwatch.engine import canary_metrics
from midwatch.engine import metrics as engine_metrics
from midwatch.engine.reactions import REACTIONS
from midwatch.gitops.actions import apply_text, plan_text
from midwatch.gitops.schema import KINDS
from midwatch.intake import metrics as intake_metrics
from midwatch.lifecycle import LIFECYCLE
from midwatch.respond.notify import metrics as notify_metrics
from midwatch.settings import BY_NAME, PREFIX, SETTINGS, Setting
from midwatch.web import shared
from midwatch.web.live import metrics as live_metrics

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
LATER: set[str] = set()  # verbs that the docs announce and say so
LOADED = (
    canary_metrics,
    engine_metrics,
    files,
    intake_metrics,
    live_metrics,
    notify_metrics,
    shared,
)  # importing them registers what they export


def rows(page: Path) -> list[list[str]]:
    """The cells of every table's rows."""
    lines = [line for line in page.read_text("utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_stands_in_the_reference(setting: Setting) -> None:
    name = f"`{PREFIX}{setting.name}`"
    found = [row for row in rows(REFERENCE / "settings.md") if row[0].startswith(name)]
    assert len(found) == 1, f"{name} has {len(found)} rows"
    assert setting.is_secret == ("(secret)" in found[0][0])
    if setting.default:
        assert setting.default in found[0][1]


def test_no_page_names_a_setting_that_nothing_reads() -> None:
    for page in PAGES:
        for name in re.findall(rf"\b{PREFIX}([A-Z][A-Z_]*[A-Z])\b", page.read_text("utf-8")):
            is_known = name.removesuffix("_FILE") in BY_NAME or name.startswith(("REF_", "TEST_"))
            assert is_known or name == "REF", f"{page.name} names {PREFIX}{name}"


def test_every_metric_stands_in_the_reference() -> None:
    text = (REFERENCE / "metrics.md").read_text("utf-8")
    for family in prometheus_client.REGISTRY.collect():
        if family.name.startswith("midwatch_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            assert re.search(rf"^\| `{name}[`{{]", text, re.MULTILINE), f"{name} is missing"


def test_no_page_names_a_metric_that_is_not_exported() -> None:
    exported = {family.name for family in prometheus_client.REGISTRY.collect()}
    for page in PAGES:
        for name in re.findall(r"\bmidwatch_[a-z_]+[a-z]\b", page.read_text("utf-8")):
            if name != "midwatch_session":
                assert name.removesuffix("_total") in exported, f"{page.name} names {name}"


def test_the_events_are_the_table_of_reactions() -> None:
    named = {row[0].strip("`") for row in rows(REFERENCE / "events.md") if row[0].startswith("`")}
    assert named == set(REACTIONS)


def test_every_dependency_has_a_reason() -> None:
    text = (REFERENCE / "dependencies.md").read_text("utf-8").lower()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for requirement in project["dependencies"]:
        name = re.match(r"[A-Za-z0-9-]+", requirement)
        assert name is not None
        assert re.search(rf"^\| {name[0].lower()}\b", text, re.MULTILINE), f"{name[0]} is missing"
    front = json.loads((ROOT / "frontend" / "package.json").read_text("utf-8"))
    for package, version in front["dependencies"].items():
        assert f"| {package} | {version} |" in text


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_field_of_a_document_is_described(kind: object) -> None:
    page = (ROOT / "docs" / "configuration-as-code.md").read_text("utf-8")
    section = page.split(f"\n### {kind.name}\n", 1)[1].split("\n### ", 1)[0]  # type: ignore[attr-defined]
    for name, field in kind.table.items():  # type: ignore[attr-defined]
        shown = f"| **`{name}`** |" if field.is_required else f"| `{name}` |"
        assert shown in section, f"{name} is missing, or is not shown as it is required"


def examples() -> Iterator[tuple[str, str]]:
    for page in sorted((ROOT / "docs").glob("*.md")):
        for number, text in enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)):
            if "apiVersion: midwatch.dev" in text:
                yield f"{page.name}-{number}", text


@pytest.mark.django_db
def test_the_example_of_all_kinds_applies_once(monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = [text for name, text in examples() if name.startswith("configuration-as-code")]
    assert {change.kind for change in apply_text(text).changes} == set(KINDS)
    assert not plan_text(text).changes


@pytest.mark.django_db
def test_every_other_example_applies_on_top_of_it() -> None:
    found = dict(examples())
    people = "".join(
        f"---\napiVersion: midwatch.dev/v1\nkind: User\nmetadata: {{name: {name}}}\nspec: {{}}\n"
        for name in ("cy", "dana", "fay")
    )
    secondary = "---\napiVersion: midwatch.dev/v1\nkind: Schedule\nmetadata: {name: payments-secondary}\nspec: {team: payments}\n"
    main = next(text for name, text in found.items() if name.startswith("configuration-as-code"))
    apply_text(main + people + secondary)
    others = {name: text for name, text in found.items() if text != main}
    assert others
    for text in others.values():
        apply_text(text)


def verbs() -> set[str]:
    names: set[str] = set()
    for action in parser.parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            names |= set(action.choices)
    return names


def test_no_page_names_a_verb_that_is_not_there() -> None:
    known = verbs()
    for page in PAGES:
        text = page.read_text("utf-8")
        for verb in re.findall(r"(?:`|^|bin/|\$\(|; )midwatch ([a-z][a-z-]*)", text, re.MULTILINE):
            assert verb in known | LATER, f"{page.name} names midwatch {verb}"


def test_the_loop_is_one_list() -> None:
    shown = [row for row in rows(ROOT / "README.md") if row[0].startswith("`")]
    assert shown == [[f"`{step.package}`", step.title, step.question] for step in LIFECYCLE]
    first_page = {row[0]: row[1] for row in rows(ROOT / "docs" / "index.md") if row[0].startswith("`")}
    assert first_page == {f"`{step.package}`": step.question for step in LIFECYCLE}
