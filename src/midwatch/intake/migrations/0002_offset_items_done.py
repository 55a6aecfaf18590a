"""A payload with thousands of alerts becomes alerts in several transactions."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intake", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="offset",
            name="items_done",
            field=models.IntegerField(db_default=0, default=0),
        ),
    ]
