"""Titles can be searched at any size: by trigrams, which find any three letters or more wherever they stand.

SQLite: a table of its own (FTS5 without content: it holds which alert has which letters, about 35 bytes an alert), kept by
triggers. A later migration that makes SQLite copy the table of alerts has to make the triggers again: `make_triggers`.
PostgreSQL: an index of pg_trgm, which is a trusted extension: a role that may CREATE in its database may install it. Where
that is not so, the index is left out, searches read every title, and `midwatch doctor` says which two lines cure it.
"""

from django.db import migrations, transaction

from midwatch.core.schema import unhurried

SQLITE_TABLE = "CREATE VIRTUAL TABLE alerts_search USING fts5(title, content='', contentless_delete=1, detail=none, tokenize='trigram')"
SQLITE_FILL = "INSERT INTO alerts_search (rowid, title) SELECT number, title FROM alerts_alert WHERE number IS NOT NULL"
SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER alerts_search_added AFTER INSERT ON alerts_alert WHEN new.number IS NOT NULL BEGIN
        INSERT INTO alerts_search (rowid, title) VALUES (new.number, new.title);
    END
    """,
    """
    CREATE TRIGGER alerts_search_changed AFTER UPDATE OF title ON alerts_alert WHEN new.number IS NOT NULL BEGIN
        UPDATE alerts_search SET title = new.title WHERE rowid = new.number;
    END
    """,
    """
    CREATE TRIGGER alerts_search_removed AFTER DELETE ON alerts_alert WHEN old.number IS NOT NULL BEGIN
        DELETE FROM alerts_search WHERE rowid = old.number;
    END
    """,
)
POSTGRESQL_INDEX = "CREATE INDEX CONCURRENTLY alert_title_trigrams ON alerts_alert USING gin (upper(title::text) gin_trgm_ops)"
MAY_INSTALL = """
SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm')
    OR has_database_privilege(current_database(), 'CREATE')
       AND EXISTS (SELECT 1 FROM pg_available_extension_versions WHERE name = 'pg_trgm' AND trusted)
    OR EXISTS (SELECT 1 FROM pg_roles WHERE rolname = current_user AND rolsuper)
       AND EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm')
"""


def make_triggers(schema_editor):
    for statement in SQLITE_TRIGGERS:
        schema_editor.execute(statement)


def make(apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor == "sqlite":
        with transaction.atomic(using=connection.alias):
            schema_editor.execute("DROP TABLE IF EXISTS alerts_search")
            schema_editor.execute(SQLITE_TABLE)
            schema_editor.execute(SQLITE_FILL)
            make_triggers(schema_editor)
        return
    with connection.cursor() as cursor:
        cursor.execute(MAY_INSTALL)
        if not cursor.fetchone()[0]:
            return
    with unhurried(connection) as cursor:  # a large table takes as long as it takes; nobody waits for it
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        cursor.execute("DROP INDEX CONCURRENTLY IF EXISTS alert_title_trigrams")  # of an attempt that was broken off
        cursor.execute(POSTGRESQL_INDEX)
        cursor.execute("ANALYZE alerts_alert")  # what it learns of the titles is what chooses between the indexes


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        with transaction.atomic(using=schema_editor.connection.alias):
            for name in ("added", "changed", "removed"):
                schema_editor.execute(f"DROP TRIGGER IF EXISTS alerts_search_{name}")
            schema_editor.execute("DROP TABLE IF EXISTS alerts_search")
    else:
        schema_editor.execute("DROP INDEX IF EXISTS alert_title_trigrams")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("alerts", "0001_initial")]

    operations = [migrations.RunPython(make, drop, atomic=False)]
