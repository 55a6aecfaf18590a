"""The offset of the embedded log, and on PostgreSQL the log itself.

The log's tables are written with psycopg by the lane and never through the ORM, therefore they are no models.
Written by hand: do not generate it anew.
"""

from django.db import migrations, models

TABLES = [
    """
    CREATE TABLE intake_event (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        token text NOT NULL,
        source_id bigint NOT NULL,
        kind text NOT NULL,
        received_at timestamptz NOT NULL,
        content_type text NOT NULL,
        minted text NOT NULL,
        body bytea NOT NULL,
        done_at timestamptz
    )
    """,
    "CREATE INDEX intake_event_todo ON intake_event (id) WHERE done_at IS NULL",
    "CREATE INDEX intake_event_source ON intake_event (source_id, id)",
    "CREATE TABLE intake_consumer (id integer PRIMARY KEY CHECK (id = 1))",
    "INSERT INTO intake_consumer VALUES (1)",
]


def make_log(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for statement in TABLES:
            schema_editor.execute(statement)


def drop_log(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TABLE intake_event")
        schema_editor.execute("DROP TABLE intake_consumer")


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Offset",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("epoch", models.CharField(default="", max_length=36)),
                ("offset", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.RunPython(make_log, drop_log),
    ]
