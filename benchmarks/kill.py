"""How many pages are lost when Midwatch is killed: the figures of docs/reference/high-availability.md.

    python benchmarks/kill.py [--kills 40] [--seed N] [--database sqlite|postgresql|both]

PostgreSQL is started by the run, and needs its server installed. Exit code 1 when an event was lost.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from end_to_end import kill  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    given = parser.parse_args()
    lost = 0
    for database in ("sqlite", "postgresql") if given.database == "both" else (given.database,):
        with tempfile.TemporaryDirectory(prefix="midwatch-kill-") as directory:
            found = kill.run(Path(directory), database=database, kills=given.kills, seed=given.seed)
        print(found.line(), flush=True)
        lost += found.lost
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
