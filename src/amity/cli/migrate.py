"""`amity migrate`: the schema of this version. `amity up` runs it at every start."""

from datetime import UTC, datetime

import click


@click.command(hidden=True)
def migrate() -> None:
    """Bring the database to this version's schema."""
    from amity.broadcast import api as broadcast
    from amity.site.migrate import migrate as run

    run()
    # Before anything can be planned: a copy of this database is told apart from now on.
    broadcast.arm_new_installation(now=datetime.now(UTC))
