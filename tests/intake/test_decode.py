"""Bytes to JSON: what is refused says why, what is odd but JSON is let through."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midwatch.intake.decode import DEPTH_MAX, BrokenError, decode_object


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"{", "not JSON: .* line 1"),
        (b'{"a": tru}', "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b"a=1&b=2", "not JSON"),
        (b'{"a":"\xff"}', "not UTF-8: byte 6 is 0xff"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a":"\x00"}', "not JSON"),
        (b"[1, 2]", "got a list"),
        (b'"text"', "got a string"),
        (b"12", "got a number"),
        (b"null", "got true, false or null"),
        (b"[" * 100_000, "not JSON|deeper than"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "deeper than 200"),
        (b'{"a":' * (DEPTH_MAX + 1) + b"1" + b"}" * (DEPTH_MAX + 1), "deeper than 200"),
    ],
)
def test_broken(body: bytes, why: str) -> None:
    with pytest.raises(BrokenError, match=why):
        decode_object(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": "\\u0000"}', {"a": "\x00"}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": 1e400}', {"a": float("inf")}),
        (b'{"a": 123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": ' + b"9" * 5_000 + b"}", {"a": "9" * 5_000}),  # no Python number has so many digits
    ],
)
def test_odd_but_json(body: bytes, value: dict[str, object]) -> None:
    assert decode_object(body) == value


def test_depth_is_counted_in_wide_documents_too() -> None:
    wide = {"alerts": [{"labels": {"a": [i]}} for i in range(500)]}
    assert decode_object(json.dumps(wide).encode()) == wide
    inside: object = 1
    for _ in range(DEPTH_MAX - 1):
        inside = [inside]
    assert decode_object(json.dumps({"a": inside}).encode()) == {"a": inside}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values))
def test_every_object_comes_back(value: dict[str, object]) -> None:
    assert decode_object(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_never_anything_but_broken(body: bytes) -> None:
    with suppress(BrokenError):
        decode_object(body)
