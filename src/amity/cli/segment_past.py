"""`amity segment why`: whether somebody was in a segment at a moment, and by what."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from amity.cli.asking import find_segment
from amity.cli.output import json_option, print_facts, print_json
from amity.cli.running import needs_database

if TYPE_CHECKING:
    from amity.rules import Explanation

MOMENT: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.command()
@click.argument("name")
@click.argument("profile_id", type=int)
@click.option("--at", type=MOMENT, help="When (UTC); now, when left out.")
@json_option
@needs_database
def why(name: str, profile_id: int, *, at: datetime | None, as_json: bool) -> None:
    """Say whether a customer was in the segment NAME, and why, by what was known then."""
    from amity.analysis import api

    moment = datetime.now(UTC) if at is None else at.replace(tzinfo=UTC)
    segment_id = find_segment(name).segment_id
    found = api.explain_at(segment_id=segment_id, profile_id=profile_id, at=moment)
    if as_json:
        print_json(found)
        return
    print_facts(
        [
            ("At", found.at),
            ("In it", "no" if found.entered_at is None else "yes"),
            ("Entered", found.entered_at or "-"),
            ("Left", found.left_at or "-"),
            ("Rule", f"version {found.rule_version}"),
            *(("Note", note) for note in found.notes),
        ]
    )
    _print_parts(found.why, 0)


def _print_parts(part: "Explanation", depth: int) -> None:
    click.echo(f"{'  ' * depth}{'yes' if part.holds else 'no '}  {part.words}")
    for inner in part.parts:
        _print_parts(inner, depth + 1)
