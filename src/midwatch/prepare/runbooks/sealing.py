"""Secrets at rest: sealed with a key that is derived from the installation's secret key. Pure.

AES-256-GCM with a random nonce of 96 bits; the key by HKDF-SHA256 (RFC 5869), so that nothing else that the secret key
signs says anything about it. What a value belongs to is sealed with it (`about`): a ciphertext that is copied to another
row does not open there. Several keys open, the first one seals.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES = 12
KEY_ID_BYTES = 6
_SEAL = b"midwatch secrets 1: seal"
_NAME = b"midwatch secrets 1: name of the key"


class SealError(ValueError):
    """It does not open. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Sealed:
    ciphertext: str
    key_id: str


class Keyring:
    """`current` seals; it and `previous` open."""

    def __init__(self, current: str, previous: Sequence[str] = ()) -> None:
        keys = [(_key_id(key), AESGCM(_derived(key, _SEAL, 32))) for key in (current, *previous)]
        self.current_id = keys[0][0]
        self._keys = dict(reversed(keys))

    def knows(self, key_id: str) -> bool:
        return key_id in self._keys

    def seal(self, value: str, about: str) -> Sealed:
        nonce = os.urandom(NONCE_BYTES)
        data = self._keys[self.current_id].encrypt(nonce, value.encode(), about.encode())
        return Sealed(base64.b64encode(nonce + data).decode("ascii"), self.current_id)

    def open(self, sealed: Sealed, about: str) -> str:
        """Raises `SealError`."""
        key = self._keys.get(sealed.key_id)
        if key is None:
            raise SealError(
                f"it was sealed with another secret key ({sealed.key_id}): "
                "give the old one as MIDWATCH_SECRET_KEY_PREVIOUS, or set the value anew"
            )
        try:
            data = base64.b64decode(sealed.ciphertext, validate=True)
            return key.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], about.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise SealError("what is stored was changed, or belongs to another secret: set the value anew") from error


def _key_id(key: str) -> str:
    """Says which key it is, and nothing about it."""
    return _derived(key, _NAME, KEY_ID_BYTES).hex()


def _derived(key: str, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=purpose).derive(key.encode())
