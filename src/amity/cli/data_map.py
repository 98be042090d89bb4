"""`amity data-map`: what is held, of whom, for how long, and what an erasure does to it."""

import click

from amity.cli.output import json_option, print_json, print_table
from amity.cli.running import needs_database


@click.command("data-map")
@json_option
@needs_database
def data_map(*, as_json: bool) -> int:
    """Say what is held in every table and kind of file; exit with 1 when something is missing."""
    from amity.infra.data_map import read_map

    held = read_map()
    if as_json:
        print_json(held)
        return 1 if held.gaps else 0
    print_table(
        ("TABLE", "HOLDS", "PERSONAL", "ERASURE", "DAYS"),
        [
            (each.name, each.holds, ", ".join(each.personal), each.erase, str(each.keep_days or ""))
            for each in held.tables
        ],
        empty="nothing",
    )
    click.echo()
    print_table(
        ("FILES", "HOLDS", "ERASURE", "DAYS"),
        [(each.name, each.holds, each.erase, str(each.keep_days or "")) for each in held.files],
        empty="nothing",
    )
    for gap in held.gaps:
        click.echo(f"Not described: {gap}", err=True)
    return 1 if held.gaps else 0
