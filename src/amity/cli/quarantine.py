"""`amity quarantine`: events that could not be understood, and trying them again."""

from datetime import UTC, datetime

import click

from amity.cli.output import json_option, print_facts, print_json, print_table
from amity.cli.running import needs_database


@click.group()
def quarantine() -> None:
    """See and replay events that could not be understood."""


@quarantine.command(name="list")
@click.option("--source", "source_name", help="Only those of one source, by its name.")
@click.option("--reason", help="Only those put aside for one reason.")
@click.option("--event", default="", help="Only events of this name.")
@click.option("--text", default="", help="Only those with this text in them or their reason.")
@click.option("--since", type=click.DateTime(), help="Only those received then (UTC) or later.")
@click.option("--until", type=click.DateTime(), help="Only those received before then (UTC).")
@click.option("--all", "show_all", is_flag=True, help="Replayed ones too.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--cursor", help="Go on after an earlier page.")
@json_option
@needs_database
def list_(  # noqa: PLR0913  # one parameter an option
    *,
    source_name: str | None,
    reason: str | None,
    event: str,
    text: str,
    since: datetime | None,
    until: datetime | None,
    show_all: bool,
    limit: int,
    cursor: str | None,
    as_json: bool,
) -> None:
    """List events put aside, the latest first."""
    from amity.cli.source import find
    from amity.kernel.pagination import Page
    from amity.store import api
    from amity.store.contracts_tracking import QuarantineFilter
    from amity.web.api.documents import quarantined_document

    page = api.list_quarantine(
        source_id=find(source_name).source_id if source_name else None,
        reason=reason,
        narrow=QuarantineFilter(event=event, text=text, since=_utc(since), until=_utc(until)),
        open_only=not show_all,
        cursor=cursor,
        limit=limit,
    )
    if as_json:
        print_json(Page([quarantined_document(event) for event in page.items], page.next_cursor))
        return
    print_table(
        ("ID", "RECEIVED", "SOURCE", "REASON", "SEEN", "DETAIL"),
        [
            (str(q.quarantine_id), q.received_at, q.source_name, q.reason, q.seen, q.detail)
            for q in page.items
        ],
        empty="Nothing is in quarantine.",
    )
    if page.next_cursor:
        click.echo(f"\nmore: --cursor {page.next_cursor}")


def _utc(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(tzinfo=UTC)


@quarantine.command()
@click.argument("quarantine_ids", nargs=-1, type=click.IntRange(1, 2**63 - 1), metavar="[ID]…")
@click.option("--all", "replay_all", is_flag=True, help="All that are open.")
@json_option
@needs_database
def replay(quarantine_ids: tuple[int, ...], *, replay_all: bool, as_json: bool) -> None:
    """Try events put aside again; each takes effect once at most."""
    from amity.store import api

    if replay_all == bool(quarantine_ids):
        raise click.UsageError("name the ids to replay, or --all")
    receipt = api.replay_quarantine(quarantine_ids=None if replay_all else list(quarantine_ids))
    if as_json:
        print_json(receipt)
        return
    print_facts(
        [
            ("Accepted", receipt.accepted),
            ("Duplicate", receipt.duplicate),
            ("Still in quarantine", receipt.quarantined),
        ]
    )
