"""The PostgreSQL database as the move writes it: rows by COPY, with how far it got in the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from midwatch.backup.archive import BackupError

STATE = "midwatch_move"
KEPT = frozenset({"django_migrations", "intake_consumer", STATE, f"{STATE}_table", f"{STATE}_constraint"})
MAKE = """
CREATE TABLE midwatch_move (token text NOT NULL, state text NOT NULL);
CREATE TABLE midwatch_move_table (name text PRIMARY KEY, last bigint NOT NULL, copied bigint NOT NULL, is_done boolean NOT NULL);
CREATE TABLE midwatch_move_constraint (on_table text NOT NULL, name text NOT NULL, definition text NOT NULL);
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'f' AND connamespace = current_schema()::regnamespace AND conparentid = 0
"""
PROGRESS = b"""
UPDATE midwatch_move_table SET last = greatest(last, %s), copied = copied + %s, is_done = %s WHERE name = %s
"""
Convert = Callable[[Any], Any]


@dataclass(slots=True)
class Notes:
    """What PostgreSQL is stricter about than SQLite, and had to be changed: counted, and told."""

    nul_count: int = 0
    cut_count: int = 0


@dataclass(slots=True)
class Target:
    connection: psycopg.Connection[Any]
    notes: Notes = field(default_factory=Notes)

    def one(self, query: str, values: Sequence[object] = ()) -> Any:
        row = self.connection.execute(query.encode(), values).fetchone()
        return None if row is None else row[0]

    def tables(self) -> list[str]:
        query = (
            "SELECT c.relname FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace "
            "AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1"
        )
        return [str(row[0]) for row in self.connection.execute(query)]

    def migrations(self) -> set[tuple[str, str]]:
        return set(self.connection.execute("SELECT app, name FROM django_migrations").fetchall())

    # -- how far it got ------------------------------------------------------------------------------------------------

    def state(self) -> tuple[str, str] | None:
        """(token, state), or None when no move was begun here."""
        if self.one("SELECT to_regclass(%s)", [STATE]) is None:
            return None
        found = self.connection.execute(b"SELECT token, state FROM midwatch_move").fetchone()
        return (str(found[0]), str(found[1])) if found is not None else None

    def begin(self, token: str, tables: Iterable[str]) -> None:
        """Empty, without foreign keys (rows name rows that come later), and with a note of all that: one transaction."""
        with self.connection.transaction():
            self.connection.execute(MAKE.encode())
            self.connection.execute(b"INSERT INTO midwatch_move VALUES (%s, 'copying')", [token])
            self.connection.execute(b"INSERT INTO midwatch_move_constraint " + CONSTRAINTS.encode())
            known = self.connection.execute(b"SELECT on_table, name FROM midwatch_move_constraint").fetchall()
            for on_table, name in known:
                drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.SQL(on_table), sql.Identifier(name))
                self.connection.execute(drop)
            emptied = [sql.Identifier(name) for name in self.tables() if name not in KEPT]
            self.connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(emptied)))
            for name in tables:
                self.connection.execute(b"INSERT INTO midwatch_move_table VALUES (%s, 0, 0, false)", [name])

    def place(self, table: str) -> tuple[int, int, bool]:
        """(the last place copied, how many rows, is that all)."""
        query = "SELECT last, copied, is_done FROM midwatch_move_table WHERE name = %s"
        row = self.connection.execute(query.encode(), [table]).fetchone()
        if row is None:
            raise BackupError(f"the move that was begun knows no table {table}: begin anew in an empty database")
        return int(row[0]), int(row[1]), bool(row[2])

    def add(self, table: str, columns: Sequence[str], rows: Iterable[tuple[int, Sequence[Any]]]) -> int:
        """One batch, committed with its place. Returns how many rows."""
        converts = self.converts(table, columns)
        count, last = 0, 0
        names = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
        with self.connection.transaction(), self.connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                for place, values in rows:
                    copy.write_row(
                        [
                            None if value is None else convert(value)
                            for convert, value in zip(converts, values, strict=True)
                        ]
                    )
                    count, last = count + 1, place
            cursor.execute(PROGRESS, [last, count, count == 0, table])
        return count

    def converts(self, table: str, columns: Sequence[str]) -> list[Convert]:
        """What SQLite keeps as text or numbers, as the column's type wants it. Raises `BackupError`."""
        query = (
            "SELECT attname, atttypid::regtype::text, CASE WHEN atttypmod > 4 THEN atttypmod - 4 END FROM pg_attribute "
            "WHERE attrelid = to_regclass(quote_ident(%s)) AND attnum > 0 AND NOT attisdropped"
        )
        types = {name: (kind, size) for name, kind, size in self.connection.execute(query.encode(), [table])}
        if not types.keys() >= set(columns):
            raise BackupError(
                f"{table} over there lacks {sorted(set(columns) - types.keys())}: are both of one version?"
            )
        return [self._convert(*types[name]) for name in columns]

    def _convert(self, kind: str, size: int | None) -> Convert:
        match kind:
            case "boolean":
                return bool
            case "timestamp with time zone":
                return lambda value: value if "+" in value or value.endswith("Z") else f"{value}+00"
            case "interval":
                return lambda value: f"{value} microseconds"
            case "character varying":
                return lambda value: self._clean(value, size)
            case "text" | "jsonb" | "json":
                return lambda value: self._clean(value, None)
            case _:
                return lambda value: value

    def _clean(self, value: Any, size: int | None) -> str:
        text = str(value)
        if "\x00" in text:
            self.notes.nul_count += 1
            text = text.replace("\x00", "")
        if size is not None and len(text) > size:
            self.notes.cut_count += 1
            text = text[:size]
        return text

    # -- the end -------------------------------------------------------------------------------------------------------

    def finish(self, offset: tuple[int, int]) -> None:
        """Foreign keys again, which looks at every row; sequences behind the last id; the log's place. One transaction."""
        with self.connection.transaction():
            self._sequences()
            first, items = offset
            self.connection.execute(
                'INSERT INTO intake_offset (id, epoch, "offset", items_done) VALUES (1, %s, %s, %s) ON CONFLICT DO NOTHING',
                ["", first, items],
            )
            kept = self.connection.execute(b"SELECT on_table, name, definition FROM midwatch_move_constraint")
            for on_table, name, definition in kept.fetchall():
                again = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                    sql.SQL(on_table), sql.Identifier(name), sql.SQL(definition)
                )
                self.connection.execute(again)
            self.connection.execute(b"UPDATE midwatch_move SET state = 'done'")

    def _sequences(self) -> None:
        query = (
            "SELECT c.relname, a.attname, pg_get_serial_sequence(quote_ident(c.relname), a.attname) FROM pg_class c "
            "JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = current_schema()::regnamespace "
            "AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped "
            "AND pg_get_serial_sequence(quote_ident(c.relname), a.attname) IS NOT NULL"
        )
        for table, column, sequence in self.connection.execute(query).fetchall():
            highest = sql.SQL("SELECT setval(%s, greatest(max({}), 1), max({}) IS NOT NULL) FROM {}").format(
                sql.Identifier(column), sql.Identifier(column), sql.Identifier(table)
            )
            self.connection.execute(highest, [sequence])

    def count(self, table: str) -> int:
        return int(self.one(f'SELECT count(*) FROM "{table}"'))  # noqa: S608 - a name of ours

    def forget(self) -> None:
        """The notes of the move itself."""
        with self.connection.transaction():
            for name in (STATE, f"{STATE}_table", f"{STATE}_constraint"):
                self.connection.execute(f"DROP TABLE IF EXISTS {name}".encode())
            self.connection.execute(b"ANALYZE")
