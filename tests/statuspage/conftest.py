from __future__ import annotations

from status_shop import shop

__all__ = ["shop"]
