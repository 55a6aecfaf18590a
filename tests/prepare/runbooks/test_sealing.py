"""Secrets at rest open with the right key, for the row they belong to, and not otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midwatch.prepare.runbooks.sealing import Keyring, Sealed, SealError

OLD, NEW = "o" * 40, "n" * 40


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_what_was_sealed_opens_and_cannot_be_read(value: str) -> None:
    ring = Keyring(NEW)
    sealed = ring.seal(value, "1/db/1")
    assert ring.open(sealed, "1/db/1") == value
    if len(value) > 3:
        assert value not in sealed.ciphertext
    assert ring.seal(value, "1/db/1") != sealed  # a nonce of its own each time


def test_an_earlier_key_still_opens_and_the_present_one_seals() -> None:
    before = Keyring(OLD).seal("hunter22", "1/db/1")
    ring = Keyring(NEW, [OLD])
    assert ring.open(before, "1/db/1") == "hunter22"
    assert ring.seal("hunter22", "1/db/1").key_id == ring.current_id != before.key_id


def test_another_key_does_not_open() -> None:
    with pytest.raises(SealError, match="MIDWATCH_SECRET_KEY_PREVIOUS"):
        Keyring(NEW).open(Keyring(OLD).seal("hunter22", "1/db/1"), "1/db/1")


@pytest.mark.parametrize("about", ["2/db/1", "1/other/1", "1/db/2"])
def test_it_does_not_open_as_another_row(about: str) -> None:
    ring = Keyring(NEW)
    with pytest.raises(SealError, match="belongs to another"):
        ring.open(ring.seal("hunter22", "1/db/1"), about)


@pytest.mark.parametrize("change", ["", "!", "AAAA"])
def test_what_was_changed_does_not_open(change: str) -> None:
    ring = Keyring(NEW)
    sealed = ring.seal("hunter22", "1/db/1")
    with pytest.raises(SealError, match="was changed"):
        ring.open(Sealed(change + sealed.ciphertext[4:] if change else "", sealed.key_id), "1/db/1")
