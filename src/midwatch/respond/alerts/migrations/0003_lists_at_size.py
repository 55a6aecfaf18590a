"""Lists by service, owner and priority walk an index to their first page; what another index begins with has none of its own."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from midwatch.core.schema import AddIndexBesideTraffic, DropIndexesOf


def key(name, to, on_delete):
    made = models.ForeignKey(db_index=False, null=True, on_delete=on_delete, related_name="+", to=to)
    return migrations.AlterField("alert", name, made)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("alerts", "0002_search"),
        ("catalog", "0001_initial"),
        ("people", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexBesideTraffic(
            "alert", models.Index(fields=["acknowledged_by", "status", "-number"], name="alert_owner_status")
        ),
        AddIndexBesideTraffic(
            "alert", models.Index(fields=["service", "status", "-number"], name="alert_service_status")
        ),
        AddIndexBesideTraffic(
            "alert",
            models.Index(fields=["service", "-number", "priority", "team"], name="alert_service_list"),
        ),
        AddIndexBesideTraffic("alert", models.Index(fields=["team", "-number", "priority"], name="alert_team_list")),
        AddIndexBesideTraffic("alert", models.Index(fields=["priority", "-number"], name="alert_priority")),
        AddIndexBesideTraffic(
            "alert", models.Index(condition=models.Q(("is_test", True)), fields=["created_at"], name="alert_test")
        ),
        AddIndexBesideTraffic(
            "alert",
            models.Index(
                condition=models.Q(("resolved_at", None), _negated=True), fields=["resolved_at"], name="alert_resolved"
            ),
        ),
        AddIndexBesideTraffic("sourceproblem", models.Index(fields=["at", "source"], name="source_problem_at")),
        migrations.RemoveIndex("alert", "alert_service"),
        migrations.RemoveIndex("alert", "alert_team"),
        # Not by altering the fields: on SQLite that copies the table, and loses the triggers of the search.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                key("acknowledged_by", settings.AUTH_USER_MODEL, django.db.models.deletion.SET_NULL),
                key("service", "catalog.service", django.db.models.deletion.PROTECT),
                key("source", "alerts.source", django.db.models.deletion.SET_NULL),
                key("team", "people.team", django.db.models.deletion.PROTECT),
            ],
        ),
        DropIndexesOf("alerts_alert", ["acknowledged_by_id", "service_id", "source_id", "team_id"]),
    ]
