"""What a parser made of a sample, as JSON that a person can review.

`python tests/kit/shown.py VENDOR` prints the expected file of every sample of a vendor; read it before you keep it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from midwatch.core.integration import Event, Link, Refused, Rejected, Source, sources

FOLDER = Path(__file__).parents[2] / "src" / "midwatch" / "integrations"


def shown(source: Source, payload: Any) -> Any:
    """{"rejected": reason}, or a list of {"event": {...}} and {"refused": reason}. Empty fields are left out."""
    try:
        found = source.parse(payload)
    except Rejected as error:
        return {"rejected": str(error)}
    return [{"refused": item.reason} if isinstance(item, Refused) else {"event": _event(item)} for item in found]


def _event(event: Event) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for field in fields(event):
        value = getattr(event, field.name)
        if isinstance(value, datetime):
            value = value.isoformat()
        elif field.name == "links":
            value = [{"href": link.href, "text": link.text} for link in value if isinstance(link, Link)]
        elif field.name == "labels":
            value = dict(value)
        if value not in ("", None, 0, [], {}):
            result[field.name] = value
    return result


def samples(vendor: str) -> list[Path]:
    return sorted(
        path for path in (FOLDER / vendor / "samples").glob("*.json") if not path.name.endswith(".expected.json")
    )


def expected(sample: Path) -> Path:
    return sample.with_name(sample.name.removesuffix(".json") + ".expected.json")


if __name__ == "__main__":
    for path in samples(sys.argv[1]):
        text = json.dumps(shown(sources()[sys.argv[1]], json.loads(path.read_text())), indent=2, ensure_ascii=True)
        expected(path).write_text(text + "\n")
        print(f"--- {path.name}\n{text}")
