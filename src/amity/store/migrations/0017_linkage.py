"""What linkage has learnt, and links beside people in the review queue, from the SQL file beside this one."""

from pathlib import Path

from django.db import migrations

_HERE = Path(__file__)
_EARLIER = max(path.stem for path in _HERE.parent.glob("0*.py") if path.stem < _HERE.stem)


class Migration(migrations.Migration):
    dependencies = [("store", _EARLIER)]
    operations = [migrations.RunSQL(_HERE.with_suffix(".sql").read_text("utf-8"))]
