"""PostgreSQL's event log is written, marked and deleted all day: it is vacuumed by what it holds, not by what it held."""

from django.db import migrations

SET = """
ALTER TABLE intake_event SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05
)
"""
RESET = """
ALTER TABLE intake_event RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor
)
"""


def set_it(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(SET)


def reset_it(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(RESET)


class Migration(migrations.Migration):
    dependencies = [("intake", "0002_offset_items_done")]

    operations = [migrations.RunPython(set_it, reset_it)]
