"""The manual's runbook is read as it stands, and every field and attribute is named there."""

from __future__ import annotations

import re
from pathlib import Path

from midwatch.core.integration import runners
from midwatch.prepare.runbooks import document, front, options, reading

MANUAL = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "runbook-format.md").read_text("utf-8")
OF_RUNME = {"id", "terminalRows", "closeTerminalOnSuccess", "openTerminalOnError", "mimeType", "ignore"}


def test_the_example_is_read() -> None:
    (text,) = re.findall(r"````markdown\n(.*?)````", MANUAL, re.S)
    # executors that are not here yet are taken at their word
    known = {"ssh": ("user",), "http": ("url",), **{name: runner.ATTRIBUTES for name, runner in runners().items()}}
    found = document.parse(text, executors=known)
    assert [step.kind for step in found.steps] == ["manual", "copy", "approve", "run", "auto", "manual"]
    assert [step.name for step in found.steps if step.is_handler] == ["call"]


def test_every_word_is_named() -> None:
    words = {*front.FRONT, *options.OPTION, *reading.ATTRIBUTES} - OF_RUNME
    assert not [word for word in sorted(words) if f"`{word}`" not in MANUAL and f'"{word}"' not in MANUAL]
