from django.db import migrations, models

from midwatch.core.schema import AddIndexBesideTraffic


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("core", "0001_initial")]

    operations = [
        AddIndexBesideTraffic(
            "outboxevent",
            models.Index(
                condition=models.Q(("quarantined_at", None), _negated=True),
                fields=["quarantined_at"],
                name="outbox_quarantined",
            ),
        ),
    ]
