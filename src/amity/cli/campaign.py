"""`amity campaign`: make, launch, stop and measure campaigns."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from amity.broadcast.contracts import Campaign, CampaignPlan, CampaignReport
from amity.cli.asking import find_segment
from amity.cli.output import json_option, print_facts, print_json, print_table
from amity.cli.running import needs_database
from amity.kernel.clock import parse_instant
from amity.kernel.errors import Invalid, NotFound
from amity.kernel.estimate import Estimate
from amity.kernel.money import format_minor

_BY = "command line"
_COUNTS = ("targeted", "sent", "suppressed", "failed", "unknown", "pending", "cancelled")


@click.group()
def campaign() -> None:
    """Make, launch, stop and measure campaigns."""


@campaign.command()
@click.argument("name")
@click.option("--segment", required=True, help="The name of the segment it is for.")
@click.option("--template", required=True, help="The name of the template it sends.")
@click.option("--description", default="", help="What it is for.")
@click.option(
    "--purpose", default="marketing.email", show_default=True, help="What consent is needed for."
)
@click.option("--placement", default="", help="Placement decided for each customer.")
@click.option(
    "--holdout",
    type=click.FloatRange(0, 0.5),
    default=0.1,
    show_default=True,
    help="Share held out, to measure against.",
)
@click.option("--goal", default="Order Completed", show_default=True, help="The event it is for.")
@click.option("--metric", default="", help="The metric of the catalogue it is to move.")
@click.option("--guardrail", multiple=True, help="A metric it is not to harm; may be repeated.")
@click.option(
    "--window-days", type=float, default=7, show_default=True, help="How long doings count."
)
@click.option(
    "--expires-hours",
    type=float,
    default=24,
    show_default=True,
    help="Nothing is sent later than this after it began.",
)
@json_option
@needs_database
def create(name: str, segment: str, template: str, *, as_json: bool, **options: Any) -> None:
    """Make a campaign called NAME, as a draft; nothing is sent before it is launched."""
    from amity.broadcast import api_campaigns

    plan = CampaignPlan(
        name=name,
        segment_id=find_segment(segment).segment_id,
        template_id=_find_template(template),
        description=options["description"],
        purpose=options["purpose"],
        placement_key=options["placement"],
        holdout_rate=options["holdout"],
        goal_event=options["goal"],
        goal_metric=options["metric"],
        guardrail_metrics=list(options["guardrail"]),
        window_days=options["window_days"],
        expires_hours=options["expires_hours"],
    )
    made = api_campaigns.create_campaign(plan=plan, by=_BY, now=datetime.now(UTC))
    _print(made, as_json=as_json)


@campaign.command(name="list")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--cursor", help="Go on after an earlier page.")
@json_option
@needs_database
def list_(limit: int, cursor: str | None, *, as_json: bool) -> None:
    """List campaigns, the latest made first."""
    from amity.broadcast import api_campaigns

    page = api_campaigns.list_campaigns(cursor=cursor, limit=limit)
    if as_json:
        print_json(page)
        return
    counts = api_campaigns.list_campaign_counts(
        campaign_ids=[each.campaign_id for each in page.items]
    )
    print_table(
        ("ID", "NAME", "STATE", "SEGMENT", "TARGETED", "SENT", "BEGAN"),
        [
            (
                str(each.campaign_id),
                each.name,
                each.state,
                each.segment_name,
                counts[each.campaign_id].targeted,
                counts[each.campaign_id].sent,
                each.began_at,
            )
            for each in page.items
        ],
        empty="There are no campaigns yet; make one with `amity campaign create NAME …`.",
    )
    if page.next_cursor:
        click.echo(f"\nmore: --cursor {page.next_cursor}")


@campaign.command()
@click.argument("name")
@json_option
@needs_database
def show(name: str, *, as_json: bool) -> None:
    """Show the campaign NAME."""
    _print(_find(name), as_json=as_json)


@campaign.command()
@click.argument("name")
@click.option("--at", metavar="TIME", help="When it begins (ISO 8601); at once without.")
@json_option
@needs_database
def launch(name: str, at: str | None, *, as_json: bool) -> None:
    """Have the campaign NAME begin, now or later."""
    from amity.broadcast import api_campaigns

    begins_at = None if at is None else parse_instant(at)
    if at is not None and begins_at is None:
        raise Invalid(f"{at!r} is no time, such as 2026-11-27T09:00:00Z", code="bad_time")
    launched = api_campaigns.launch_campaign(
        campaign_id=_find(name).campaign_id, at=begins_at, by=_BY, now=datetime.now(UTC)
    )
    _print(launched, as_json=as_json)


@campaign.command()
@click.argument("name")
@json_option
@needs_database
def pause(name: str, *, as_json: bool) -> None:
    """Let nothing more of the campaign NAME leave until it is resumed."""
    from amity.broadcast import api_campaigns

    _move(api_campaigns.pause_campaign, name, as_json=as_json)


@campaign.command()
@click.argument("name")
@json_option
@needs_database
def resume(name: str, *, as_json: bool) -> None:
    """Go on with the paused campaign NAME."""
    from amity.broadcast import api_campaigns

    _move(api_campaigns.resume_campaign, name, as_json=as_json)


@campaign.command()
@click.argument("name")
@json_option
@needs_database
def stop(name: str, *, as_json: bool) -> None:
    """End the campaign NAME for good; what has not left is cancelled."""
    from amity.broadcast import api_campaigns

    _move(api_campaigns.stop_campaign, name, as_json=as_json)


@campaign.command()
@click.argument("name")
@json_option
@needs_database
def report(name: str, *, as_json: bool) -> None:
    """Say what left of the campaign NAME, what came of it, and what it caused."""
    from amity.broadcast import api_campaigns

    found = api_campaigns.report_campaign(
        campaign_id=_find(name).campaign_id, now=datetime.now(UTC)
    )
    if as_json:
        print_json(found)
    else:
        _print_report(found)


def _move(move: Callable[..., Campaign], name: str, *, as_json: bool) -> None:
    moved = move(campaign_id=_find(name).campaign_id, by=_BY, now=datetime.now(UTC))
    _print(moved, as_json=as_json)


def _find(name: str) -> Campaign:
    from amity.broadcast import api_campaigns

    found = api_campaigns.find_campaign(name=name)
    if found is None:
        raise NotFound(f"there is no campaign named {name!r}; see `amity campaign list`")
    return found


def _find_template(name: str) -> int:
    from amity.broadcast import api

    wanted = name.strip().lower()
    for template in api.list_templates():
        if template.name.lower() == wanted:
            return template.template_id
    raise NotFound(f"there is no template named {name!r}")


def _print(found: Campaign, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_facts(
        [
            ("Campaign", found.name),
            ("State", found.state + (f": {found.note}" if found.note else "")),
            ("Segment", found.segment_name),
            ("Template", found.template_name),
            ("Held out", f"{found.holdout_rate:.0%}"),
            ("Goal", f"{found.goal_event} within {found.window_days:g} days"),
            *((("Metric to move", found.goal_metric),) if found.goal_metric else ()),
            *(("Not to harm", name) for name in found.guardrail_metrics),
            ("Begins", found.began_at or found.scheduled_at),
            ("Finished", found.finished_at),
        ]
    )


def _print_report(found: CampaignReport) -> None:
    print_facts(
        [
            ("Campaign", found.campaign.name),
            ("State", found.campaign.state),
            *((name.capitalize(), getattr(found.counts, name)) for name in _COUNTS),
            ("Held out", found.held_out),
            ("Excluded", found.excluded),
            ("Opened", found.opened),
            ("Clicked", found.clicked),
            ("Unsubscribed", found.unsubscribed),
            ("Complained", found.complained),
            ("Converted", found.converted),
        ]
    )
    click.echo()
    print_table(
        ("STATE", "COUNT", "WHY"),
        [(each.state, each.count, each.words) for each in found.reasons],
        empty="Nobody was left out.",
    )
    click.echo()
    print_table(
        ("GROUP", "CUSTOMERS", "CONVERTED", "REVENUE", f"{found.currency} EACH", "RATE"),
        [
            (
                arm.arm,
                arm.customers,
                arm.converted,
                format_minor(arm.revenue_minor, found.currency),
                _interval(arm.revenue_per_customer, ".2f"),
                _interval(arm.conversion_rate, ".2%"),
            )
            for arm in found.arms
        ],
        empty="",
    )
    if found.metrics:
        click.echo()
        print_table(
            ("METRIC", "VERSION", "TREATMENT", "HOLDOUT", "DIFFERENCE", "VERDICT"),
            [
                (
                    each.name,
                    each.version,
                    _interval(each.treatment, ".3f"),
                    _interval(each.holdout, ".3f"),
                    _interval(each.difference, ".3f"),
                    each.verdict,
                )
                for each in found.metrics
            ],
            empty="",
        )
    click.echo(f"\n{found.verdict}")


def _interval(value: Estimate | None, form: str) -> str | None:
    if value is None:
        return None
    return f"{value.value:{form}} ({value.low:{form}} to {value.high:{form}})"
