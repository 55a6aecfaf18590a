"""What a verb prints: lines for people, or one JSON document and nothing else on standard output."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any


class VerbError(Exception):
    """The verb cannot be done. The message is one line that says why and what to do."""


def show(args: Namespace, data: Any, lines: Iterable[str]) -> None:
    if args.json:
        print(json.dumps(data, ensure_ascii=False, indent=2, default=_plain))
    else:
        for line in lines:
            print(line)


def complain(text: str) -> None:
    """One line to standard error."""
    print(f"midwatch: {' '.join(text.split())}", file=sys.stderr)


def table(rows: Sequence[Sequence[object]], heads: Sequence[str]) -> list[str]:
    """Columns as wide as what is in them; the last one takes what it needs."""
    texts = [[*heads], *([("" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(heads))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in texts]


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
