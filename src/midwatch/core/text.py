"""Text from outside, made safe to store and to show: control characters out, lengths bounded."""

from __future__ import annotations

import re
import unicodedata

NAME_MAX = 63
NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")  # of what configuration names
NAME_HELP = "1 to 63 lower-case letters, digits, dashes and underscores, such as payments-primary"

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def clean(value: object, at_most: int, *, is_one_line: bool = False) -> str:
    """`value` as text without control characters, lone surrogates and direction overrides, at most so long."""
    text = value if isinstance(value, str) else str(value)
    if len(text) <= at_most and text.isascii() and text.isprintable():  # nearly all: there is nothing to take out
        return " ".join(text.split()) if is_one_line else text
    text = text[: at_most * 4]  # bound the work before normalising
    text = without_controls(text)
    text = unicodedata.normalize("NFC", text)
    if is_one_line:
        text = " ".join(text.split())
    if len(text) > at_most:
        text = text[: at_most - 1] + "\u2026"
    return text


def without_controls(text: str) -> str:
    """The same text without control characters, lone surrogates and direction overrides."""
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))


def slug(value: str, at_most: int = 63) -> str:
    """A name for configuration: lower case letters, digits and dashes."""
    ascii_text = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")[:at_most].strip("-")


def whole_number(text: str, digits_max: int = 15) -> int | None:
    """The number that these digits are. None for anything else, and for more digits than a number of ours has: SQLite takes
    no integer above 64 bits, and Python takes seconds over a very long one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits_max else None
