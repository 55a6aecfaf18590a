"""How often somebody asks: a sliding window of each token, kept in the process.

Kept by digest, never by the token itself, and the least used is forgotten first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

from midwatch.core import clock

WINDOW_SECONDS = 60.0
TOKENS_KEPT_MAX = 5_000


class Pace:
    def __init__(self) -> None:
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def is_too_fast(self, token: str, *, at_most: int) -> bool:
        """Is this one more than `at_most` in a window? What is refused does not count. `token`: its digest."""
        now = clock.monotonic()
        with self._lock:
            moments = self._asked.pop(token, deque())
            while moments and now - moments[0] > WINDOW_SECONDS:
                moments.popleft()
            is_over = len(moments) >= at_most
            if not is_over:
                moments.append(now)
            self._asked[token] = moments
            while len(self._asked) > TOKENS_KEPT_MAX:
                self._asked.popitem(last=False)
        return is_over

    def forget(self) -> None:
        with self._lock:
            self._asked.clear()
