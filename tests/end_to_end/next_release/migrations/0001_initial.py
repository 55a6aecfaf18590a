"""Expand, as the rules for migrations have it: a new table, new columns without a default on the busiest tables, an
index that is made beside the writing."""

from django.db import migrations, models

COLUMNS = [
    "ALTER TABLE alerts_alert ADD COLUMN next_release text NULL",
    "ALTER TABLE notify_delivery ADD COLUMN next_release text NULL",
    "ALTER TABLE escalation_escalation ADD COLUMN next_release integer NULL",
    "ALTER TABLE intake_event ADD COLUMN next_release integer NULL",
    "CREATE INDEX CONCURRENTLY next_release_alerts ON alerts_alert (next_release)",
]


class Migration(migrations.Migration):
    initial = True
    atomic = False  # each statement by itself: no lock is held for longer than it takes
    dependencies = [
        ("alerts", "__first__"),
        ("notify", "__first__"),
        ("escalation", "__first__"),
        ("intake", "__first__"),
    ]
    operations = [
        migrations.CreateModel(
            name="Remark",
            fields=[("id", models.BigAutoField(primary_key=True)), ("text", models.CharField(max_length=100))],
        ),
        *[migrations.RunSQL(statement, migrations.RunSQL.noop) for statement in COLUMNS],
    ]
