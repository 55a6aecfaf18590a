"""Text for an SMS: the GSM 7-bit alphabet (3GPP TS 23.038), counted as the network counts it.

One character outside the alphabet turns a segment of 160 characters into one of 70, splits the message and costs more;
so what is not in it is written with its nearest letters.
"""

from __future__ import annotations

import unicodedata

SEGMENT_SEPTETS = 160
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")  # an escape and a character: two septets
_NEAREST = {
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "`": "'", "\u00b4": "'", "\u2032": "'",
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u00ab": '"', "\u00bb": '"', "\u2033": '"', "\u2010": "-",
    "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2015": "-", "\u2212": "-", "\u2022": "*",
    "\u00b7": ".", "\u00d7": "x", "\u00f7": "/", "\u2192": "->", "\u2190": "<-", "\u21d2": "=>", "\u2264": "<=",
    "\u2265": ">=", "\u2260": "!=", "\u2248": "~", "\u00b1": "+-", "\u00b0": " deg ", "\u00b5": "u", "\u03bc": "u",
    "\u0142": "l", "\u0141": "L", "\u0111": "d", "\u0110": "D", "\u0131": "i", "\u0153": "oe", "\u0152": "OE",
    "\u00fe": "th", "\u00de": "Th", "\u00f0": "d", "\u00d0": "D", "\u00e7": "c", "\u1e9e": "SS", "\u0009": " ",
    "\u00a0": " ", "\u202f": " ", "\u2713": "ok", "\u2714": "ok", "\u2717": "x", "\u00a9": "(c)", "\u00ae": "(R)",
    "\u00ac": "not ",
}  # fmt: skip


def to_gsm7(text: str) -> str:
    """`text` in the GSM 7-bit alphabet. Accents go, letters of other scripts become `?`, pictures vanish."""
    parts: list[str] = []
    for character in unicodedata.normalize("NFC", text):
        if character in _BASIC or character in _EXTENDED:
            parts.append(character)
        else:
            parts.append(_nearest(character))
    return "".join(parts)


def _nearest(character: str) -> str:
    if character in _NEAREST:
        return _NEAREST[character]
    plain = unicodedata.normalize("NFKD", character)
    kept = "".join(_of_alphabet(part) for part in plain)
    if kept:
        return kept
    return "?" if unicodedata.category(character).startswith("L") else ""


def _of_alphabet(part: str) -> str:
    if part in _BASIC or part in _EXTENDED:
        return part
    upper = part.upper()
    return _NEAREST.get(part, upper if upper in _BASIC else "")  # of Greek the capitals exist, and not all


def gsm7_length(text: str) -> int:
    """Septets, of a text that is in the alphabet already."""
    return sum(2 if character in _EXTENDED else 1 for character in text)


def fit_gsm7(text: str, limit: int = SEGMENT_SEPTETS) -> str:
    """`text` in the alphabet and within `limit` septets, cut with `..` at its end."""
    text = to_gsm7(text)
    if gsm7_length(text) <= limit:
        return text
    if limit <= 2:
        return ""
    room = limit - 2
    kept: list[str] = []
    for character in text:
        room -= 2 if character in _EXTENDED else 1
        if room < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip() + ".."


def fit_sms(before: str, cut: str, after: str, limit: int = SEGMENT_SEPTETS) -> str:
    """`before` + `cut` + `after` within one segment; only `cut` (the title) gives way, never the number or the link."""
    before, after = to_gsm7(before), to_gsm7(after)
    return before + fit_gsm7(cut, max(limit - gsm7_length(before) - gsm7_length(after), 0)) + after
