"""`amity events`: the log as it grows."""

import time

import click
import msgspec

from amity.cli.output import clean, json_option, print_json, print_table, show
from amity.cli.running import needs_database
from amity.store.contracts import ReceivedEvent

_POLL_SECONDS = 0.3
_COLUMNS = ("RECEIVED", "SOURCE", "TYPE", "NAME", "MESSAGE ID")


@click.command()
@click.option("--follow", is_flag=True, help="Go on printing events as they come, until Ctrl-C.")
@click.option("--source", "source_name", help="Only those of one source, by its name.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@json_option
@needs_database
def events(*, follow: bool, source_name: str | None, limit: int, as_json: bool) -> None:
    """Show the latest events, oldest first; with --follow and --json, one object a line."""
    from amity.cli.source import find
    from amity.store import api
    from amity.web.api.documents import event_document

    source_id = find(source_name).source_id if source_name else None
    found = api.list_received(source_id=source_id, limit=limit)[::-1]
    if not follow:
        if as_json:
            print_json([event_document(event) for event in found])
        else:
            print_table(_COLUMNS, map(_row, found), empty="No events have been received yet.")
        return
    cursor = None
    while True:
        _print_lines(found, as_json=as_json)
        cursor = found[-1].cursor if found else cursor
        time.sleep(_POLL_SECONDS)
        found = api.list_received(source_id=source_id, after=cursor, limit=1000)
        if cursor is None:  # nothing was there yet, so these are the newest first
            found.reverse()


def _row(event: ReceivedEvent) -> tuple[object, ...]:
    return (event.received_at, event.source_name, event.type, event.name, event.message_id)


def _print_lines(found: list[ReceivedEvent], *, as_json: bool) -> None:
    from amity.web.api.documents import event_document

    for event in found:
        if as_json:
            click.echo(msgspec.json.encode(event_document(event)).decode())
        else:
            click.echo("  ".join(clean(show(value)) for value in _row(event)))
