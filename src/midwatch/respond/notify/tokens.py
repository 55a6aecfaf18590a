"""Tokens of landing pages: unguessable, for one message (so for one person and its alerts), stored as a digest only.

A token is derived from the delivery's idempotency key with the installation's secret key, so that a message that is tried
again carries the same link, and no table holds what opens a page.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from django.conf import settings as django_settings


def token_of(idempotency_key: str) -> str:
    """26 characters that no SMS gateway or mail client breaks."""
    mac = hmac.digest(django_settings.SECRET_KEY.encode(), f"landing:{idempotency_key}".encode(), "sha256")
    return base64.b32encode(mac[:16]).decode().rstrip("=").lower()


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
