"""`amity webhook`: others who are told of events, and what became of it."""

from datetime import UTC, datetime
from typing import Any, cast

import click
import msgspec

from amity.cli.asking import find_named, find_segment
from amity.cli.output import json_option, print_facts, print_json, print_list
from amity.cli.running import needs_database
from amity.kernel.errors import Invalid, Unavailable
from amity.store.contracts_outbound import (
    DeliveryState,
    MadeEndpoint,
    OutboundEndpoint,
    OutboundFormat,
    OutboundPlan,
    OutboundState,
)

_FORMATS = click.Choice(OutboundFormat.__args__)  # type: ignore[attr-defined]  # a Literal
_STATES = click.Choice(DeliveryState.__args__)  # type: ignore[attr-defined]  # a Literal


@click.group()
def webhook() -> None:
    """Tell other systems of events, signed, and see what became of it."""


@webhook.command(name="list")
@json_option
@needs_database
def list_(*, as_json: bool) -> None:
    """List the webhooks and how each does."""
    from amity.store import api_outbound

    found = api_outbound.list_endpoints()
    print_list(
        found,
        ("NAME", "STATE", "URL", "EVENTS", "DELIVERED", "WAITING", "WITHHELD", "FAILED"),
        [
            (
                one.name,
                one.state,
                one.url,
                ", ".join(one.events),
                one.delivered,
                one.waiting,
                one.withheld,
                one.failed,
            )
            for one in found
        ],
        empty="Nobody is told of anything yet; begin with `amity webhook add NAME URL --event …`.",
        as_json=as_json,
    )


@webhook.command()
@click.argument("name")
@click.argument("url")
@click.option("--event", "events", multiple=True, help="Its name, or * for all; again for more.")
@click.option("--segment", "segments", multiple=True, help="Of segments only this; again for more.")
@click.option("--purpose", default="", help="Who allowed it is told of; without, nobody is.")
@click.option("--format", "format_", type=_FORMATS, default="standard_webhooks", show_default=True)
@json_option
@needs_database
def add(name: str, url: str, *, as_json: bool, **options: Any) -> None:
    """Tell URL of events from now on, as NAME; its secret is printed this once."""
    from amity.store import api_outbound

    plan = OutboundPlan(
        name=name,
        url=url,
        format=cast("OutboundFormat", options["format_"]),
        events=list(options["events"]),
        segment_ids=[find_segment(each).segment_id for each in options["segments"]],
        purpose=options["purpose"],
    )
    _print_made(api_outbound.create_endpoint(plan=plan, by="command line"), as_json=as_json)


@webhook.command()
@click.argument("name")
@click.option("--url", help="Where it is told from now on.")
@click.option("--event", "events", multiple=True, help="What it hears of instead.")
@click.option("--purpose", help="Who allowed it is told of.")
@click.option("--rename", help="Another name.")
@click.option("--state", type=click.Choice(OutboundState.__args__))  # type: ignore[attr-defined]  # a Literal
@json_option
@needs_database
def change(name: str, *, state: OutboundState | None, as_json: bool, **options: Any) -> None:
    """Change the webhook NAME; pause it (what happens waits), disable or enable it."""
    from amity.store import api_outbound

    found = _find(name)
    given = {"url": options["url"], "name": options["rename"], "purpose": options["purpose"]}
    given["events"] = list(options["events"]) or None
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes and state is None:
        raise Invalid("say what to change: see `amity webhook change --help`")
    if changes:
        held = {key: getattr(found, key) for key in OutboundPlan.__struct_fields__}
        plan = OutboundPlan(**held | changes)
        found = api_outbound.update_endpoint(endpoint_id=found.endpoint_id, plan=plan)
    if state is not None:
        found = api_outbound.set_endpoint_state(endpoint_id=found.endpoint_id, state=state)
    _print(found, as_json=as_json)


@webhook.command()
@click.argument("name")
@json_option
@needs_database
def rotate(name: str, *, as_json: bool) -> None:
    """Give the webhook NAME a new secret, printed this once; for a day the old one signs too."""
    from amity.store import api_outbound

    made = api_outbound.rotate_endpoint_secret(endpoint_id=_find(name).endpoint_id)
    _print_made(made, as_json=as_json)


@webhook.command()
@click.argument("name")
@json_option
@needs_database
def test(name: str, *, as_json: bool) -> None:
    """Send the webhook NAME a made-up event, and say what came of it."""
    from amity.store import api_outbound

    tried = api_outbound.try_endpoint(endpoint_id=_find(name).endpoint_id, now=datetime.now(UTC))
    if as_json:
        print_json(tried)
    elif tried.is_delivered:
        click.echo(f"It was taken: the answer was {tried.status}.")
    if not tried.is_delivered:
        raise Unavailable(f"the test event was not taken: {tried.error}", code="not_taken")


@webhook.command()
@click.argument("name")
@click.option("--state", type=_STATES, help="Only those.")
@click.option("--event", default="", help="Only of this event.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@json_option
@needs_database
def deliveries(name: str, *, state: DeliveryState | None, as_json: bool, **options: Any) -> None:
    """List what the webhook NAME was told or is to be told, the latest first."""
    from amity.store import api_outbound

    page = api_outbound.list_deliveries(
        endpoint_id=_find(name).endpoint_id,
        state=state,
        name=options["event"],
        limit=options["limit"],
    )
    print_list(
        [msgspec.structs.replace(each, last_reply="") for each in page.items],
        ("ID", "EVENT", "STATE", "ATTEMPTS", "STATUS", "NEXT", "ERROR"),
        [
            (
                one.delivery_id,
                one.name,
                one.state,
                one.attempts,
                one.last_status or "",
                one.next_at if one.state == "waiting" else "",
                one.last_error,
            )
            for one in page.items
        ],
        empty="It was told nothing yet.",
        as_json=as_json,
    )


@webhook.command()
@click.argument("name")
@click.option("--id", "ids", type=int, multiple=True, help="Only this one; again for more.")
@json_option
@needs_database
def replay(name: str, *, ids: tuple[int, ...], as_json: bool) -> None:
    """Try again what the webhook NAME did not take, under the ids it had."""
    from amity.store import api_outbound

    count = api_outbound.replay_deliveries(
        endpoint_id=_find(name).endpoint_id, delivery_ids=list(ids) or None
    )
    if as_json:
        print_json({"deliveries": count})
    else:
        click.echo(f"{count:,} tried again.")


@webhook.command()
@click.argument("name")
@needs_database
def delete(name: str) -> None:
    """Delete the webhook NAME with the record of what it was told."""
    from amity.store import api_outbound

    api_outbound.delete_endpoint(endpoint_id=_find(name).endpoint_id)
    click.echo(f"{name} is told nothing more.")


def _find(name: str) -> OutboundEndpoint:
    from amity.store import api_outbound

    return find_named({one.name: one for one in api_outbound.list_endpoints()}, name, "webhook")


def _print_made(made: MadeEndpoint, *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    _print(made.endpoint, as_json=False)
    print_facts([("Secret", made.secret)])


def _print(one: OutboundEndpoint, *, as_json: bool) -> None:
    if as_json:
        print_json(one)
        return
    print_facts(
        [
            ("Name", one.name),
            ("URL", one.url),
            ("Events", ", ".join(one.events)),
            ("About", f"customers who allow {one.purpose}" if one.purpose else "nobody"),
            ("Format", one.format),
            ("State", one.state),
        ]
    )
