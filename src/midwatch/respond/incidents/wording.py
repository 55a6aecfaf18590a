"""Drafts for the composer, by stage and audience: words to start from, honest about what is not known. Pure."""

from __future__ import annotations

from collections.abc import Mapping

STAGES = ("investigating", "identified", "monitoring", "resolved")
TITLE_MAX = 255
TEXT_MAX = 25_000  # what Statuspage takes

_EXTERNAL: Mapping[str, str] = {
    "investigating": (
        "We are looking into a problem with {service}. Some requests may fail or be slow. "
        "We will write again by {next}, also if there is nothing new."
    ),
    "identified": "We found what is wrong with {service} and are working on it. We will write again by {next}.",
    "monitoring": "{service} works again. We are watching it, and will write again by {next}.",
    "resolved": "{service} has been working normally since {resolved}. The problem lasted {length}.",
}
_INTERNAL: Mapping[str, str] = {
    "investigating": "**What we see:** {title}\n\n**Who works on it:** {people}\n\n**What we need:** ",
    "identified": "**What we found:** \n\n**What we do:** \n\n**What we need:** ",
    "monitoring": "**What we did:** \n\n**What we watch:** ",
    "resolved": "**What it was:** \n\n**What stays to be done:** ",
}
# Words that promise or judge what an update to clients should not.
HINTS: Mapping[str, str] = {
    "outage": "say what does not work, unless everything is down for everybody",
    "should be fixed": "say what you know, not what you expect",
    "human error": "say what happened in the system",
    "soon": "give a time at which you will write again",
    "as soon as possible": "give a time at which you will write again",
}


def draft(stage: str, audience: str, facts: Mapping[str, str]) -> str:
    """`facts`: service, title, people, next, resolved, length; what is missing is left as "(...)" to be filled in."""
    if stage not in STAGES:
        raise ValueError(f"{stage!r} is no stage: give one of {', '.join(STAGES)}")
    words = (_EXTERNAL if audience == "external" else _INTERNAL)[stage]
    names = ("service", "title", "people", "next", "resolved", "length")
    return words.format(**{name: facts.get(name) or f"({name}?)" for name in names})


def hints(text: str) -> list[str]:
    """What to look at again before clients read it."""
    lowered = text.casefold()
    return [f"“{word}”: {advice}" for word, advice in HINTS.items() if word in lowered]
