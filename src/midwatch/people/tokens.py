"""Secrets that are shown once and stored as digests. Pure."""

from __future__ import annotations

import hashlib
import secrets

API_PREFIX = "mw_"
_CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # without 0, O, 1 and I, which people mix up
_CODE_GROUPS = 5
_CODE_GROUP_LENGTH = 4


def digest(token: str) -> str:
    """SHA-256 in hex: the tokens are random and long, so a slow hash would protect nothing more."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def new_api_token() -> str:
    return API_PREFIX + secrets.token_urlsafe(32)


def new_link_token() -> str:
    return secrets.token_urlsafe(32)


def new_code() -> str:
    """For typing by hand: 100 bits as `ABCD-EFGH-...`."""
    groups = ("".join(secrets.choice(_CODE_LETTERS) for _ in range(_CODE_GROUP_LENGTH)) for _ in range(_CODE_GROUPS))
    return "-".join(groups)


def typed_code(text: str) -> str:
    """A code as it was made, however somebody typed it: lower case, with spaces, without dashes."""
    letters = "".join(letter for letter in text.upper() if letter.isascii() and letter.isalnum())
    return "-".join(letters[at : at + _CODE_GROUP_LENGTH] for at in range(0, len(letters), _CODE_GROUP_LENGTH))
