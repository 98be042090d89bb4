"""`amity segment versions | restore | impact | uses`: a segment's past, and what a change does."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

from amity.cli.asking import find_segment
from amity.cli.output import json_option, print_facts, print_json, print_list, print_table
from amity.cli.progress import Progress
from amity.cli.rule_input import read_rule, rule_option
from amity.cli.running import needs_database, needs_django

if TYPE_CHECKING:
    from amity.analysis.contracts_segments import RuleDifference


@click.command()
@click.argument("name")
@json_option
@needs_database
def versions(name: str, *, as_json: bool) -> None:
    """List every name and rule the segment NAME had, with who changed what and when."""
    from amity.analysis import api_segment_tools

    found = api_segment_tools.list_segment_versions(segment_id=find_segment(name).segment_id)
    print_list(
        found,
        ("NUMBER", "WHEN", "WHO", "HOW", "WHAT CHANGED"),
        [
            (
                each.number,
                each.changed_at,
                each.changed_by,
                f"{each.how} from {each.restored_from}" if each.restored_from else each.how,
                "; ".join(_difference(change) for change in each.changes) or each.words,
            )
            for each in found
        ],
        empty="It has no versions.",
        as_json=as_json,
    )


def _difference(change: "RuleDifference") -> str:
    place = f"{change.inside}: " if change.inside else ""
    if change.kind == "added":
        return f"{place}added {change.after}"
    if change.kind == "removed":
        return f"{place}removed {change.before}"
    return f"{place}{change.before} → {change.after}"


@click.command()
@click.argument("name")
@click.argument("number", type=click.IntRange(1))
@json_option
@needs_database
def restore(name: str, number: int, *, as_json: bool) -> None:
    """Give the segment NAME the name, description and rule of its version NUMBER again."""
    from amity.analysis import api_segment_tools

    held = find_segment(name)
    made = api_segment_tools.restore_segment_version(
        segment_id=held.segment_id, number=number, by="command line", now=datetime.now(UTC)
    )
    if as_json:
        print_json(made)
        return
    print_facts([("Segment", made.name), ("Rule", made.words), ("State", made.state)])


@click.command()
@click.argument("name")
@rule_option
@json_option
@needs_django
def impact(name: str, written: str, *, as_json: bool) -> None:
    """Say who would enter and leave the segment NAME by another rule; nothing is saved."""
    from amity.analysis import api_segment_tools
    from amity.web.segments.uses import list_uses

    found = api_segment_tools.describe_impact(
        segment_id=find_segment(name).segment_id,
        rule=read_rule(written),
        now=datetime.now(UTC),
    )
    uses = list_uses(found.segment_ids)
    if as_json:
        print_json({"impact": found, "uses": uses})
        return
    print_table(
        ("SEGMENT", "NOW", "ENTER", "LEAVE", "THEN"),
        [
            (each.name, each.members, each.entering, each.leaving, each.after)
            for each in (found.changed, *found.dependants)
        ],
        empty="",
    )
    for change in found.differences:
        click.echo(f"change: {_difference(change)}")
    for use in uses:
        click.echo(f"used by: {use.kind} {use.name} ({use.state}): {use.words}")


@click.command()
@click.argument("name")
@json_option
@needs_django
def uses(name: str, *, as_json: bool) -> None:
    """List what asks for the segment NAME: campaigns, journeys, offers, other segments."""
    from amity.web.segments.uses import list_uses

    found = list_uses([find_segment(name).segment_id])
    print_list(
        found,
        ("KIND", "NAME", "STATE", "WHAT"),
        [(use.kind, use.name, use.state, use.words) for use in found],
        empty="Nothing asks for it.",
        as_json=as_json,
    )


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME NAME…")
@json_option
@needs_database
def overlap(names: tuple[str, ...], *, as_json: bool) -> None:
    """Count who is in which combination of two to five segments now."""
    from amity.analysis import api_segment_tools

    found = api_segment_tools.compare_members(
        segment_ids=[find_segment(name).segment_id for name in names]
    )
    if as_json:
        print_json(found)
        return
    known = {each.segment_id: each.name for each in found.segments}
    click.echo(found.sentence)
    print_table(
        ("IN EXACTLY", "CUSTOMERS"),
        [
            (" + ".join(known[segment_id] for segment_id in cell.segment_ids), cell.customers)
            for cell in found.cells
        ],
        empty="",
    )


_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.command()
@click.argument("name")
@click.option("--since", type=_DAY, help="From when (UTC); 30 days before, when left out.")
@click.option("--until", type=_DAY, help="Until when (UTC); now, when left out.")
@json_option
@needs_database
def movement(name: str, since: datetime | None, until: datetime | None, *, as_json: bool) -> None:
    """Say who entered, left and stayed in the segment NAME between two moments."""
    from amity.analysis import api_segment_tools

    end = datetime.now(UTC) if until is None else until.replace(tzinfo=UTC)
    start = end - timedelta(days=30) if since is None else since.replace(tzinfo=UTC)
    found = api_segment_tools.describe_movement(
        segment_id=find_segment(name).segment_id, since=start, until=end
    )
    if as_json:
        print_json(found)
        return
    click.echo(found.sentence)
    for note in found.notes:
        click.echo(f"amity: note: {note}", err=True)
    print_table(
        ("DAY", "ENTERED", "LEFT"),
        [(each.day.isoformat(), each.entered, each.left) for each in found.days],
        empty="Nobody entered or left.",
    )


@click.command()
@click.argument("name")
@click.option("--against", metavar="NAME", help="Another segment; everybody else, when left out.")
@json_option
@needs_database
def apart(name: str, against: str | None, *, as_json: bool) -> None:
    """Find what sets the members of the segment NAME apart from others."""
    from amity.analysis import api_segment_tools

    with Progress("Comparing") as progress:
        found = api_segment_tools.refresh_differences(
            segment_id=find_segment(name).segment_id,
            against_id=None if against is None else find_segment(against).segment_id,
            now=datetime.now(UTC),
            tell=progress.tell,
        )
    if as_json:
        print_json(found)
        return
    click.echo(found.sentence)
    print_table(
        ("WHAT", "THEY", "OTHERS", "DIFFERENCE", "LOW", "HIGH", "BY ITS RULE"),
        [
            (
                each.words,
                each.inside,
                each.outside,
                each.difference,
                each.low,
                each.high,
                each.is_by_rule,
            )
            for each in found.differences
        ],
        empty="Nothing surely differs.",
    )


@click.command()
@click.option(
    "--empty-days",
    type=click.IntRange(1, 3_660),
    default=30,
    show_default=True,
    help="How long nobody must have been in it.",
)
@json_option
@needs_django
def review(empty_days: int, *, as_json: bool) -> None:
    """Find segments that are long empty, unused, or find the same customers as another."""
    from amity.analysis import api_segment_tools
    from amity.web.segments.uses import list_unused

    found = api_segment_tools.refresh_review(now=datetime.now(UTC), empty_days=empty_days)
    unused = list_unused()
    if as_json:
        print_json({"review": found, "unused": [each.segment_id for each in unused]})
        return
    rows = [(each.name, f"nobody is in it for {each.days} days") for each in found.empty]
    rows += [(each.name, "nothing asks for it") for each in unused]
    for pair in found.doubled:
        how = "the same rule as" if pair.jaccard is None else f"{pair.jaccard:.1%} the members of"
        rows.append((pair.names[1], f"{how} {pair.names[0]}"))
    print_table(("SEGMENT", "WHAT"), rows, empty="There is nothing to tidy up.")


@click.command()
@click.option("--save", "word", metavar="WORD", help="Make a segment of those with this word.")
@json_option
@needs_database
def rfm(word: str | None, *, as_json: bool) -> None:
    """Count whom RFM gives which word, or make a segment of one."""
    from amity.analysis import api_segment_tools

    now = datetime.now(UTC)
    if word is not None:
        made = api_segment_tools.save_rfm_cell(word=word, by="command line", now=now)
        if as_json:
            print_json(made)
        else:
            print_facts([("Segment", made.name), ("Rule", made.words)])
        return
    found = api_segment_tools.refresh_rfm_cells(now=now)
    print_list(
        found,
        ("WORD", "CUSTOMERS", "SHARE"),
        [(cell.word, cell.customers, f"{cell.rate:.1%}") for cell in found.cells],
        empty="",
        as_json=as_json,
    )


@click.command()
@click.option("--save", is_flag=True, help="Make a segment of each group last found.")
@click.option("--seed", type=int, help="Draw as another time, to find the same again.")
@json_option
@needs_database
def clusters(seed: int | None, *, save: bool, as_json: bool) -> None:
    """Find groups of alike customers, and how far to believe them."""
    import numpy as np

    from amity.analysis import api_segment_tools

    now = datetime.now(UTC)
    if save:
        with Progress("Grouping") as progress:
            made = api_segment_tools.save_clusters(by="command line", now=now, tell=progress.tell)
        if as_json:
            print_json(made)
        else:
            print_table(("SEGMENT", "RULE"), [(each.name, each.words) for each in made], empty="")
        return
    with Progress("Grouping") as progress:
        found = api_segment_tools.refresh_clusters(
            now=now, rng=np.random.default_rng(seed), tell=progress.tell
        )
    if as_json:
        print_json(found)
        return
    click.echo(found.sentence)
    print_table(
        ("GROUPS", "SILHOUETTE", "FOUND AGAIN", "AT WORST"),
        [
            (each.clusters, each.silhouette, each.stability, each.stability_low)
            for each in found.tried
        ],
        empty="",
    )
    print_table(
        ("GROUP", "SHARE"),
        [(each.name, f"{each.rate:.1%}") for each in found.clusters],
        empty="",
    )


@click.command()
@click.argument("name")
@click.option(
    "--save", "size", type=click.IntRange(1, 100_000), help="Make a segment of so many nearest."
)
@click.option("--seed", type=int, help="Draw as another time, to learn the same again.")
@json_option
@needs_database
def alike(name: str, size: int | None, seed: int | None, *, as_json: bool) -> None:
    """Learn who resembles the members of the segment NAME, and how far to believe it."""
    import numpy as np

    from amity.analysis import api_segment_tools

    segment_id, now = find_segment(name).segment_id, datetime.now(UTC)
    if size is not None:
        with Progress("Rating") as progress:
            made = api_segment_tools.save_lookalikes(
                segment_id=segment_id,
                size=size,
                by="command line",
                now=now,
                tell=progress.tell,
            )
        if as_json:
            print_json(made)
        else:
            print_facts([("Segment", made.name), ("About", made.description)])
        return
    rng = np.random.default_rng(seed)
    with Progress("Learning") as progress:
        found = api_segment_tools.refresh_lookalikes(
            segment_id=segment_id, now=now, rng=rng, tell=progress.tell
        )
    if as_json:
        print_json(found)
        return
    print_facts([("AUC", f"{found.auc:.3f} ({found.auc_low:.3f} to {found.auc_high:.3f})")])
    for warning in found.warnings:
        click.echo(f"amity: note: {warning}", err=True)
    print_table(
        ("WHAT", "STRENGTH"),
        [(each.words, each.strength) for each in found.traits[:20]],
        empty="",
    )


TOOLS: Final = (
    versions,
    restore,
    impact,
    uses,
    overlap,
    movement,
    apart,
    review,
    rfm,
    clusters,
    alike,
)
"""The commands, for the group."""
