"""`amity segment list`: a page of the segments, searched, filtered and ordered."""

import click

from amity.cli.output import json_option, print_json, print_table
from amity.cli.running import needs_database

_STATES = ("building", "live", "archived", "any")
_ORDERS = ("name", "members", "made", "changed")


@click.command(name="list")
@click.option("--search", default="", help="Text in the name, the description or the rule.")
@click.option("--state", type=click.Choice(_STATES), help="Without: those not archived.")
@click.option("--made-by", default="", help="Who made it.")
@click.option(
    "--order",
    type=click.Choice(_ORDERS),
    default="name",
    show_default=True,
    help="By name, the largest first, the latest made first, the latest changed first.",
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--cursor", help="Go on after an earlier page.")
@json_option
@needs_database
def list_(  # noqa: PLR0913  # one argument an option
    search: str,
    state: str | None,
    made_by: str,
    order: str,
    limit: int,
    cursor: str | None,
    *,
    as_json: bool,
) -> None:
    """List segments with how many are in each."""
    import msgspec

    from amity.analysis import api_segment_lists
    from amity.analysis.contracts_segments import SegmentSearch

    wanted = msgspec.convert(
        {"text": search, "state": state, "made_by": made_by, "order": order}, SegmentSearch
    )
    page = api_segment_lists.list_segment_page(search=wanted, cursor=cursor, limit=limit)
    if as_json:
        print_json(page)
        return
    is_filtered = bool(search or state or made_by or cursor)
    print_table(
        ("ID", "NAME", "STATE", "MEMBERS", "RULE"),
        [(str(s.segment_id), s.name, s.state, s.members, s.words) for s in page.items],
        empty="No segment matches."
        if is_filtered and api_segment_lists.count_segments().total
        else "There are no segments yet; make one with `amity segment create NAME --rule …`.",
    )
    if page.next_cursor:
        click.echo(f"\nmore: --cursor {page.next_cursor}")
