"""The manual names every kind and field, and its example applies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from midwatch.gitops.actions import plan_text
from midwatch.gitops.schema import KINDS

MANUAL = (Path(__file__).resolve().parents[2] / "docs" / "configuration-as-code.md").read_text("utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_stands_in_the_manual(kind: str) -> None:
    section = MANUAL.split(f"### {kind}\n", 1)[1].split("\n### ", 1)[0]
    missing = [field for field in KINDS[kind].table if f"`{field}`" not in section]
    assert not missing


@pytest.mark.django_db
def test_the_example_of_the_manual_applies() -> None:
    (example,) = re.findall(r"```yaml\n(apiVersion.*?)```", MANUAL, re.S)
    assert {change.kind for change in plan_text(example).changes} == set(KINDS)
