"""`amity journey`: standing campaigns, step by step, with who is where."""

from datetime import UTC, datetime

import click

from amity.broadcast.contracts import Journey, JourneyReport, JourneyState
from amity.cli.json_input import read_object
from amity.cli.output import json_option, print_facts, print_json, print_list, print_table
from amity.cli.running import needs_database
from amity.kernel.errors import NotFound


@click.group()
def journey() -> None:
    """Manage journeys: standing campaigns that each person goes through by themselves."""


@journey.command(name="list")
@click.option("--archived", is_flag=True, help="Those that are archived instead.")
@json_option
@needs_database
def list_(*, archived: bool, as_json: bool) -> None:
    """List all journeys and how many are under way in each."""
    from amity.broadcast import api_journeys

    reports = [
        api_journeys.report_journey(journey_id=each.journey_id)
        for each in api_journeys.list_journeys(is_archived=archived)
    ]
    print_list(
        reports,
        ("ID", "NAME", "STATE", "VERSION", "ENTERED", "UNDER WAY", "FINISHED"),
        [
            (
                str(each.journey.journey_id),
                each.journey.name,
                each.journey.state,
                each.journey.version,
                each.entered,
                each.active,
                each.finished,
            )
            for each in reports
        ],
        empty="There are no journeys yet; make one with `amity journey create NAME …`.",
        as_json=as_json,
    )


@journey.command()
@click.argument("name")
@json_option
@needs_database
def show(name: str, *, as_json: bool) -> None:
    """Show the journey NAME (or its id): its steps, and how many are at each."""
    from amity.broadcast import api_journeys

    report = api_journeys.report_journey(journey_id=_find(name).journey_id)
    if as_json:
        print_json(report)
        return
    _print_report(report)


@journey.command()
@click.argument("name")
@click.option(
    "--definition", "definition_text", metavar="FILE|-|JSON", help="The drawing, as JSON."
)
@click.option(
    "--abandoned-cart",
    "template_id",
    type=click.IntRange(min=1),
    metavar="TEMPLATE_ID",
    help="The ready-made drawing: a reminder with this template an hour after a cart was left.",
)
@click.option("--description", default="", help="What it is for.")
@click.option("--live", is_flag=True, help="Put it live at once.")
@json_option
@needs_database
def create(
    name: str,
    definition_text: str | None,
    template_id: int | None,
    description: str,
    *,
    live: bool,
    as_json: bool,
) -> None:
    """Make a journey called NAME; it is a draft until it is put live."""
    from amity.broadcast import api_journeys

    if (definition_text is None) == (template_id is None):
        raise click.UsageError("give either --definition or --abandoned-cart")
    definition = (
        api_journeys.abandoned_cart(template_id=template_id)
        if template_id is not None
        else read_object(definition_text or "", "definition")
    )
    now = datetime.now(UTC)
    made = api_journeys.create_journey(
        name=name, description=description, definition=definition, by="command line", now=now
    )
    if live:
        made = api_journeys.set_journey_state(
            journey_id=made.journey_id, state="live", by="command line", now=now
        )
    _print_journey(made, as_json=as_json)


@journey.command()
@click.argument("name")
@click.argument("state", type=click.Choice(["live", "paused", "archived"]))
@json_option
@needs_database
def state(name: str, state: JourneyState, *, as_json: bool) -> None:
    """Put the journey NAME (or its id) live, pause it, or archive it for good.

    Paused: nobody begins and timers wait. Archived: everybody's way ends.
    """
    from amity.broadcast import api_journeys

    changed = api_journeys.set_journey_state(
        journey_id=_find(name).journey_id, state=state, by="command line", now=datetime.now(UTC)
    )
    _print_journey(changed, as_json=as_json)


def _print_journey(found: Journey, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_facts(
        [
            ("Journey", found.name),
            ("Id", str(found.journey_id)),
            ("State", found.state),
            ("Version", found.version),
            ("In words", found.words),
            *(("Problem", problem) for problem in found.problems),
        ]
    )


def _print_report(report: JourneyReport) -> None:
    _print_journey(report.journey, as_json=False)
    print_facts(
        [
            ("Entered", report.entered),
            ("Under way", report.active),
            *((f"Ended: {ending}", count) for ending, count in sorted(report.endings.items())),
            ("Messages", report.counts.targeted),
            ("Sent", report.counts.sent),
        ]
    )
    click.echo()
    print_table(
        ("STEP", "KIND", "HERE", "CAME", "LEFT BY"),
        [
            (
                node.node,
                node.kind,
                node.here,
                node.came,
                ", ".join(f"{edge} {count:,}" for edge, count in node.left.items()),
            )
            for node in report.nodes
        ],
        empty="It has no steps yet.",
    )


def _find(name: str) -> Journey:
    from amity.broadcast import api_journeys

    found = api_journeys.find_journey(name=name)
    if found is not None:
        return found
    if name.isascii() and name.isdigit():
        return api_journeys.get_journey(journey_id=int(name))
    raise NotFound(f"there is no journey named {name!r}; see `amity journey list`")
