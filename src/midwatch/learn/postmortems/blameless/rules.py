"""What is flagged, where, why, and what could stand there instead."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Final

from midwatch.learn.postmortems.blameless import actors, rewording, words
from midwatch.learn.postmortems.blameless.finding import Finding, Hit, Rule
from midwatch.learn.postmortems.blameless.grammar import Sentence
from midwatch.learn.postmortems.blameless.names import Known
from midwatch.learn.postmortems.blameless.reading import masked, sentences

FINDINGS_MAX: Final = 500  # of one text: whoever has more starts with these
EMPTY: Final = Known()


def lint(text: str, known: Known = EMPTY) -> list[Finding]:
    """Everything flagged, in the order of the text; at most one finding of a rule for the same words."""
    starts = [0]
    for index, character in enumerate(text):
        if character == "\n":
            starts.append(index + 1)
    found: list[Finding] = []
    for tokens in sentences(masked(text)):
        sentence = Sentence(tokens, known.find(tokens))
        for hit in _without_doubles(_hits(sentence)):
            start, end = tokens[hit.first].start, tokens[hit.last].end
            line = bisect_right(starts, start)
            said = " ".join(text[start:end].split())
            found.append(Finding(hit.rule, start, end, line, said, rewording.REASONS[hit.rule], hit.suggestion))
            if len(found) >= FINDINGS_MAX:
                return found
    return found


def _without_doubles(hits: Iterator[Hit]) -> list[Hit]:
    """One stretch of words is flagged once, by the first rule that saw it; a name inside a flag needs no hint."""
    kept: list[Hit] = []
    for hit in hits:
        if not any(hit.first <= other.last and other.first <= hit.last for other in kept[-8:]):
            kept.append(hit)
    return sorted(kept, key=lambda hit: hit.first)


def _hits(sentence: Sentence) -> Iterator[Hit]:
    for look in _LOOKS:
        for index in range(len(sentence)):
            if sentence.word(index):
                hit = look(sentence, index)
                if hit is not None:
                    yield hit
    for first, named in sentence.named.items():
        yield Hit(Rule.NAMED, first, named.last, rewording.NAMED)


def _why_you(s: Sentence, i: int) -> Hit | None:
    word, after = s.word(i), s.word(i + 1)
    if word == "why" and after in {
        "did",
        "didn't",
        "would",
        "wouldn't",
        "hadn't",
        "had",
        "couldn't",
        "haven't",
        "have",
    }:
        n = i + 2 if s.word(i + 2) != "not" else i + 3
        actor = s.phrase_after(n)
        is_we = s.word(n) in {"we", "i"}
        if s.word(n) == "you" or (actor.who == "person" and not is_we):
            return Hit(Rule.WHY_YOU, i, min(len(s) - 1, max(n, actor.last)), rewording.WHY)
    if word == "what" and after == "were" and s.words_from(i + 2, 2) in (["you", "thinking"], ["they", "thinking"]):
        return Hit(Rule.WHY_YOU, i, i + 3, rewording.WHY)
    if word == "who" and i == 0 and after in {"broke", "caused", "forgot", "ignored", "missed"}:
        return Hit(Rule.WHY_YOU, i, i + 1, rewording.WHO)
    if word == "who" and after in {"is", "was", "let"} and s.word(i + 3) in {"blame", "fault", "happen", "guilty"}:
        return Hit(Rule.WHY_YOU, i, i + 3, rewording.WHO)
    if word == "whose" and after in {"fault", "mistake", "error"}:
        return Hit(Rule.WHY_YOU, i, i + 1, rewording.WHO)
    return None


_ERRING: Final = {
    "human",
    "operator",
    "user",
    "pilot",
    "manual",
    "engineer",
    "admin",
    "administrator",
    "developer",
    "personal",
}
_DENIED: Final = {
    "not",
    "no",
    "never",
    "than",
    "without",
    "avoid",
    "avoids",
    "isn't",
    "wasn't",
    "instead",
    "beyond",
    "nor",
    "label",
}


def _human_error(s: Sentence, i: int) -> Hit | None:
    word = s.word(i)
    if word in {"pebkac", "fat-fingered", "fat-finger", "fat-fingering"}:
        return Hit(Rule.HUMAN_ERROR, i, i, rewording.HUMAN_ERROR)
    if word in {"fat"} and s.word(i + 1) in {"finger", "fingered", "fingers"}:
        return Hit(Rule.HUMAN_ERROR, i, i + 1, rewording.HUMAN_ERROR)
    if word not in _ERRING or s.word(i + 1) not in {"error", "errors", "mistake", "mistakes", "failure", "failing"}:
        return None
    if (
        s.tokens[i].is_possessive
        or any(other in _DENIED for other in s.words_from(max(0, i - 5), min(5, i)))
        or _is_denied_after(s, i + 2)
    ):
        return None
    if word == "human" and s.word(i + 1) != "failure" and s.word(i + 2) not in {"rate", "budget"}:
        return Hit(Rule.HUMAN_ERROR, i, i + 1, rewording.HUMAN_ERROR)
    # "operator error", "user error": a cause only where the sentence makes it one; else it may be a message of a program.
    around = s.words_from(max(0, i - 6), min(6, i)) + s.words_from(i + 2, 3)
    is_cause = any(other in words.CAUSING or other == "cause" for other in around)
    is_label = i >= 1 and s.is_comma(i - 1) and "cause" in s.words_from(max(0, i - 3), 3)
    is_verdict = s.word(i - 1) in {"", "was", "be", "simply", "pure", "just"} and i + 2 >= len(s)
    if (is_cause or is_label or is_verdict) and s.word(i + 2) not in {"rate", "rates", "message", "messages", "pages"}:
        return Hit(Rule.HUMAN_ERROR, i, i + 1, rewording.HUMAN_ERROR)
    return None


def _is_denied_after(s: Sentence, i: int) -> bool:
    return any(word in {"not", "never", "isn't", "wasn't"} for word in s.words_from(i, 2))


def _counterfactual(s: Sentence, i: int) -> Hit | None:
    word = s.word(i)
    if word == "if" and s.word(i + 1) == "only":
        return Hit(Rule.COUNTERFACTUAL, i, i + 1, rewording.COUNTERFACTUAL)
    if word == "if":
        return _conditional(s, i, i + 1)
    if word == "had" and (i == 0 or s.is_comma(i - 1)):
        actor = s.phrase_after(i + 1)
        if actor.who == "person" and _is_participle(s, actor.last + 1):
            return Hit(Rule.COUNTERFACTUAL, i, actor.last, rewording.COUNTERFACTUAL)
        return None
    modal = {"should've": "should", "could've": "could", "would've": "would", "shouldn't've": "should"}.get(word)
    if modal is not None:
        return _modal_have(s, i, i, modal)
    modal = word.removesuffix("n't")
    if modal in {"should", "could", "would", "ought", "needed", "might"}:
        for n in range(i + 1, i + 4):
            if s.word(n) in {"have", "of"}:
                return _modal_have(s, i, n, modal)
            if s.word(n) not in {"not", "to", "also", "really", "never"} and not s.word(n).endswith(("ly", "easy")):
                return None
    return None


def _conditional(s: Sentence, i: int, start: int) -> Hit | None:
    """ "If Ana had checked ...": the actor between "if" and "had" is a person."""
    for n in range(start + 1, min(start + 7, len(s))):
        if s.word(n) in {"had", "hadn't"} and not s.is_name(n):
            actor = s.phrase_after(start)
            if actor.who == "person" and _is_participle(s, n + 1):
                return Hit(Rule.COUNTERFACTUAL, i, n, rewording.COUNTERFACTUAL)
            return None
        if s.is_comma(n) or not s.word(n):
            return None
    return None


def _is_participle(s: Sentence, i: int) -> bool:
    n = i
    while n < i + 3 and (s.word(n) in {"not", "only", "just", "been", "never"} or s.word(n).endswith("ly")):
        n += 1
    return words.is_past_verb(s.word(n)) or s.word(n) in words.HUMAN_ACTS or s.word(n - 1) == "been"


def _modal_have(s: Sentence, i: int, have: int, modal: str) -> Hit | None:
    n = have + 1
    while n < have + 4 and (
        s.word(n).endswith("ly") or s.word(n) in {"never", "also", "at", "least", "only", "already"}
    ):
        n += 1
    participle = s.word(n)
    actor = s.actor_of(i)
    if participle == "been":
        m = n + 1
        while m < n + 3 and (s.word(m).endswith("ly") or s.word(m) in {"more", "better", "never"}):
            m += 1
        is_work = s.word(m) in words.HUMAN_WORK and not _is_by_machine(s, m + 1)
        is_character = actor.who == "person" and s.word(m) in {
            "careful",
            "aware",
            "attentive",
            "cautious",
            "able",
            "vigilant",
        }
        if (is_work and modal != "would") or is_character:
            return Hit(Rule.COUNTERFACTUAL, i, m, rewording.counterfactual(s, actor, m))
        return None
    if actor.who != "person":
        return None
    if modal in {"could", "might"} and participle in words.RISKS:
        return None
    if modal == "would" and participle not in words.HUMAN_ACTS:
        return None
    first = actor.first if 0 <= actor.first <= i else i
    return Hit(Rule.COUNTERFACTUAL, first, max(n, have), rewording.counterfactual(s, actor, n))


def _is_by_machine(s: Sentence, i: int) -> bool:
    after = s.words_from(i, 4)
    if "automatically" in after:
        return True
    if "by" in after:
        return s.phrase_after(i + after.index("by") + 1).who == "thing"
    return False


_MISSING: Final = {"insufficient", "inadequate", "no", "missing", "not", "poor", "little"}
_SAFEGUARDS: Final = {
    "monitoring",
    "alerting",
    "testing",
    "tests",
    "documentation",
    "validation",
    "observability",
    "review",
}


def _alternate(s: Sentence, i: int) -> Hit | None:
    """The same said of systems: "if the service had limited the requests, it would not have failed"."""
    word = s.word(i)
    if word == "if" or (word == "had" and i == 0):
        had = i if word == "had" else next((n for n in range(i + 1, min(i + 9, len(s))) if s.word(n) == "had"), None)
        would = next((n for n in range(i + 3, min(i + 24, len(s))) if s.word(n) in {"would", "wouldn't"}), None)
        if had is not None and would is not None and "have" in s.words_from(would, 3):
            return Hit(Rule.ALTERNATE, i, had, rewording.ALTERNATE)
    if word == "there" and s.word(i + 1) in {"was", "were"}:
        for n in range(i + 2, min(i + 6, len(s))):
            if s.word(n) in _SAFEGUARDS and any(other in _MISSING for other in s.words_from(i + 2, n - i - 2)):
                return Hit(Rule.ALTERNATE, i, n, rewording.ALTERNATE)
    return None


def _judgement(s: Sentence, i: int) -> Hit | None:
    word, after = s.word(i), s.word(i + 1)
    if s.is_name(i):
        return None
    if word in words.JUDGEMENT and not (word in words.SAID_OF_THINGS and _is_about_a_thing(s, i)):
        return Hit(Rule.JUDGEMENT, i, i, rewording.judgement(s.tokens[i].raw))
    if word in words.JUDGEMENT_BEFORE_DEED and after in words.DEEDS:
        if word == "wrong" and s.actor_of(i - 1 if s.word(i - 1) in words.DETERMINERS else i).who == "thing":
            return None
        is_persons = after not in {
            "behaviour",
            "behavior",
            "choice",
            "choices",
            "decision",
            "decisions",
            "communication",
        }
        if is_persons or not _has_machine_actor(s, i):
            return Hit(Rule.JUDGEMENT, i, i + 1, rewording.judgement(s.tokens[i].raw))
    is_said = word in words.LAZY_OF_PEOPLE and s.word(i - 1) in {"too", "was", "were", "is", "being", "are"}
    if is_said and s.actor_of(i).who == "person":
        return Hit(Rule.JUDGEMENT, i, i, rewording.judgement(s.tokens[i].raw))
    return _attitude(s, i)


_ATTITUDES: Final = (
    ("common", "sense"), ("known", "better"), ("know", "better"), ("more", "careful"), ("more", "attention"),
    ("more", "vigilant"), ("more", "diligent"), ("try", "harder"), ("lack", "of", "attention"), ("lack", "of", "care"),
    ("lack", "of", "diligence"), ("lack", "of", "discipline"), ("lack", "of", "judgement"), ("lack", "of", "judgment"),
    ("paying", "attention"), ("pay", "attention"), ("paid", "attention"), ("careful", "enough"), ("to", "blame"),
    ("no", "excuse"), ("asleep", "at", "the", "wheel"), ("dropped", "the", "ball"), ("lack", "of", "competence"),
)  # fmt: skip


def _attitude(s: Sentence, i: int) -> Hit | None:
    for said in _ATTITUDES:
        if s.word(i) == said[0] and tuple(s.words_from(i, len(said))) == said:
            if said == ("to", "blame") and s.actor_of(i).who != "person":
                return None
            if "attention" in said and s.actor_of(i).who == "thing":
                return None
            return Hit(Rule.JUDGEMENT, i, i + len(said) - 1, rewording.judgement(" ".join(said)))
    return None


def _is_about_a_thing(s: Sentence, i: int) -> bool:
    """ "The guilty one was a memory leak": of things people say so without blaming anybody."""
    if s.actor_of(i).who == "thing":
        return True
    for n in range(i + 1, min(i + 5, len(s))):
        if s.word(n) in {"was", "is", "were", "turned"}:
            return s.phrase_after(n + (1 if s.word(n + 1) not in {"out", "to"} else 4)).who == "thing"
    return s.word(i + 1) != "" and s.phrase_after(i + 1).who == "thing"


def _has_machine_actor(s: Sentence, i: int) -> bool:
    verb = next((n for n in range(i - 1, max(-1, i - 6), -1) if words.is_past_verb(s.word(n))), None)
    return verb is not None and s.actor_of(verb).who == "thing"


_LOOKS: Final[tuple[Callable[[Sentence, int], Hit | None], ...]] = (
    _why_you, _human_error, _counterfactual, actors.look, _judgement, _alternate,
)  # fmt: skip
