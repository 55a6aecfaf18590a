"""What to paste into the machine that sends: a vendor's own manual (its README) with the real address and key in it.

A new vendor is one folder; so its manual is all that is needed here.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache
from importlib import resources

from midwatch.core import integration

EXAMPLE_HOST = "https://midwatch.example.com"
EXAMPLE_KEY = re.compile(r"\bKEY\b")
MASK = "KEY"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLES = {"yaml": "YAML", "sh": "Shell", "json": "JSON", "toml": "TOML", "ini": "INI"}
_FILE = re.compile(r"#\s*([\w./-]+\.\w+)\s*\n")


@dataclass(frozen=True, slots=True)
class Snippet:
    """`title`: the file's name where the manual says it, else the language."""

    title: str
    text: str


@cache
def _manual(source_type: str) -> tuple[Snippet, ...]:
    module = integration.sources().get(source_type)
    if module is None:
        return ()
    package = str(getattr(module, "__package__", ""))
    text = resources.files(package).joinpath("README.md").read_text("utf-8")
    found = []
    for language, body in _BLOCK.findall(text):
        if EXAMPLE_HOST in body:
            named = _FILE.match(body)
            found.append(Snippet(named[1] if named else _TITLES.get(language, language), body.rstrip()))
    return tuple(found)


def address(base_url: str, key: str) -> str:
    return f"{base_url}/in/{key}"


def snippets(source_type: str, base_url: str, key: str) -> list[Snippet]:
    """Ready to paste. Give `MASK` as the key for somebody who may not see it."""
    made = [
        Snippet(one.title, EXAMPLE_KEY.sub(lambda _: key, one.text.replace(EXAMPLE_HOST, base_url)))
        for one in _manual(source_type)
    ]
    example = getattr(integration.sources().get(source_type), "EXAMPLE", "")
    if example and not any("curl" in one.text for one in made):
        line = f"curl -fsS {address(base_url, key)} -H 'Content-Type: application/json' -d {shlex.quote(example)}"
        made.append(Snippet("curl", line))
    return made
