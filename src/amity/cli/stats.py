"""`amity stats`: the whole installation in numbers."""

from datetime import UTC, datetime

import click

from amity.cli.output import json_option, print_facts, print_json, print_table
from amity.cli.running import needs_database


@click.command()
@json_option
@needs_database
def stats(*, as_json: bool) -> None:
    """Show what came in, who is known, what was sent, and how far each consumer is behind."""
    from amity.analysis import api_segment_lists
    from amity.broadcast import api as broadcast
    from amity.infra import warehouse
    from amity.store import api as store
    from amity.web.api.documents import stats_document

    document = stats_document(
        store.stats(),
        memberships=api_segment_lists.count_segments().memberships,
        sends=broadcast.get_send_counts(),
        warehouse=warehouse.status(now=datetime.now(UTC)),
    )
    if as_json:
        print_json(document)
        return
    events = document.events
    print_facts(
        [
            ("Events received", events.received),
            ("  stored", events.stored),
            ("  duplicate", events.duplicate),
            ("  quarantined", events.quarantined),
            ("  refused", events.refused),
            ("Profiles", document.profiles),
            ("Identifiers", document.identifiers),
            ("Merges", document.merges),
            ("Memberships", document.memberships),
            ("Messages", sum(document.sends.values())),
            *((f"  {state}", count) for state, count in sorted(document.sends.items())),
            ("Warehouse rows", document.warehouse.rows),
            ("  behind (seconds)", document.warehouse.lag_seconds),
        ]
    )
    click.echo()
    print_table(
        ("CONSUMER", "BEHIND (EVENTS)", "BEHIND (SECONDS)", "FAILURES"),
        [
            (name, lag.lag_events, lag.lag_seconds, lag.failures)
            for name, lag in document.consumers.items()
        ],
        empty="There are no consumers.",
    )
