"""Names of people we know, found exactly: display names, first and last names, slugs, @handles, in any case.

A word that is a name and also a plain word ("Will", "Mark", "May") counts only where its context says that it is one:
an @, the full name, a capital inside a sentence, or a past verb right after it at the beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from midwatch.learn.postmortems.blameless import words
from midwatch.learn.postmortems.blameless.reading import Token, fold, tokens

NAME_TOKENS_MAX = 5


@dataclass(frozen=True, slots=True)
class Person:
    """`name`: the slug. `is_responder`: had a part in this incident; of two people of one first name, it is they."""

    key: int
    name: str
    display_name: str = ""
    is_responder: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """Tokens `first` to `last` (inclusive) name one of `people`; two are in it when they share what was written."""

    first: int
    last: int
    people: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class _Form:
    words: tuple[str, ...]
    people: tuple[Person, ...]
    needs_context: bool


class Known:
    """Everybody whose name may stand in the text. Build once, ask for many texts."""

    def __init__(self, people: Iterable[Person] = ()) -> None:
        written: dict[tuple[str, ...], list[Person]] = {}
        for person in people:
            for form in _forms(person):
                had = written.setdefault(form, [])
                if person not in had:
                    had.append(person)
        self._forms: dict[str, list[_Form]] = {}
        for form, who in written.items():
            is_plain = len(form) == 1 and (form[0] in words.ALSO_WORDS or len(form[0]) < 2)
            involved = tuple(person for person in who if person.is_responder)
            entry = _Form(form, involved or tuple(who), is_plain)
            self._forms.setdefault(form[0], []).append(entry)
        for entries in self._forms.values():
            entries.sort(key=lambda entry: -len(entry.words))

    def find(self, sentence: Sequence[Token]) -> dict[int, Named]:
        """By the first token's index. The longest wins; no two overlap."""
        found: dict[int, Named] = {}
        index = 0
        while index < len(sentence):
            named = self._at(sentence, index)
            if named is not None:
                found[index] = named
                index = named.last
            index += 1
        return found

    def _at(self, sentence: Sequence[Token], index: int) -> Named | None:
        token = sentence[index]
        if token.kind != "word":
            return None
        is_handle = token.raw.startswith("@")
        for form in self._forms.get(token.word.lstrip("@"), ()):
            last = index + len(form.words) - 1
            if last >= len(sentence) or any(
                sentence[index + n].word != word for n, word in enumerate(form.words[1:], start=1)
            ):
                continue
            if form.needs_context and not is_handle and not is_name_here(sentence, index):
                continue
            return Named(index, last, form.people)
        return None

    def is_surely(self, word: str) -> bool:
        """A whole word that is somebody's name and no plain word as well."""
        return any(len(form.words) == 1 and not form.needs_context for form in self._forms.get(fold(word), ()))

    def doubtful(self, sentence: Sequence[Token]) -> list[int]:
        """Tokens that are somebody's name and were taken for plain words: for a person to look at."""
        return [
            index
            for index, token in enumerate(sentence)
            if token.kind == "word"
            and token.raw[:1].isupper()
            and any(form.needs_context for form in self._forms.get(token.word, ()))
            and not is_name_here(sentence, index)
        ]


def _forms(person: Person) -> Iterable[tuple[str, ...]]:
    display = tuple(token.word for token in tokens(person.display_name) if token.kind == "word")[:NAME_TOKENS_MAX]
    if display:
        yield display
        yield display[:1]
        yield display[-1:]
    slug = fold(person.name)
    if slug:
        yield (slug,)


def is_name_here(sentence: Sequence[Token], index: int) -> bool:
    """For a word that is also a plain word: does it name a person where it stands?"""
    token = sentence[index]
    if not token.raw[:1].isupper() or (token.raw.isupper() and len(token.raw) > 1):
        return False
    before = sentence[index - 1] if index else None
    after = sentence[index + 1] if index + 1 < len(sentence) else None
    if token.word in words.MONTHS and _is_beside_a_date(before, after):
        return False
    if before is not None and before.kind == "word":
        return before.word not in words.DETERMINERS
    if token.is_possessive:
        return True
    return after is not None and after.kind == "word" and words.is_past_verb(after.word)


def _is_beside_a_date(before: Token | None, after: Token | None) -> bool:
    beside = [token.word for token in (before, after) if token is not None]
    dated = ("in", "since", "until", "early", "late", "mid", "last", "next", "of")
    return any(word[:1].isdigit() or word in dated or word in words.MONTHS for word in beside)
