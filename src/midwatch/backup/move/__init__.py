"""Moving from the embedded database to PostgreSQL: every table in batches, resumable after a kill at any moment.

Comes after backup and restore; before the command line. It imports no Django: rows are read with SQLite's own library and
written with COPY. Each batch and how far it got are committed together over there; the data directory is marked before
the first batch and after the last, so that nothing pages from two places.
"""

from midwatch.backup.move.run import Moved, back, move

__all__ = ["Moved", "back", "move"]
