"""`amity estimate NAME FILE`: predictions from a file, without a database or a data folder.

The commands are made from what the analysis engine says can be estimated: its names, options and
model cards. Exit code 3 means that the data cannot carry what was asked.
"""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import click

from amity.analysis.contracts_estimates import (
    FileEstimate,
    FileEstimateWords,
    Option,
    OptionValue,
)
from amity.cli.output import json_option, print_facts, print_json, print_table, show
from amity.kernel.errors import AmityError

REFUSED: Final = "data_cannot_carry"
_LISTED: Final = 20


class EstimateGroup(click.Group):
    """A group with a command for each estimate there is."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [words.name for words in _list()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return next((_make(words) for words in _list() if words.name == cmd_name), None)


@click.group(cls=EstimateGroup)
def estimate() -> None:
    """Estimate from a file, without a store.

    Each prints parameters, fit, calibration and warnings; --out writes a row a customer. Rows
    that cannot be used are reported by number (the first after the header is 1) and the others
    are used. Exit code 3: the data cannot carry what was asked, and the reason is printed.
    """


def _list() -> list[FileEstimateWords]:
    from amity.analysis import api

    return api.list_file_estimates()


def _make(words: FileEstimateWords) -> click.Command:
    """Return the command of one estimate."""
    columns = {option.name for option in words.options}

    def run(*, file: Path, out: Path | None, as_json: bool, **given: Any) -> None:
        options = {name: _plain(value) for name, value in given.items() if name in columns}
        _run(words.name, file, options, out=out, as_json=as_json)

    command = click.command(words.name, help=_help(words), short_help=words.summary)(
        json_option(run)
    )
    assert isinstance(command, click.Command)
    out = click.Option(["--out"], type=click.Path(path_type=Path), help="Write the rows here.")
    file = click.Argument(["file"], type=click.Path(path_type=Path))
    command.params = [file, *(_option(one) for one in words.options), out, *command.params]
    return command


def _help(words: FileEstimateWords) -> str:
    card = words.card
    parts = [
        words.summary,
        card.purpose,
        f"Assumes: {' '.join(card.assumes)}",
        f"Needs: {' '.join(card.needs)}",
        f"Refuses: {' '.join(card.refuses)}",
        f"Cannot know: {' '.join(card.cannot_know)}",
        f"Sources: {' '.join(card.sources)}",
    ]
    return "\n\n".join(parts)


_TYPES: Final[dict[str, click.ParamType[Any]]] = {
    "column": click.STRING,
    "columns": click.STRING,
    "text": click.STRING,
    "number": click.FLOAT,
    "share": click.FLOAT,
    "whole": click.INT,
    "date": click.DateTime(["%Y-%m-%d"]),
}


def _option(option: Option) -> click.Option:
    flag = f"--{option.name.replace('_', '-')}"
    if option.kind == "flag":
        return click.Option([flag, option.name], is_flag=True, help=option.help)
    kind = click.Choice(option.choices) if option.choices else _TYPES[option.kind]
    # A default of None would count as given, and nothing would be required any more.
    default: dict[str, Any] = {} if option.default is None else {"default": option.default}
    return click.Option(
        [flag, option.name],
        type=kind,
        required=option.is_required,
        show_default=bool(default),
        multiple=option.kind == "columns",
        help=option.help,
        **default,
    )


def _plain(value: Any) -> OptionValue:
    """Return what click read as the analysis engine wants it: a date is no instant."""
    found: OptionValue = value.date() if isinstance(value, datetime) else value
    assert found is None or isinstance(found, str | int | float | bool | date | tuple)
    return found


def _run(
    name: str, file: Path, options: dict[str, OptionValue], *, out: Path | None, as_json: bool
) -> None:
    from amity.analysis import api

    try:
        answer = api.estimate_file(
            name=name, path=file, options=options, out=out, now=datetime.now(UTC)
        )
    except AmityError as error:
        if as_json and error.reason == REFUSED:
            print_json({"estimate": name, "refused": error.message})
        raise
    if as_json:
        print_json(answer)
    else:
        print_estimate(answer)


def print_estimate(answer: FileEstimate) -> None:
    """Print what people want to know of an estimate."""
    counts = answer.counts.items()
    facts: list[tuple[str, object]] = [
        (name.replace("_", " ").capitalize(), count) for name, count in counts
    ]
    if answer.log_likelihood is not None:
        facts.append(("Log-likelihood", f"{answer.log_likelihood:.3f}"))
    facts += [
        (name.replace("_", " ").capitalize(), value)
        for name, value in answer.fit.items()
        if isinstance(value, int | float | str) and name not in answer.counts
    ]
    print_facts(facts)
    if answer.parameters:
        click.echo()
        print_table(
            ("PARAMETER", "VALUE", "STANDARD ERROR", "95 % INTERVAL"),
            [
                (
                    name,
                    f"{value:.4f}",
                    _error(answer.standard_errors.get(name)),
                    _interval(answer.intervals.get(name)),
                )
                for name, value in answer.parameters.items()
            ],
            empty="",
        )
    _print_calibration(answer.calibration)
    click.echo()
    for sentence in answer.words:
        click.echo(sentence)
    for warning in answer.warnings:
        click.echo(f"Note: {warning}")
    _print_rejected(answer)


def _print_calibration(calibration: dict[str, Any]) -> None:
    if not calibration:
        return
    click.echo()
    if calibration.get("refused"):
        click.echo(f"Not checked against what came: {calibration['refused']}")
        return
    if calibration.get("sentence"):
        click.echo(calibration["sentence"])
    print_table(
        ("HELD OUT", "CUSTOMERS", "PREDICTED", "CAME", "95 % INTERVAL"),
        [
            (
                group["label"],
                group["customers"],
                group["predicted"],
                group["actual"],
                f"{show(group['actual_low'])} to {show(group['actual_high'])}",
            )
            for group in calibration.get("groups", [])
        ],
        empty="",
    )


def _print_rejected(answer: FileEstimate) -> None:
    if not answer.rejected:
        return
    click.echo()
    print_table(
        ("ROW", "LINE", "NOT USED BECAUSE"),
        [(row.row, row.line, row.reason) for row in answer.rejected[:_LISTED]],
        empty="",
    )
    if (count := answer.counts["rejected"]) > _LISTED:
        click.echo(f"… and {count - _LISTED:,} more (--json lists a thousand)")


def _interval(found: tuple[float, float] | None) -> str:
    return "–" if found is None else f"{found[0]:.4f} to {found[1]:.4f}"


def _error(error: float | None) -> str:
    return "–" if error is None else f"{error:.4f}"
