"""The log of one container, read on from where it was. The API's `sinceTime` knows seconds, so lines of the same
second come again: what was said already is known by its time stamp, and by how many lines had that one."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

BYTES_MAX = 900_000
STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ?")


class Log:
    def __init__(self, read: Callable[[dict[str, str]], str], write: Callable[[str], None]) -> None:
        self._read = read
        self._write = write
        self._last = ""  # the newest time stamp, to be compared as text
        self._since = ""  # the same, for the API
        self._of_last = 0  # lines that had it

    def go_on(self, *, is_over: bool = False) -> None:
        """Until there is nothing new. `is_over`: the container has ended, so what has no end of line is a line."""
        while self._page(is_over=is_over):
            pass

    def _page(self, *, is_over: bool) -> bool:
        query = {"timestamps": "true", "limitBytes": str(BYTES_MAX)} | (
            {"sinceTime": self._since} if self._since else {}
        )
        text = self._read(query)
        is_full = len(text.encode("utf-8", "surrogateescape")) >= BYTES_MAX - 4
        lines = text.split("\n")
        rest = lines.pop()
        if rest and ((is_over and not is_full) or not lines):
            lines.append(rest)
        new = self._new(lines)
        if new:
            self._write("".join(f"{line}\n" for line in new))
        elif is_full and self._since:
            self._write("(more in this second than can be read at once; the rest of it is left out)\n")
            self._skip()
        return is_full

    def _new(self, lines: list[str]) -> list[str]:
        found: list[str] = []
        seen = 0
        before, counted = self._last, self._of_last
        for line in lines:
            match = STAMP.match(line)
            if match is None:  # a line without a stamp belongs to the one before it
                if found:
                    found.append(line)
                continue
            stamp = f"{match[1]}.{(match[2] or '').ljust(9, '0')}"
            if stamp < before:
                continue
            if stamp == before and (seen := seen + 1) <= counted:
                continue
            self._of_last = self._of_last + 1 if stamp == self._last else 1
            self._last, self._since = stamp, f"{match[1]}{match[3]}"
            found.append(line[match.end() :])
        return found

    def _skip(self) -> None:
        second = datetime.fromisoformat(self._since.replace("Z", "+00:00")) + timedelta(seconds=1)
        self._since = second.strftime("%Y-%m-%dT%H:%M:%SZ")
        self._last, self._of_last = second.strftime("%Y-%m-%dT%H:%M:%S.") + "0" * 9, 0
