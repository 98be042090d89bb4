"""`amity decide` and `amity replay-decisions`: a decision on the command line, and made again."""

from datetime import UTC, datetime

import click

from amity.cli.json_input import read_object
from amity.cli.output import json_option, print_facts, print_json, print_table
from amity.cli.running import needs_database
from amity.kernel.clock import parse_instant
from amity.personalization.contracts import DecideRequest, Decision

_KINDS = ("user_id", "anonymous_id", "email", "phone")


@click.command()
@click.argument("placement")
@click.option(
    "--for", "who", metavar="KIND:VALUE", help="Who, such as user_id:ada; else a stranger."
)
@click.option(
    "--context", "context_text", default="{}", metavar="FILE|-|JSON", help="What is known now."
)
@click.option("--seed", type=int, help="Draw as another decision did.")
@click.option("--log", "is_logged", is_flag=True, help="Keep it like any other decision.")
@json_option
@needs_database
def decide(  # one argument an option of the command
    placement: str,
    who: str | None,
    context_text: str,
    seed: int | None,
    *,
    is_logged: bool,
    as_json: bool,
) -> None:
    """Decide what to show somebody in PLACEMENT, as the edge does, and say why.

    Without --log nothing is kept.
    """
    from amity.personalization import api

    request = DecideRequest(
        placement=placement,
        identifiers=_read_identifier(who),
        context=read_object(context_text, "context"),
        channel="cli",
    )
    made = api.decide(request=request, now=datetime.now(UTC), seed=seed, is_logged=is_logged)
    if as_json:
        print_json(made)
        return
    _print(made)


def _read_identifier(who: str | None) -> dict[str, str]:
    if who is None:
        return {}
    kind, _, value = who.partition(":")
    if kind not in _KINDS or not value:
        raise click.UsageError(f"--for takes KIND:VALUE with a kind of {', '.join(_KINDS)}")
    return {kind: value}


def _print(made: Decision) -> None:
    print_table(
        ("RANK", "ITEM", "PROBABILITY", "SCORE", "WHY"),
        [(one.rank, one.item, one.propensity, one.score, one.reason) for one in made.items],
        empty="Nothing is shown: no candidate passed.",
    )
    if made.verdicts:
        click.echo()
        print_table(
            ("CANDIDATE", "VERDICT", "WHY"),
            [
                (one.item, "passed" if one.passed else one.stage, one.reason)
                for one in made.verdicts
            ],
            empty="",
        )
    click.echo()
    print_facts(
        [
            ("Chosen by", made.policy),
            ("Stand-in", made.fallback or "none"),
            ("Snapshot", made.snapshot_id),
            ("Seed", str(made.seed)),
            ("Decision", str(made.decision_id)),
        ]
    )


@click.command("replay-decisions")
@click.option("--since", metavar="INSTANT", help="Only those made since then (ISO 8601, UTC).")
@click.option("--placement", help="Only those of one placement.")
@click.option("--limit", type=click.IntRange(min=1), default=10_000, show_default=True)
@json_option
@needs_database
def replay_decisions(
    since: str | None, placement: str | None, limit: int, *, as_json: bool
) -> int | None:
    """Make logged decisions again from what was known then, and compare.

    Exits with 1 when one comes out differently.
    """
    from amity.personalization import api

    moment = None if since is None else parse_instant(since)
    if since is not None and moment is None:
        raise click.UsageError("--since takes an instant such as 2026-05-01T08:00:00Z")
    done = api.replay_decisions(since=moment, limit=limit, placement=placement)
    if as_json:
        print_json(done)
    else:
        print_facts(
            [
                ("Made again", done.replayed),
                ("The same", done.same),
                ("Different", len(done.different)),
                ("Snapshot or model gone", done.missing),
            ]
        )
        for decision_id in done.different:
            click.echo(f"  {decision_id}")
    return 1 if done.different else None
