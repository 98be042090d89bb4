"""`amity rebuild`: everything that is derived, made again from the log."""

import time

import click

from amity.cli.output import json_option, print_json
from amity.cli.progress import Progress
from amity.cli.running import needs_database


@click.command()
@json_option
@needs_database
def rebuild(*, as_json: bool) -> None:
    """Rebuild every profile from the event log.

    The result is the same to the byte; use it after an upgrade that says so. Events that come
    meanwhile are kept and folded after.
    """
    from amity.store import api

    began = time.monotonic()
    with Progress("Rebuilding") as progress:
        events = api.rebuild(progress=progress.update)
    seconds = round(time.monotonic() - began, 3)
    if as_json:
        print_json({"events": events, "seconds": seconds})
    else:
        click.echo(f"Rebuilt from {events:,} events in {seconds:,.1f} s.")
