"""Answers of reports, saved views, what a company enters, and metrics, from the SQL beside this."""

from pathlib import Path

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("analysis", "0003_segment_tools")]
    operations = [migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text("utf-8"))]
