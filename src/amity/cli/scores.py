"""`amity scores`: predictions about customers, computed now."""

from datetime import UTC, datetime

import click

from amity.cli.output import json_option, print_list
from amity.cli.progress import Progress
from amity.cli.running import needs_database


@click.group()
def scores() -> None:
    """Compute customers' scores again."""


@scores.command()
@json_option
@needs_database
def refresh(*, as_json: bool) -> None:
    """Fit every estimator to the orders of now, and to what the warehouse holds; score everyone."""
    from amity.analysis import api, api_models
    from amity.kernel.errors import Unavailable

    now = datetime.now(UTC)
    with Progress("Scoring") as progress:
        runs = api.refresh_scores(now=now, tell=progress.tell)
    try:
        with Progress("Scoring") as progress:
            runs += api_models.refresh_store_estimates(now=now, tell=progress.tell)
    except Unavailable as error:
        click.echo(f"Scores of messages, prices, surveys and referrals: {error.message}.", err=True)
    print_list(
        runs,
        ("ESTIMATOR", "CUSTOMERS", "PARAMETERS, OR WHY NOT"),
        [
            (run.estimator, run.customers, run.report.get("refused") or run.parameters)
            for run in runs
        ],
        empty="No estimator could be fitted.",
        as_json=as_json,
    )
