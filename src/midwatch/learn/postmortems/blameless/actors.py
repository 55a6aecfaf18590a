"""People as the grammatical actors of failure: every look finds a word of failure, then asks whose it is."""

from __future__ import annotations

from midwatch.learn.postmortems.blameless import rewording, words
from midwatch.learn.postmortems.blameless.finding import Hit, Rule
from midwatch.learn.postmortems.blameless.grammar import Actor, Sentence


def look(s: Sentence, i: int) -> Hit | None:
    word = s.word(i)
    if s.is_name(i):
        return None
    if word in {"failed", "fail", "fails", "failing"}:
        return _failed(s, i)
    if word in words.FAILURES:
        return _failure(s, i)
    if word in {"messed", "screwed", "fouled", "mixed", "slipped"} and s.word(i + 1) == "up":
        return _flag(s, s.actor_of(i), i, i + 1)
    if word in {"did", "didn't", "never", "nobody", "no-one", "no", "none", "hadn't"}:
        return _omission(s, i)
    if word in words.MISDEED_ADVERBS:
        return _misdeed(s, i)
    if word in words.FAULT_NOUNS:
        return _fault(s, i)
    if word in words.ONLY_PEOPLE and s.word(i - 1) in {"was", "were", "been", "is", "simply", "completely"}:
        return Hit(Rule.ACTOR, i - 1, i, rewording.passive(s, i))
    if word == "by":
        return _by_agent(s, i)
    if word == "responsible" and s.word(i + 1) == "for" and any(w in words.DISASTERS for w in s.words_from(i + 2, 4)):
        return _flag(s, s.actor_of(i), i, i + 1)
    if word == "wrong" and s.word(i - 1) in {"the", "a"}:
        return _wrong_thing(s, i)
    return _because_of(s, i)


def _flag(s: Sentence, actor: Actor, first: int, last: int) -> Hit | None:
    if actor.who != "person":
        return None
    start = actor.first if 0 <= actor.first <= first else first
    return Hit(Rule.ACTOR, start, min(last, len(s) - 1), rewording.failure(s, first))


def _is_denied(s: Sentence, i: int) -> bool:
    """ "Nobody ignored it", "did not forget", "cannot break"."""
    before = s.words_from(max(0, i - 3), min(3, i))
    return any(word in words.NOBODY or word in {"not", "never", "cannot", "can't", "didn't", "no"} for word in before)


def _failed(s: Sentence, i: int) -> Hit | None:
    after = s.word(i + 1)
    if after in words.HARMLESS_AFTER["failed"] or _is_denied(s, i):
        return None
    if after == "to" and s.word(i + 2) in words.MACHINE_COMPLEMENTS:
        return None
    if after not in {"to", "in"} and (i + 1 < len(s) and not s.is_comma(i + 1)) and s.word(i) != "failed":
        return None
    if after and after not in {"to", "in", "and", "at", "because", "when", "the", "miserably", "completely", "here"}:
        return None
    return _flag(s, s.actor_of(i), i, i + 2 if after == "to" else i)


def _failure(s: Sentence, i: int) -> Hit | None:
    word = s.word(i)
    nexts = s.words_from(i + 1, 4)
    if (nexts and nexts[0] in words.HARMLESS_AFTER.get(word, frozenset())) or _is_denied(s, i):
        return None
    if word in {"broke", "breaks"} and "glass" in nexts[:3]:
        return None
    if word == "missed" and any(other in words.TARGETS for other in nexts):
        return None
    if word in {"slipped", "crashed", "breaks", "misses", "panicked"} and s.word(i - 1) in {"it"}:
        return None
    return _flag(s, s.actor_of(i), i, i)


def _omission(s: Sentence, i: int) -> Hit | None:
    word = s.word(i)
    if word in {"nobody", "no-one", "none"} or (
        word == "no" and s.is_person_noun(i + 1, i + 1) if s.word(i + 1) else False
    ):
        if word == "none" and not (s.word(i + 1) == "of" and s.phrase_after(i + 2).who == "person"):
            return None
        n = next((n for n in range(i + 1, min(i + 7, len(s))) if s.word(n) in words.OMITTED_PAST), None)
        return Hit(Rule.ACTOR, i, n, rewording.failure(s, n)) if n is not None else None
    if word == "no" and s.word(i + 1) == "one" and s.word(i + 2) in words.OMITTED_PAST:
        return Hit(Rule.ACTOR, i, i + 2, rewording.failure(s, i + 2))
    start = i + 1
    while start < i + 4 and (s.word(start) in {"not", "even", "to", "properly"} or s.word(start).endswith("ly")):
        start += 1
    if word == "did" and s.word(i + 1) != "not":
        return None
    known = words.OMITTED_PAST if word in {"never", "hadn't"} else words.OMITTED
    if s.word(start) not in known or s.word(start + 1) == "with":
        return None
    return _flag(s, s.actor_of(i), i, start)


def _misdeed(s: Sentence, i: int) -> Hit | None:
    """ "Ana accidentally deleted", "deleted accidentally": the adverb beside a verb whose actor is a person."""
    if words.is_past_verb(s.word(i + 1)) and s.word(i - 1) not in {"was", "were", "been", "is", "are", "be"}:
        return _flag(s, s.actor_of(i), i, i + 1)
    if words.is_past_verb(s.word(i + 1)):
        by = next((n for n in range(i + 2, min(i + 6, len(s))) if s.word(n) == "by"), None)
        return _flag_by(s, i, by) if by is not None else None
    verb = next((n for n in range(i - 1, max(-1, i - 6), -1) if words.is_past_verb(s.word(n))), None)
    if verb is not None and (i + 1 >= len(s) or s.is_comma(i + 1) or s.word(i + 1) in words.CONJUNCTIONS):
        return _flag(s, s.actor_of(verb), verb, i)
    return None


def _flag_by(s: Sentence, first: int, by: int) -> Hit | None:
    actor = s.phrase_after(by + 1)
    if actor.who != "person":
        return None
    return Hit(Rule.ACTOR, first, actor.last, rewording.passive(s, first))


def _by_agent(s: Sentence, i: int) -> Hit | None:
    if s.word(i + 1) in {"mistake", "accident"}:
        verb = next((n for n in range(i - 1, max(-1, i - 8), -1) if words.is_past_verb(s.word(n))), None)
        return _flag(s, s.actor_of(verb), verb, i + 1) if verb is not None else None
    broken = next((n for n in range(i - 1, max(-1, i - 4), -1) if s.word(n) in words.BROKEN), None)
    return _flag_by(s, broken, i) if broken is not None and not _is_denied(s, broken) else None


def _fault(s: Sentence, i: int) -> Hit | None:
    before = s.word(i - 1)
    if before in {"typing", "spelling", "judgement"}:
        return None
    owner = next((n for n in range(i - 1, max(-1, i - 4), -1) if s.is_owner(n, max(0, n - 3))), None)
    if owner is not None and not s.is_comma(i - 1):
        is_systems = s.word(i) in {"error", "errors", "slip"} and s.word(i + 1) in {
            "budget",
            "budgets",
            "rate",
            "rates",
        }
        if (s.word(owner) == "our" and s.word(i) in {"error", "errors"}) or is_systems:
            return None
        return Hit(Rule.ACTOR, owner, i, rewording.FAULT)
    if s.word(i + 1) in {"by", "of", "from"} or s.words_from(i + 1, 4) == ["on", "the", "part", "of"]:
        n = i + 5 if s.word(i + 1) == "on" else i + 2
        actor = s.phrase_after(n)
        if actor.who == "person" and s.word(i) not in {"errors", "typo"}:
            return Hit(Rule.ACTOR, i, actor.last, rewording.FAULT)
    if s.word(i + 1) in {"was", "is"} and s.is_owner(i + 2, i + 2) and (i + 3 >= len(s) or not s.word(i + 3)):
        return Hit(Rule.ACTOR, i, i + 2, rewording.FAULT)
    made = next((n for n in range(i - 1, max(-1, i - 6), -1) if s.word(n) in {"made", "makes", "committed"}), None)
    return _flag(s, s.actor_of(made), made, i) if made is not None else None


def _wrong_thing(s: Sentence, i: int) -> Hit | None:
    """ "Bo deleted the wrong table"."""
    verb = i - 2 if words.is_past_verb(s.word(i - 2)) else i - 3
    if (
        not words.is_past_verb(s.word(verb))
        or s.word(verb) in words.AUXILIARIES
        or s.word(verb) in {"said", "found", "noticed", "saw"}
    ):
        return None
    return _flag(s, s.actor_of(verb), verb, min(i + 1, len(s) - 1))


def _because_of(s: Sentence, i: int) -> Hit | None:
    """ "The cause was the engineer", "blamed on ops", "due to a careless DBA": a person as the cause."""
    word = s.word(i)
    if word == "blamed" and s.word(i + 1) == "on":
        return _flag_at(s, i, s.phrase_after(i + 2))
    if word == "cause" and s.word(i + 1) in {"was", "is"}:
        actor = s.phrase_after(i + 2)
        return (
            _flag_at(s, i, actor) if not words.is_past_verb(s.word(actor.last + 1)) or actor.who == "person" else None
        )
    if word in {"due", "owing", "thanks"} and s.word(i + 1) == "to":
        return _flag_at(s, i, s.phrase_after(i + 2))
    if word == "because" and s.word(i + 1) == "of":
        return _flag_at(s, i, s.phrase_after(i + 2))
    return None


def _flag_at(s: Sentence, first: int, actor: Actor) -> Hit | None:
    return Hit(Rule.ACTOR, first, actor.last, rewording.FAULT) if actor.who == "person" else None
