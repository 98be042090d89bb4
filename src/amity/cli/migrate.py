"""`amity migrate`: the schema of this version. `amity up` runs it at every start."""

import click


@click.command(hidden=True)
def migrate() -> None:
    """Bring the database to this version's schema."""
    from amity.site.migrate import migrate as run

    run()
