"""Secrets do not come out, however the text is cut and however a program writes them."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from midwatch.core.masking import MASK, Mask, MaskedStreams, forms

# A few letters, so that secrets overlap with themselves, with each other and with the text.
LETTERS = "abA1 \n'\"\\/%é"
SECRETS = st.lists(st.text(LETTERS, min_size=4, max_size=9), min_size=1, max_size=4)
PIECES = st.lists(st.text(LETTERS, max_size=12), max_size=12)


@given(SECRETS, PIECES)
@example(["abab"], ["ab", "ab", "ab", "a", "b"])
@example(["aaaa"], ["a"] * 9)
@example(["abcd", "cdef"], ["abc", "de", "f"])
@example(["abab"], ["abab", "abab"])
def test_cuts_make_no_difference(secrets: list[str], pieces: list[str]) -> None:
    mask = Mask(secrets)
    stream = mask.stream()
    out = "".join(stream.feed(piece) for piece in pieces) + stream.end()
    assert out == plainly(mask.words, "".join(pieces))


def plainly(words: tuple[str, ...], text: str) -> str:
    """The same, told one character after the other."""
    hidden = [False] * (len(text) + 1)
    begins = [False] * (len(text) + 1)
    end = 0
    for at in range(len(text)):
        long = max((len(word) for word in words if text.startswith(word, at)), default=0)
        if long:
            begins[at] = at >= end
            end = max(end, at + long)
        hidden[at] = at < end
    return "".join(MASK if begins[at] else "" if hidden[at] else text[at] for at in range(len(text)))


@given(SECRETS, PIECES, st.data())
def test_no_secret_comes_out(secrets: list[str], pieces: list[str], data: st.DataObject) -> None:
    secret = data.draw(st.sampled_from(secrets))
    at = data.draw(st.integers(0, len(pieces)))
    cut = data.draw(st.integers(0, len(secret)))
    stream = Mask(secrets).stream()
    given_pieces = [*pieces[:at], secret[:cut], secret[cut:], *pieces[at:]]
    said = [stream.feed(piece) for piece in given_pieces] + [stream.end()]
    for piece in said:
        assert secret not in piece
    # Joined it may stand there again only by the mask itself, whose stars are in no secret drawn here.
    assert secret not in "".join(said)


def test_what_cannot_become_a_secret_is_not_held_back() -> None:
    stream = Mask(["hunter22"]).stream()
    assert stream.feed("password: ") == "password: "
    assert stream.feed("xhunt") == "x"
    assert stream.feed("ing\n") == "hunting\n"
    assert stream.end() == ""


AWKWARD = [
    "hunter22",
    'it\'s $HOME "quoted" \\ `x` %41',
    "pässwörd/with+plus=",
    "tab\tand\nnewline here",
    "<a href='x'>&amp;",
    "0123456789abcdef" * 8,
]


@pytest.mark.parametrize("secret", AWKWARD)
def test_forms_that_programs_write(secret: str) -> None:
    raw = secret.encode()
    mask = Mask([secret])
    for written in (
        secret,
        shlex.quote(secret),
        secret.replace("'", "'\\''"),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        json.dumps(json.dumps(secret)),
        json.dumps(secret).replace("/", "\\/"),
        repr(secret),
        html.escape(secret),
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        re.sub("%..", lambda found: found[0].lower(), quote(secret, safe="")),
        raw.hex(),
        raw.hex().upper(),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
        base64.b64encode(raw + b"\n").decode(),
        *(base64.b64encode(b"user:"[before:] + raw + b"@host").decode() for before in range(4)),
        base64.encodebytes(raw).decode(),
    ):
        shown = mask.text(f"before {written} after")
        assert shown.startswith("before ")
        assert shown.endswith(" after")
        assert MASK in shown
        assert len(shown.replace(MASK, "")) <= len("before  after") + 20, shown  # ends that others share, and quotes
        assert not any(form in shown for form in forms(secret))


def test_each_line_of_a_key_is_hidden() -> None:
    key = "-----BEGIN KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5v\nAAAAAAAAAAEAAAGXAAAAB3NzaC1y\n}\n-----END KEY-----\n"
    shown = Mask([key]).text("read line: b3BlbnNzaC1rZXktdjEAAAAABG5v\r\nread line: AAAAAAAAAAEAAAGXAAAAB3NzaC1y\r\n}")
    assert shown == f"read line: {MASK}\r\nread line: {MASK}\r\n}}"


def test_too_short_values_are_nobody_s_secret() -> None:
    assert forms("abc") == set()
    assert Mask(["abc", ""]).text("abc") == "abc"


def test_a_stream_can_be_used_again_after_its_end() -> None:
    stream = Mask(["secret"]).stream()
    assert stream.feed("sec") + stream.end() == "sec"
    assert stream.feed("ret") + stream.end() == "ret"


def test_streams_are_kept_apart_and_nothing_is_lost() -> None:
    streams = MaskedStreams(Mask(["password1"]))
    assert streams.feed("the pass", "stdout", "a") == "the "
    assert streams.feed("word1", "stdout", "b") == "word1"
    assert streams.feed("age", "stdout", "a") == "passage"
    assert streams.feed("pass", "stderr", "a") == ""
    assert streams.rest() == [("pass", "stderr", "a")]
    assert streams.rest() == []
