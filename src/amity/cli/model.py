"""`amity model`: models of what customers will do, without code."""

import getpass
from datetime import UTC, datetime
from typing import Any

import click

from amity.analysis.contracts import ModelRun
from amity.cli.output import json_option, print_facts, print_json, print_list, print_table
from amity.cli.progress import Progress
from amity.cli.running import needs_database


@click.group()
def model() -> None:
    """Predict who will do a thing: name the event and the horizon, no code."""


@model.command()
@click.argument("key")
@click.option("--event", required=True, help="What is predicted, such as 'Order Completed'.")
@click.option("--within", type=int, default=30, show_default=True, help="Days ahead.")
@click.option("--name", help="What people call it. [default: the key]")
@click.option("--segment", type=int, help="Number of the segment whose members are scored.")
@click.option("--first", is_flag=True, help="Only of those who have never done it.")
@click.option("--trait", "traits", multiple=True, help="A trait it may look at. May be repeated.")
@json_option
@needs_database
def create(  # noqa: PLR0913  # one parameter an option
    *,
    key: str,
    event: str,
    within: int,
    name: str | None,
    segment: int | None,
    first: bool,
    traits: tuple[str, ...],
    as_json: bool,
) -> None:
    """Add the model KEY; its scores will be called propensity:KEY."""
    from amity.analysis import api_models

    made = api_models.create_model(
        key=key,
        name=name or key,
        event=event,
        horizon_days=within,
        segment_id=segment,
        traits=list(traits),
        is_first=first,
        by=getpass.getuser(),
        now=datetime.now(UTC),
    )
    if as_json:
        print_json(made)
    else:
        told = f"{made.score} will be learnt by the worker, or now by `amity model refresh {key}`."
        click.echo(told)


@model.command(name="list")
@json_option
@needs_database
def list_(*, as_json: bool) -> None:
    """List the models, with how well each did on what has happened since."""
    from amity.analysis import api_models

    states = api_models.list_models()
    print_list(
        states,
        ("KEY", "NAME", "EVENT", "DAYS", "LEARNT", "SCORED", "AUC, OR WHY NOT"),
        [
            (
                one.model.key,
                one.model.name,
                one.model.event,
                one.model.horizon_days,
                None if one.run is None else one.run.computed_at,
                None if one.run is None else one.run.customers,
                "not learnt yet" if one.run is None else _tell(one.run),
            )
            for one in states
        ],
        empty="There is no model yet; `amity model create` makes one.",
        as_json=as_json,
    )


@model.command()
@click.argument("key", required=False)
@json_option
@needs_database
def refresh(*, key: str | None, as_json: bool) -> None:
    """Learn all models anew, or KEY, and replace their scores."""
    from amity.analysis import api_models

    with Progress("Learning") as progress:
        runs = api_models.refresh_models(now=datetime.now(UTC), key=key, tell=progress.tell)
    if as_json:
        print_json(runs)
        return
    for run in runs:
        _print(run)
    if not runs:
        click.echo("There is no model yet; `amity model create` makes one.")


@model.command()
@click.argument("key")
@needs_database
def archive(*, key: str) -> None:
    """Take the model KEY out of use and its scores away."""
    from amity.analysis import api_models

    api_models.archive_model(key=key, now=datetime.now(UTC))
    click.echo(f"{key} is archived.")


def _print(run: ModelRun) -> None:
    report = run.report
    if "refused" in report:
        click.echo(f"{run.estimator}: refused: {report['refused']}")
        return
    quality = report["quality"]
    print_facts(
        [
            ("Score", run.estimator),
            ("Version", run.model_run_id),
            ("Customers scored", run.customers),
            ("Model", f"{report['model']}, calibration {report['calibrator']}"),
            ("AUC held out", _tell(run)),
            ("Base rate", f"{report['base_rate']:.1%}"),
            ("Looks at most", ", ".join(list(report["weight"])[:3])),
        ]
    )
    print_table(
        ("SAID", "CUSTOMERS", "SAID ON AVERAGE", "CAME", "95 % INTERVAL"),
        [_group(group) for group in quality["groups"]],
        empty="",
    )
    for warning in report["warnings"]:
        click.echo(f"Note: {warning}")


def _tell(run: ModelRun) -> str:
    if "refused" in run.report:
        return f"refused: {run.report['refused']}"
    auc = run.report["quality"]["auc"]
    return f"{auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})"


def _group(group: dict[str, Any]) -> tuple[object, ...]:
    interval = f"{group['actual_low']:.3f} to {group['actual_high']:.3f}"
    return group["label"], group["customers"], group["predicted"], group["actual"], interval
