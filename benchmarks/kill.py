"""How many events and pages are lost when Midwatch is killed: `midwatch serve`, whole and in parts, on both databases.

    python benchmarks/kill.py [--kills 40] [--seed N] [--database sqlite|postgresql|both]

PostgreSQL is started by the run, and needs its server installed. Exit code 1 when an event was lost.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from measuring.figures import Figure, parser, report  # noqa: E402

from end_to_end import kill  # noqa: E402

NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def figures(found: kill.Figures) -> list[Figure]:
    where = f"{sum(found.kills.values())} kills, {NAMES[found.database]}"
    return [
        Figure(f"Events accepted ({where})", found.accepted, "events"),
        Figure(f"Accepted events that paged nobody ({where})", found.lost, "events", "== 0"),
        Figure(f"Alerts made twice ({where})", found.alerts_doubled, "alerts", "== 0"),
        Figure(f"Messages that went out a second time, marked ({where})", found.repeated, "messages"),
        Figure(
            f"Messages that went out a second time, unmarked ({where})", found.repeated_unmarked, "messages", "== 0"
        ),
        Figure(f"Accepted to page handed over, p50 ({where})", found.delay(0.5), "s"),
        Figure(f"Accepted to page handed over, slowest ({where})", found.delay(1.0), "s"),
        Figure(f"Children of a killed parent ended within ({where})", found.orphan_seconds, "s"),
    ]


def main() -> int:
    arguments = parser(__doc__)
    arguments.add_argument("--kills", type=int, default=40)
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    arguments.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    given = arguments.parse_args()
    lost = 0
    said: list[Figure] = []
    for database in NAMES if given.database == "both" else (given.database,):
        with tempfile.TemporaryDirectory(prefix="midwatch-kill-") as directory:
            kills = 3 if given.quick else given.kills
            found = kill.run(Path(directory), database=database, kills=kills, seed=given.seed)
        print(found.line(), flush=True)
        lost += found.lost
        said += figures(found)
    report("kill", said, as_json=given.json)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
