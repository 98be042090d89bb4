"""`amity estimate`: predictions from a file, without a database or a data folder."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click

from amity.analysis.contracts import ClvEstimate
from amity.cli.output import json_option, print_facts, print_json, print_table


@click.group()
def estimate() -> None:
    """Estimate from a file, without a store."""


@estimate.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--customer", required=True, help="Column that says who bought.")
@click.option("--date", "date_column", required=True, help="Column that says when.")
@click.option("--amount", help="Column that says for how much; without it, no values.")
@click.option(
    "--unit",
    type=click.Choice(["day", "week"]),
    default="day",
    show_default=True,
    help="Unit of time of the parameters and of the horizon.",
)
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Last day looked at. [default: the last date in the file]",
)
@click.option(
    "--horizon", type=float, help="How far to predict, in units. [default: 90 days or 13 weeks]"
)
@click.option("--out", type=click.Path(path_type=Path), help="Write one row a customer here.")
@json_option
def clv(  # noqa: PLR0913  # one parameter an option
    *,
    file: Path,
    customer: str,
    date_column: str,
    amount: str | None,
    unit: Literal["day", "week"],
    until: datetime | None,
    horizon: float | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Estimate customer lifetime value from FILE, a CSV file with a line a purchase.

    Fits BG/NBD (who still buys, how often) and, with --amount, Gamma-Gamma (how much). The
    purchases of a customer on one day count as one. Rows that cannot be used are reported by
    number (the first after the header is 1) and the others are used.
    """
    from amity.analysis import api

    result = api.estimate_clv_file(
        path=file,
        customer=customer,
        date=date_column,
        amount=amount,
        unit=unit,
        until=None if until is None else until.date(),
        horizon=horizon,
        out=out,
        now=datetime.now(UTC),
    )
    if as_json:
        print_json(result)
    else:
        _print(result)


def _print(result: ClvEstimate) -> None:
    counts = result.counts
    print_facts(
        [
            ("Rows", counts.rows),
            ("  used", counts.used),
            ("  rejected", counts.rejected),
            (f"  after {result.until}", counts.after_until),
            ("Customers", counts.customers),
            ("  bought again", counts.repeaters),
            ("Purchases", counts.transactions),
            ("Log-likelihood", f"{result.log_likelihood:.3f}"),
        ]
    )
    click.echo()
    print_table(
        ("PARAMETER", "VALUE", "STANDARD ERROR"),
        [
            (name, f"{value:.4f}", _error(result.standard_errors.get(name)))
            for name, value in result.parameters.items()
        ],
        empty="",
    )
    click.echo()
    span = f"the {result.horizon:g} {result.unit}s after {result.until}"
    click.echo(f"Expected purchases of all customers in {span}: {result.expected_purchases:,.1f}")
    if result.expected_value is not None:
        click.echo(f"Expected value: {result.expected_value:,.2f}")
    for warning in result.warnings:
        click.echo(f"Note: {warning}")
    if result.rejected:
        click.echo()
        print_table(
            ("ROW", "LINE", "NOT USED BECAUSE"),
            [(row.row, row.line, row.reason) for row in result.rejected[:20]],
            empty="",
        )
        if counts.rejected > 20:
            click.echo(f"… and {counts.rejected - 20:,} more (--json lists a thousand)")


def _error(error: float | None) -> str:
    return "–" if error is None else f"{error:.4f}"
