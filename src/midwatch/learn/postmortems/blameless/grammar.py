"""Who is the grammatical actor of a verb? No parser: chunks of the clause to the left of the verb, in bounded steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from midwatch.learn.postmortems.blameless import words
from midwatch.learn.postmortems.blameless.names import Named
from midwatch.learn.postmortems.blameless.reading import Token

REACH = 16  # tokens looked at to either side of a verb: enough for a clause, and what keeps hostile text cheap
Who = Literal["person", "thing", "unknown"]


@dataclass(frozen=True, slots=True)
class Actor:
    """`first`, `last`: tokens of the phrase; -1 where there is none (an actor that is only implied)."""

    who: Who
    first: int = -1
    last: int = -1


UNKNOWN = Actor("unknown")


class Sentence:
    """Tokens of one sentence and the people named in it."""

    def __init__(self, tokens: Sequence[Token], named: Mapping[int, Named]) -> None:
        self.tokens = tokens
        self.named = named
        self._name_of: dict[int, int] = {
            index: first for first, name in named.items() for index in range(first, name.last + 1)
        }

    def __len__(self) -> int:
        return len(self.tokens)

    def word(self, index: int) -> str:
        """ "" outside the sentence and for what is no word."""
        if 0 <= index < len(self.tokens) and self.tokens[index].kind == "word":
            return self.tokens[index].word
        return ""

    def is_comma(self, index: int) -> bool:
        return 0 <= index < len(self.tokens) and self.tokens[index].kind == "comma"

    def is_name(self, index: int) -> bool:
        return index in self._name_of

    def name_start(self, index: int) -> int:
        return self._name_of[index]

    def words_from(self, index: int, count: int) -> list[str]:
        return [self.word(n) for n in range(index, min(index + count, len(self.tokens)))]

    # Who is it?

    def is_person_noun(self, index: int, first: int) -> bool:
        """The word at `index`, head of a phrase that begins at `first`."""
        plain = self.word(index)
        head = words.singular(plain)
        before = self.words_from(first, index - first)
        if any(word in words.MACHINE_BESIDE for word in before) or self.tokens[index].is_possessive:
            return False
        if head == "operator" and self.word(index + 1) in {"error", "errors", "pod", "pods", "image"}:
            return False
        if plain in words.PERSON_NOUNS or head in words.PERSON_NOUNS:
            return True
        beside = words.PERSON_BESIDE.get(head)
        return beside is not None and any(word in beside for word in before)

    def is_person(self, index: int, first: int) -> bool:
        if self.tokens[index].is_possessive and self.word(index) not in words.PERSON_PRONOUNS:
            return False
        word = words.CONTRACTED.get(self.word(index), self.word(index))
        if self.is_name(index) or word in words.PERSON_PRONOUNS:
            return True
        if word == "one" and self.word(index - 1) == "no":
            return True
        if word == "they":
            return any(self._is_person_before(n) for n in range(max(0, index - REACH), index))
        return self.is_person_noun(index, first)

    def _is_person_before(self, index: int) -> bool:
        return self.is_name(index) or (
            self.tokens[index].kind == "word" and self.is_person_noun(index, max(0, index - 2))
        )

    # Whose verb is it?

    def actor_of(self, verb: int, *, depth: int = 0) -> Actor:
        """Of the verb at `verb`, by what stands to its left."""
        end = self._before_auxiliaries(verb)
        start = end
        while start >= 0 and end - start < REACH and not self._is_boundary(start):
            start -= 1
        if self.word(start) == "who" and start > 0:
            return Actor("person", start - 1, end)
        if end > start:
            if self.word(start) in {"that", "which"} and self._is_verb(start + 1) and depth < 2:
                return self._across(start, depth)
            actor = self._head_of(start + 1, end)
            if actor.who == "unknown" and start >= 0 and depth < 2:
                return self._across(start, depth)
            return actor
        return self._across(start, depth) if start >= 0 and depth < 2 else UNKNOWN

    def _is_verb(self, index: int) -> bool:
        word = self.word(index)
        return not self.is_name(index) and (word in words.AUXILIARIES or words.is_verb_end(word))

    def _before_auxiliaries(self, verb: int) -> int:
        end, steps = verb - 1, 0
        while end >= 0 and steps < 8:
            word = self.word(end)
            is_adverb = len(word) > 4 and word.endswith("ly") and word not in {"family", "assembly", "reply", "supply"}
            if self.is_name(end) or not (word in words.AUXILIARIES or is_adverb):
                break
            if word in words.CONTRACTED or (word == "all" and self.word(end - 1) == ""):
                break
            end, steps = end - 1, steps + 1
        return end

    def _is_boundary(self, index: int) -> bool:
        if self.is_name(index):
            return False
        word = self.word(index)
        if (
            word in words.PREPOSITIONS and word in words.CONJUNCTIONS
        ):  # before, after, since, until: "after the engineer"
            return True
        return self.is_comma(index) or word in words.CONJUNCTIONS or word in words.RELATIVES

    def _across(self, boundary: int, depth: int) -> Actor:
        """The clause has no subject of its own: it is the antecedent's, or the previous clause's."""
        word = self.word(boundary)
        if word in {"who", "whom"}:
            return Actor("person", max(0, boundary - 1), boundary)
        if word in {"that", "which"}:
            return self._antecedent(boundary)
        if self.is_comma(boundary):
            opened = self._comma_before(boundary)
            if opened is not None and self.word(opened + 1) in {"who", "which"}:
                return self.actor_of(opened, depth=depth + 1) if opened else UNKNOWN
            if opened is None and boundary <= REACH:
                return self._first_subject(0, boundary)
            if opened is not None:
                found = self._first_subject(opened + 1, boundary)
                return found if found.who != "unknown" else self._first_subject(self._clause_start(opened), opened)
            return UNKNOWN
        if word in {"and", "or", "but", "then", "yet"}:
            end = boundary - 1 if self.is_comma(boundary - 1) else boundary
            found = self._first_subject(self._clause_start(end), end)
            if found.who == "unknown" and depth < 2:
                start = self._clause_start(end)
                return self._first_subject(self._clause_start(start - 1), start - 1) if start > 1 else UNKNOWN
            return found
        return UNKNOWN

    def _comma_before(self, index: int) -> int | None:
        for n in range(index - 1, max(-1, index - REACH), -1):
            if self.is_comma(n):
                return n
        return None

    def _clause_start(self, end: int) -> int:
        start = end
        while start > 0 and end - start < REACH and not (self._is_boundary(start - 1) and start < end):
            start -= 1
        return start

    def _antecedent(self, relative: int) -> Actor:
        end = relative - 1
        if end < 0 or self.is_comma(end):
            end -= 1
        start = end
        while start >= 0 and end - start < REACH and not self._is_boundary(start):
            start -= 1
        return self._head_of(start + 1, end) if end > start else UNKNOWN

    def _first_subject(self, start: int, end: int) -> Actor:
        """The subject at the beginning of a clause: the phrase before its first verb."""
        for index in range(max(0, start), min(end, start + REACH)):
            word = self.word(index)
            is_verb = (
                not self.is_name(index)
                and index > start
                and (
                    word in words.AUXILIARIES
                    or words.is_verb_end(word)
                    or word in words.FAILURES
                    or word in {"set", "put"}
                )
            )
            if is_verb:
                found = self._head_of(start, index - 1)
                return found
        return UNKNOWN

    def _head_of(self, first: int, last: int) -> Actor:
        """Of the noun phrase in these tokens: "the engineer on call" is an engineer, "Ana's script" a script."""
        chunks = self._chunks(first, last)
        for position in range(len(chunks) - 1, -1, -1):
            start, end, preposition = chunks[position]
            if preposition:
                continue
            head = end
            if words.is_verb_end(self.word(head)) and not self.is_name(head):
                continue  # "the script the engineer wrote": the engineer's clause is not the subject
            if self.word(head) in words.QUANTIFIERS and position + 1 < len(chunks):
                start, head, _ = chunks[position + 1]
                if self.word(head) in {"us", "them"}:
                    return Actor("person" if self.word(head) == "us" else "unknown", chunks[position][0], head)
            if self.word(head) in {"member", "members"} and position + 1 < len(chunks):
                of, group, _ = chunks[position + 1]
                if self.is_person(group, of):
                    return Actor("person", start, group)
            begin = self.name_start(head) if self.is_name(head) else start
            if self.is_person(head, begin):
                return Actor("person", begin, head)
            return Actor("thing", start, head)
        return UNKNOWN

    def _chunks(self, first: int, last: int) -> list[tuple[int, int, bool]]:
        """(first, last, begins with a preposition) of the noun phrases between two tokens."""
        found: list[tuple[int, int, bool]] = []
        start, preposition = first, False
        for index in range(first, last + 1):
            word = self.word(index)
            if word in words.PREPOSITIONS and not self.is_name(index):
                if index > start:
                    found.append((start, index - 1, preposition))
                start, preposition = index, True
                continue
            opens = (
                word in words.DETERMINERS
                or word in words.PERSON_PRONOUNS
                or word == "they"
                or (self.is_name(index) and self.name_start(index) == index)
            )
            is_inside = (preposition and index == start + 1) or self.word(index - 1) in words.DETERMINERS
            if opens and index > start and not is_inside:
                found.append((start, index - 1, preposition))
                start, preposition = index, False
        if start <= last:
            found.append((start, last, preposition))
        return found

    def phrase_after(self, index: int) -> Actor:
        """The noun phrase that begins at `index`: "by the engineer on duty" -> the engineer."""
        end = index
        while end < len(self) and end - index < 7:
            word = self.word(end)
            is_end = not self.is_name(end) and (
                self._is_boundary(end)
                or word in words.PREPOSITIONS
                or (end > index and (word in words.AUXILIARIES or words.is_verb_end(word)))
            )
            if is_end:
                break
            if self.tokens[end].is_possessive:
                return self._owner(index, end)
            end += 1
        return self._head_of(index, end - 1) if end > index else UNKNOWN

    def _owner(self, index: int, end: int) -> Actor:
        """ "Ana's mistake" is Ana's; "Ana's script" is a script."""
        faults = any(word in words.FAULT_NOUNS for word in self.words_from(end + 1, 3))
        return Actor("person" if faults and self.is_owner(end, index) else "thing", index, end)

    def is_owner(self, index: int, first: int) -> bool:
        """Is the possessive at `index` ("Ana's", "the engineer's", "his") a person's?"""
        word = self.word(index)
        if word in words.POSSESSIVE_PRONOUNS:
            return word != "their" or any(self._is_person_before(n) for n in range(max(0, index - REACH), index))
        if not self.tokens[index].is_possessive:
            return False
        if self.is_name(index) or word in words.PERSON_PRONOUNS:
            return True
        before = self.words_from(first, index - first)
        if any(other in words.MACHINE_BESIDE for other in before):
            return False
        return word in words.PERSON_NOUNS or words.singular(word) in words.PERSON_NOUNS
