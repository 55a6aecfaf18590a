"""The words that every document begins with."""

from __future__ import annotations

from typing import Final

API_VERSION: Final = "midwatch.dev/v1"
