"""`amity segment`: rules with a name, and who is in them."""

from datetime import UTC, datetime
from typing import Any

import click

from amity.cli.asking import find_segment
from amity.cli.export import make_plan, plan_options, run_now
from amity.cli.output import json_option, print_facts, print_json, print_table
from amity.cli.rule_input import read_rule, rule_option
from amity.cli.running import needs_database
from amity.cli.segment_list import list_
from amity.cli.segment_past import MOMENT, why
from amity.cli.segment_tools import TOOLS
from amity.kernel.pagination import Page

_EXAMPLES = 8


@click.group()
def segment() -> None:
    """Manage segments and their members."""


for _tool in TOOLS:
    segment.add_command(_tool)
segment.add_command(why)
segment.add_command(list_)


@segment.command()
@click.argument("name")
@rule_option
@click.option("--description", default="", help="What it is for.")
@json_option
@needs_database
def create(name: str, written: str, description: str, *, as_json: bool) -> None:
    """Make a segment called NAME; it fills from history and then follows every event."""
    from amity.analysis import api

    rule = read_rule(written)
    now = datetime.now(UTC)
    made = api.create_segment(
        name=name, rule=rule, description=description, by="command line", now=now
    )
    for warning in api.preview(rule=rule, now=now).warnings:
        click.echo(f"amity: note: {warning}", err=True)
    if as_json:
        print_json(made)
        return
    print_facts(
        [
            ("Segment", made.name),
            ("Rule", made.words),
            ("State", made.state),
            ("Members", made.members),
        ]
    )


@segment.command()
@click.argument("name")
@json_option
@needs_database
def count(name: str, *, as_json: bool) -> None:
    """Say how many are in the segment NAME now."""
    found = find_segment(name)
    if as_json:
        print_json({"segment_id": found.segment_id, "name": found.name, "members": found.members})
    else:
        click.echo(f"{found.members:,}")


@segment.command()
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--cursor", help="Go on after an earlier page.")
@click.option("--purpose", default="records", show_default=True, help="What it is for.")
@click.option("--at", type=MOMENT, help="Who was in it then (UTC), not now.")
@json_option
@needs_database
def members(  # one argument an option
    name: str,
    limit: int,
    cursor: str | None,
    purpose: str,
    *,
    at: datetime | None,
    as_json: bool,
) -> None:
    """List who is in the segment NAME now, or was at a moment.

    Who does not allow the purpose now is left out, so a page can be shorter than the limit.
    """
    from amity.analysis import api as analysis
    from amity.store import api as store

    segment_id = find_segment(name).segment_id
    if at is None:
        page = analysis.list_members(segment_id=segment_id, cursor=cursor, limit=limit)
    else:
        moment = at.replace(tzinfo=UTC)
        page = analysis.list_members_at(
            segment_id=segment_id, at=moment, cursor=cursor, limit=limit
        )
    store.get_purpose(key=purpose)
    ids = [member.profile_id for member in page.items]
    reasons = store.may_use(profile_ids=ids, purpose=purpose, now=datetime.now(UTC))
    allowed = [member for member in page.items if not reasons[member.profile_id]]
    page = Page(allowed, page.next_cursor)
    if as_json:
        print_json(page)
        return
    ids = [member.profile_id for member in page.items]
    rows = store.list_profiles(profile_ids=ids, limit=limit).items if ids else []
    known = {row.profile_id: row for row in rows}
    print_table(
        ("PROFILE", "NAME", "EMAIL", "ENTERED"),
        [
            (
                str(member.profile_id),
                known[member.profile_id].name if member.profile_id in known else None,
                known[member.profile_id].email if member.profile_id in known else None,
                member.entered_at,
            )
            for member in page.items
        ],
        empty="Nobody is in it now." if at is None else "Nobody was in it then.",
    )
    if page.next_cursor:
        click.echo(f"\nmore: --cursor {page.next_cursor}")


@segment.command()
@rule_option
@click.option(
    "--from",
    "place",
    type=click.Choice(["database", "warehouse"]),
    default="database",
    show_default=True,
    help="Where to look: the warehouse may be behind, and says how far.",
)
@json_option
@needs_database
def preview(written: str, place: str, *, as_json: bool) -> None:
    """Say in words and numbers what a rule would find now; nothing is saved."""
    from amity.analysis import api

    if place == "warehouse":
        _preview_batch(read_rule(written), as_json=as_json)
        return
    found = api.preview(rule=read_rule(written), now=datetime.now(UTC))
    if as_json:
        print_json(found)
        return
    print_facts(
        [
            ("Rule", found.words),
            ("Members", f"{found.members:,} of {found.of_profiles:,}"),
            ("Examples", ", ".join(map(str, found.examples))),
            *(("Warning", warning) for warning in found.warnings),
        ]
    )


def _preview_batch(rule: dict[str, Any], *, as_json: bool) -> None:
    from amity.analysis import api

    found = api.find_batch(rule=rule, now=datetime.now(UTC))
    examples = found.profile_ids[-_EXAMPLES:]
    facts = {
        "words": found.words,
        "members": len(found.profile_ids),
        "of_profiles": found.of_profiles,
        "examples": examples,
        "complete_at": found.complete_at,
    }
    if as_json:
        print_json(facts)
        return
    print_facts(
        [
            ("Rule", found.words),
            ("Members", f"{len(found.profile_ids):,} of {found.of_profiles:,}"),
            ("Examples", ", ".join(map(str, examples))),
            ("Warehouse complete at", found.complete_at or "not known"),
        ]
    )


@segment.command()
@click.argument("name")
@plan_options
@json_option
@needs_database
def export(name: str, *, as_json: bool, **options: Any) -> None:
    """Export who is in the segment NAME now, to a file or to a table of a database.

    Who does not allow the purpose is left out. Files lie in the folder of exports for seven days.
    """
    from amity.store import api_outbound

    found, now = find_segment(name), datetime.now(UTC)
    plan = make_plan(f"{found.name[:60]} at {now:%Y-%m-%d %H:%M:%S.%f}", found.segment_id, options)
    made = api_outbound.create_export(plan=plan, by="command line")
    run_now(made, as_json=as_json)
