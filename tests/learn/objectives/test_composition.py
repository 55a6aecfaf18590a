"""Parts in series, redundant, k of n; shared ones count once. Checked against enumerating every state."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midwatch.learn.objectives.composition import (
    AtLeast,
    CompositionError,
    Part,
    Structure,
    availability,
    naive,
    names,
    read,
    read_parts,
)

THREE = "web=99.9, api=99.9, db=99.95"
leaves = st.sampled_from("abcdefgh").map(Part)


def _group(parts: list[Structure]) -> st.SearchStrategy[Structure]:
    return st.integers(1, len(parts)).map(lambda count: AtLeast(count, tuple(parts)))


structures = st.recursive(leaves, lambda inner: st.lists(inner, min_size=1, max_size=4).flatmap(_group), max_leaves=12)
tenths = st.integers(0, 10).map(lambda n: Fraction(n, 10))


def is_up(structure: Structure, up: dict[str, bool]) -> bool:
    match structure:
        case Part(name):
            return up[name]
        case AtLeast(count, parts):
            return sum(is_up(part, up) for part in parts) >= count


def enumerated(structure: Structure, of: dict[str, Fraction]) -> Fraction:
    parts = names(structure)
    total = Fraction(0)
    for state in itertools.product((False, True), repeat=len(parts)):
        if is_up(structure, dict(zip(parts, state, strict=True))):
            share = Fraction(1)
            for name, up in zip(parts, state, strict=True):
                share *= of[name] if up else 1 - of[name]
            total += share
    return total


@settings(max_examples=150, deadline=None)
@given(structures, st.lists(tenths, min_size=8, max_size=8))
def test_every_state_enumerated_says_the_same(structure: Structure, given_: list[Fraction]) -> None:
    of = dict(zip("abcdefgh", given_, strict=True))
    assert availability(structure, of) == enumerated(structure, of)


@pytest.mark.parametrize(
    ("text", "parts", "exact"),
    [
        ("(web & db) & (api & db)", THREE, "0.9975019995"),
        ("(web & db) | (api & db)", THREE, "0.9994990005"),
        ("a & b", "a=99.95,b=99.95", "0.99900025"),
        ("a & b & c", "a=99.99,b=99.99,c=99.95", "0.999300109995"),
        ("a | b", "a=99.9,b=99.9", "0.999999"),
        ("2 of (a, b, c)", "a=99,b=99,c=99", "0.999702"),
    ],
)
def test_known_figures(text: str, parts: str, exact: str) -> None:
    assert availability(read(text), read_parts(parts)) == Fraction(exact)


def test_multiplying_along_the_lines_counts_a_shared_part_twice() -> None:
    assert naive(read("(web & db) & (api & db)"), read_parts(THREE)) == Fraction("0.99700324850025")
    assert naive(read("(web & db) | (api & db)"), read_parts(THREE)) == Fraction("0.99999775149975")


def test_forty_services_on_twenty_shared_parts() -> None:
    """Two to the twentieth states; the diagram has some hundred nodes."""
    shared = [f"s{n}" for n in range(20)]
    services = [f"(a{n} & (s{n % 20} | s{(n + 1) % 20}))" for n in range(40)]
    of = {**dict.fromkeys(shared, Fraction("0.999")), **{f"a{n}": Fraction("0.9999") for n in range(40)}}
    found = availability(read(" & ".join(services)), of)
    assert Fraction("0.9959") < found < Fraction("0.9961")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a part is missing at the end"),
        ("a &", "a part is missing at the end"),
        ("a b", "'b' is one too many"),
        ("(a", r"'\)' is missing"),
        ("a ; b", "write names"),
        ("3 of (a, b)", "write a count from 1 to 2"),
        ("0 of (a)", "write a count from 1 to 1"),
        ("(" * 60 + "a" + ")" * 60, "at most 50 parentheses"),
        ("a" * 20_000, "at most 10000 characters"),
    ],
)
def test_what_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(CompositionError, match=words):
        read(text)


def test_a_part_without_a_figure() -> None:
    with pytest.raises(CompositionError, match="no availability is given for db"):
        availability(read("web & db"), read_parts("web=99"))
    with pytest.raises(CompositionError, match="write a name and its percentage"):
        read_parts("web")
