"""`amity profile`: one customer, whole; erased; or taken apart again."""

from datetime import UTC, datetime

import click

from amity.cli.output import clean, json_option, print_facts, print_json, print_table
from amity.cli.profile_whole import WholeProfile, find_profile, load_past, load_whole, read_moment
from amity.cli.running import needs_database
from amity.kernel.money import format_minor


@click.group()
def profile() -> None:
    """Look at, erase or unmerge a customer."""


@profile.command()
@click.argument("who", metavar="KIND:VALUE")
@click.option("--limit", default=20, show_default=True, help="How many of the latest events.")
@click.option("--as-of", metavar="MOMENT", help="As known then: 2026-01-31 or an ISO 8601 time.")
@json_option
@needs_database
def show(who: str, limit: int, as_of: str | None, *, as_json: bool) -> None:
    """Show all that is known about the customer with an identifier.

    KIND:VALUE is user_id:…, anonymous_id:…, email:…, phone:…, or id: with a profile's number.
    With --as-of it is what had been received by then; a day is looked at from its end, in UTC.
    """
    found = find_profile(who)
    if as_of is None:
        whole = load_whole(found, limit=limit)
    else:
        whole = load_past(found, read_moment(as_of), limit=limit)
    if as_json:
        print_json(whole)
    else:
        _print_whole(whole)


@profile.command()
@click.argument("who", metavar="KIND:VALUE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@needs_database
def erase(who: str, *, yes: bool, as_json: bool) -> None:
    """Erase a customer: profile, identifiers and events, from the log as well. For good."""
    from amity.web.erasing import erase_customer

    found = find_profile(who)
    if not yes:
        click.confirm(
            f"Erase profile {found.profile_id} and its {found.event_count:,} events for good?",
            abort=True,
            err=True,
        )
    counts = erase_customer(profile_id=found.profile_id, by="command line", now=datetime.now(UTC))
    if as_json:
        print_json({"profile_id": found.profile_id, "erased": counts})
        return
    click.echo(f"Profile {found.profile_id} is erased.")
    print_facts(counts.items(), indent=2)


@profile.command()
@click.argument("merge_id", type=int)
@json_option
@needs_database
def unmerge(merge_id: int, *, as_json: bool) -> None:
    """Take the merge MERGE_ID back; `amity profile show` lists a customer's merges."""
    from amity.store import api

    api.unmerge(merge_id=merge_id, by="command line", now=datetime.now(UTC))
    if as_json:
        print_json({"merge_id": merge_id})
    else:
        click.echo(f"Merge {merge_id} is being undone; the profiles come apart within a second.")


def _print_whole(whole: WholeProfile) -> None:
    one = whole.profile
    print_facts(
        [
            ("Profile", str(one.profile_id)),
            ("Name", one.name),
            ("Email", one.email),
            ("Phone", one.phone),
            ("First seen", one.first_seen_at),
            ("Last seen", one.last_seen_at),
            ("Events", one.event_count),
            ("Orders", one.order_count),
            ("Revenue", format_minor(one.revenue_minor, one.currency)),
        ]
    )
    _heading("Identifiers")
    print_table(
        ("KIND", "VALUE", "SINCE", "EVENT"),
        [(i.kind, i.value, i.first_seen_at, str(i.event_id)) for i in whole.identifiers],
        empty="none",
    )
    _heading("Traits")
    print_facts(sorted((clean(name), value) for name, value in one.traits.items()))
    _print_relations(whole)
    _heading("Latest events")
    print_table(
        ("OCCURRED", "NAME", "PROPERTIES"),
        [(a.occurred_at, a.name, a.properties) for a in whole.timeline],
        empty="none",
    )


def _print_relations(whole: WholeProfile) -> None:
    _heading("Segments")
    print_table(
        ("SEGMENT", "ENTERED", "LEFT"),
        [(m.segment_name, m.entered_at, m.left_at) for m in whole.segments],
        empty="none",
    )
    _heading("Scores")
    print_table(
        ("SCORE", "VALUE", "LABEL", "LOW", "HIGH"),
        [(s.name, s.value, s.label, s.low, s.high) for s in whole.scores],
        empty="none",
    )
    _heading("Consents")
    print_table(
        ("PURPOSE", "STATUS", "SINCE"),
        [(name, c.status, c.at) for name, c in sorted(whole.profile.consents.items())],
        empty="none",
    )
    _heading("Merges")
    print_table(
        ("MERGE", "KEPT", "JOINED", "BY", "AT", "STATE"),
        [
            (
                str(m.merge_id),
                str(m.winner_id),
                str(m.loser_id),
                f"{m.kind}:{m.value}",
                m.occurred_at,
                f"refused: {m.refusal}" if m.refusal else "undone" if m.undone_by else "joined",
            )
            for m in whole.merges
        ],
        empty="none",
    )


def _heading(text: str) -> None:
    click.echo(f"\n{text}")
