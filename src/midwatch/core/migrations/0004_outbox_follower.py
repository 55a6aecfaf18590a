from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0003_files_and_topics")]

    operations = [
        migrations.AddField("outboxevent", "follower", models.CharField(db_default="", default="", max_length=40)),
    ]
