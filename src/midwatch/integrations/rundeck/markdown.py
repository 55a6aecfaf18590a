"""A draft as the text of a runbook: front matter, prose, fenced steps. Pure."""

from __future__ import annotations

import json
from typing import Any

from midwatch.core.foreign import as_yaml
from midwatch.core.integration import ImportWish
from midwatch.integrations.rundeck.drafts import Draft, Step


def text(draft: Draft, wish: ImportWish) -> str:
    parts = [f"---\n{as_yaml(_front(draft, wish))}---", f"# {_plain(draft.title)}"]
    parts += [_prose(said) for said in draft.said]
    parts.append(f"Imported from the Rundeck job {_code(f'{draft.group}/{draft.title}'.lstrip('/'))}.")
    for step in draft.steps:
        parts += _step(step)
    return "\n\n".join(parts) + "\n"


def _front(draft: Draft, wish: ImportWish) -> dict[str, Any]:
    found: dict[str, Any] = {"name": draft.name, "title": draft.title or draft.name}
    if wish.team:
        found["team"] = wish.team
    if wish.service:
        found["service"] = wish.service
    if draft.concurrency != 1:
        found["concurrency"] = draft.concurrency
    if draft.options:
        found["options"] = [{"name": option.name, **option.values} for option in draft.options]
    return found


def _step(step: Step) -> list[str]:
    attributes: dict[str, Any] = {"name": step.name, "title": step.title, "kind": step.kind}
    if step.executor:
        attributes["executor"] = step.executor
    attributes |= {
        key: value
        for key, value in step.settings.items()
        if key not in {"runbook", "options"} or step.executor == "runbook"
    }
    if step.targets:
        attributes["targets"] = list(step.targets)
    if step.timeout:
        attributes["timeout"] = step.timeout
    if step.retries:
        attributes["retry"] = {
            "attempts": step.retries + 1,
            **({"delay": step.retry_delay} if step.retry_delay else {}),
        }
    if step.on_failure:
        attributes["onFailure"] = step.on_failure
    body = step.body.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    return [
        f"## {_plain(step.title)}",
        *(_prose(one) for one in step.prose),
        fence(step.language or "text", attributes, body),
    ]


def fence(language: str, attributes: dict[str, Any], body: str) -> str:
    """A fence longer than any inside it."""
    longest, run = 2, 0
    for character in body:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    ticks = "`" * (longest + 1)
    # An info string between backticks may hold none, and ends with its line.
    info = json.dumps(attributes, ensure_ascii=True).replace("`", "\\u0060")
    return f"{ticks}{language} {info}\n{body}\n{ticks}"


def _plain(title: str) -> str:
    return " ".join(title.split()) or "Step"


def _code(words: str) -> str:
    return f"`{words.replace('`', chr(39))}`"


def _prose(said: str) -> str:
    """A stranger's Markdown must not open a fence that becomes a step, nor front matter."""
    lines = said.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(f"    {line}" if line.lstrip(" >").startswith(("```", "~~~")) else line for line in lines)
