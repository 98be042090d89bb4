"""`amity migrate`: the schema of this version. `amity up` runs it at every start."""

from datetime import UTC, datetime

import click


@click.command(hidden=True)
def migrate() -> None:
    """Bring the database to this version's schema."""
    from amity.broadcast import api as broadcast
    from amity.site.migrate import migrate as run

    run()
    from amity.web.erasing import replay_erasures

    # Before anything can be planned: a copy of this database is told apart from now on.
    broadcast.arm_new_installation(now=datetime.now(UTC))
    # Before anybody is served: whoever was erased is not brought back by an older database.
    replayed = replay_erasures(now=datetime.now(UTC))
    if replayed.erased:
        click.echo(f"{replayed.erased} erasures were repeated: this database is an older one.")
