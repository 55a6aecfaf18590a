"""Choices of options that stand elsewhere: asked by the guarded door, bounded, and only as a list of texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from midwatch.core import net
from midwatch.core.text import clean
from midwatch.prepare.runbooks.document import parse
from midwatch.prepare.runbooks.models import Runbook
from midwatch.prepare.runbooks.options import CHOICES_MAX, VALUE_MAX, Option

BYTES_MAX: Final = 256 * 1024
SECONDS_MAX: Final = 5.0


class ChoicesError(ValueError):
    """The choices cannot be read. The text says of which option, and never holds a path or query."""


def listed(options: Sequence[Option], *, is_trusted: bool) -> dict[str, tuple[str, ...]]:
    """By option: what its address answers now. `is_trusted`: the runbook came from configuration as code, so that the
    address may be private. Never inside a transaction. Raises `ChoicesError`."""
    return {option.name: _choices(option, is_trusted) for option in options if option.values_url}


def listed_of(runbook: Runbook) -> dict[str, tuple[str, ...]]:
    """For a start: asked only when an option of its text wants it."""
    if runbook.current is None:
        return {}
    return listed(parse(runbook.current.body).front.options, is_trusted=runbook.is_trusted)


def listed_or_none(options: Sequence[Option], *, is_trusted: bool) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """For a form: what could be read, and a sentence for each that could not."""
    found: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    for option in options:
        if not option.values_url:
            continue
        try:
            found[option.name] = _choices(option, is_trusted)
        except ChoicesError as error:
            problems.append(str(error))
    return found, problems


def _choices(option: Option, is_trusted: bool) -> tuple[str, ...]:
    try:
        answer = net.http(
            "GET",
            option.values_url,
            is_trusted=is_trusted,
            headers={"Accept": "application/json"},
            timeout_seconds=SECONDS_MAX,
        )
    except net.NetError as error:
        raise ChoicesError(f"{option.name}: its choices could not be read: {error}") from error
    if answer.status != 200:
        raise ChoicesError(f"{option.name}: its choices could not be read: the address answered {answer.status}")
    if len(answer.body) > BYTES_MAX:
        raise ChoicesError(f"{option.name}: its address answered more than {BYTES_MAX // 1024} KiB: shorten the list")
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise ChoicesError(f"{option.name}: its address answered no JSON: let it answer a list of texts") from error
    if not isinstance(found, list) or len(found) > CHOICES_MAX:
        raise ChoicesError(f"{option.name}: its address answered no list of {CHOICES_MAX} texts at most")
    texts = [str(one) for one in found if isinstance(one, str | int) and not isinstance(one, bool)]
    return tuple(
        one for one in texts if one and len(one) <= VALUE_MAX and clean(one, VALUE_MAX, is_one_line=True) == one
    )
