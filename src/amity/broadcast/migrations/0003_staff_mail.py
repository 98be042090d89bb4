"""Messages to staff, from the SQL file beside this one."""

from pathlib import Path

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("broadcast", "0002_metrics")]
    operations = [migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text("utf-8"))]
