"""A data folder with a migrated database that never ran, to be copied: quicker than a first start.

A copy is a new installation of its own, but for its passwords: nothing was armed in the template.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from amity.infra import config
from amity.infra.crypto import load_secrets
from amity.infra.postgres import EmbeddedPostgres
from amity.testing.installation import Installation
from amity.testing.post_office import copy_tree

_MIGRATE = "from amity.site.migrate import migrate; migrate()"


def make_template(data: Path) -> Path:
    """Fill a folder as the first start of `amity up` does, and stop the database again."""
    server = EmbeddedPostgres(data, load_secrets(data))
    server.start()
    try:
        environment = config.environment() | {"AMITY_DATA": str(data)}
        for name in ("AMITY_DATABASE_URL", "DATABASE_URL"):
            environment.pop(name, None)
        subprocess.run([sys.executable, "-c", _MIGRATE], env=environment, check=True)  # noqa: S603
    finally:
        server.stop()
    (data / "ballast").unlink(missing_ok=True)
    shutil.rmtree(data / "run", ignore_errors=True)
    return data


def copy_template(template: Path, data: Path) -> None:
    """Make a data folder of a template."""
    data.parent.mkdir(parents=True, exist_ok=True)
    copy_tree(template, data)


def begin_with(template: Path, folder: Path) -> Installation:
    """Return an Amity below a folder whose data are a copy of a template, to be started."""
    copy_template(template, folder / "data")
    return Installation(folder)
