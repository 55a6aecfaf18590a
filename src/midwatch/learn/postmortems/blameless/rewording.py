"""What could stand there instead: how and what, never who. A start for the writer, not a finished sentence."""

from __future__ import annotations

from typing import Final

from midwatch.learn.postmortems.blameless import words
from midwatch.learn.postmortems.blameless.grammar import Actor, Sentence

REASONS: Final = {
    "actor": "A person is the actor of a failure. Whoever stood there would likely have done the same: say what made it likely.",
    "counterfactual": "It tells a world that was not. What was known, and what looked right, at that moment?",
    "judgement": "It judges people, and explains nothing. Describe what was seen and done.",
    "human-error": "Human error is where the questions begin, not a cause: what made the action look right, what let it through?",
    "why-you": "It asks a person to justify themselves. Ask how and what.",
    "alternate-reality": "It mixes what happened with what might have been. Keep the improvement for the action items.",
    "named": "A person is named. In what others read, a role says as much.",
}
HUMAN_ERROR: Final = "“The action looked right because …; nothing stopped it, because …”"
WHY: Final = "“What did it look like from there at that moment?” or “What made … the next thing to do?”"
WHO: Final = "“How did it come about that …?”"
FAULT: Final = "“What made it possible: …; what let it reach production: …”"
COUNTERFACTUAL: Final = "“At that moment … was known, and … looked right, because …”"
ALTERNATE: Final = "Say what the system did; put the idea among the action items."
NAMED: Final = "Say the role: “the incident commander”, “the responder”."
OBJECT_WORDS_MAX: Final = 9


def _phrase(s: Sentence, first: int) -> str:
    """The words from `first` to the end of the clause, as written."""
    said: list[str] = []
    for index in range(first, min(first + OBJECT_WORDS_MAX, len(s))):
        word = s.word(index)
        if s.is_comma(index) or (said and (word in words.RELATIVES or word in words.CONJUNCTIONS)):
            break
        if s.is_name(index) or word in words.PERSON_PRONOUNS:
            break
        said.append(s.tokens[index].raw.strip("\x1e") or "…")
    return " ".join(said)


def failure(s: Sentence, verb: int) -> str:
    word, after = s.word(verb), s.word(verb + 1)
    if word in {"failed", "forgot", "neglected", "fails", "forget", "forgets", "failing"} and after == "to":
        return f"“Nothing at that moment prompted anyone to {_phrase(s, verb + 2) or '…'}, because …”"
    if word in words.OMITTED_PAST or word in {"did", "didn't", "never", "hadn't"}:
        return "“… was not looked at just then, because …: what did the screens, the runbook and the pages show?”"
    if word in {"missed", "overlooked", "ignored", "disregarded", "dismissed", "misses", "overlooks", "ignores"}:
        return f"“{_phrase(s, verb + 1).capitalize() or '…'} did not stand out, because …”"
    if word in {"caused", "broke", "causes", "breaks", "crashed", "corrupted"}:
        return f"“The change led to {_phrase(s, verb + 1) or '…'}; it got through, because …”"
    return "“The system let … happen, because …”"


def passive(s: Sentence, verb: int) -> str:
    return "“… was possible without a question asked, because …”"


def judgement(said: str) -> str:
    return f"Leave out “{said}” and say what could be seen at that moment."


def counterfactual(s: Sentence, actor: Actor, verb: int) -> str:
    if actor.who == "person":
        return COUNTERFACTUAL
    return f"“What would have shown it: …” as an action item, instead of “{s.tokens[min(verb, len(s) - 1)].raw}” after the fact."
