"""A step's rung in the text of a runbook, written anew: nothing else of the text is touched. Pure."""

from __future__ import annotations

import json
import re

_FENCE = re.compile(r"(?P<open>[ \t]*(?:`{3,}|~{3,})[ \t]*[^\s{`]*[ \t]*)(?P<attributes>\{.*\})[ \t]*")
_KIND = re.compile(r'("kind"\s*:\s*")[a-z]+(")')
_NAME = re.compile(r'\bname=(?P<quote>["\']?)(?P<name>[^\s"\'}]+)(?P=quote)')
_KIND_WORD = re.compile(r'\bkind=(["\']?)[a-z]+\1')


class ClimbingError(ValueError):
    """The step's line cannot be rewritten. The text says what to do by hand."""


def with_kind(text: str, step: str, kind: str) -> str:
    """The text with that step on another rung. Raises `ClimbingError`."""
    lines = text.split("\n")
    found = [at for at, line in enumerate(lines) if _is_of(line, step)]
    if len(found) != 1:
        raise ClimbingError(f'step {step}: write "kind": "{kind}" into its line by hand, it is not found by its name')
    lines[found[0]] = _rewritten(lines[found[0]], kind)
    return "\n".join(lines)


def _is_of(line: str, step: str) -> bool:
    match = _FENCE.fullmatch(line.rstrip("\r"))
    if match is None:
        return False
    try:
        attributes = json.loads(match["attributes"])
    except ValueError:
        named = _NAME.search(match["attributes"])
        return named is not None and named["name"] == step
    return isinstance(attributes, dict) and attributes.get("name") == step


def _rewritten(line: str, kind: str) -> str:
    if '"' in line and _KIND.search(line):
        return _KIND.sub(rf"\g<1>{kind}\g<2>", line, count=1)
    if _KIND_WORD.search(line):
        return _KIND_WORD.sub(f"kind={kind}", line, count=1)
    if re.search(r"\{\s*\"", line):
        return re.sub(r"\{\s*\"", f'{{"kind": "{kind}", "', line, count=1)
    return re.sub(r"\{\s*", f"{{ kind={kind} ", line, count=1)
