"""Long work that somebody asked for, and the customers of reports' rows, from the SQL file."""

from pathlib import Path

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("analysis", "0013_segment_filling")]
    operations = [migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text("utf-8"))]
