"""Small JSON files in the data directory that say what happened to it, for whoever starts there. They need no database."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Mark:
    """`name`: of the file."""

    name: str

    def read(self, data_dir: Path) -> Mapping[str, Any] | None:
        """None: there is none. A mark that cannot be read is a mark all the same."""
        try:
            given = json.loads((data_dir / self.name).read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, OSError):
            return {}
        return given if isinstance(given, dict) else {}

    def write(self, data_dir: Path, said: Mapping[str, Any]) -> None:
        """Durable when it returns, and whole or not there. Raises `OSError`."""
        unfinished = data_dir / f".{self.name}"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(dict(said), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, data_dir / self.name)

    def remove(self, data_dir: Path) -> None:
        (data_dir / self.name).unlink(missing_ok=True)
