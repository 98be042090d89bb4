"""`amity link`: which records of one file, or of two, are one; without a store."""

from pathlib import Path

import click
import msgspec

from amity.cli.output import json_option, print_facts, print_json, print_table
from amity.kernel.errors import Invalid
from amity.store.contracts_linkage import LinkComparison, LinkConfig, LinkReport


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="A.csv [B.csv]",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--config", type=click.Path(path_type=Path), help="JSON that says what is guessed.")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write one row a record here.",
)
@click.option(
    "--kind",
    type=click.Choice(["people", "companies"]),
    help="What the records are about. [default: told by the columns]",
)
@json_option
def link(
    *, files: tuple[Path, ...], config: Path | None, out: Path, kind: str | None, as_json: bool
) -> None:
    """Find the records that are the same person or company: in A.csv, or between A.csv and B.csv.

    Columns are told by their headings, weights are learnt from the files themselves, nothing has
    to be labelled. Writes a cluster id and a match probability for every record.
    """
    from amity.store import api_identity

    if len(files) > 2:
        raise click.UsageError("give one file, or two")
    wanted = _read_config(config) if config else LinkConfig()
    if kind is not None:
        wanted = msgspec.structs.replace(wanted, kind=kind)
    report = api_identity.link_files(paths=files, out=out, config=wanted)
    if as_json:
        print_json(report)
    else:
        _print(report)


def _read_config(path: Path) -> LinkConfig:
    try:
        return msgspec.json.decode(path.read_bytes(), type=LinkConfig)
    except msgspec.DecodeError as error:
        raise Invalid(f"{path.name}: {error}", code="bad_config") from error


def _print(report: LinkReport) -> None:
    print_facts(
        [
            ("Kind", report.kind),
            *((f"Records of {file.name}", file.records) for file in report.files),
            ("Pairs looked at", report.pairs_compared),
            ("Links", report.links),
            ("Clusters", report.clusters),
            ("  the largest", report.largest_cluster),
            ("Records matched", report.matched),
            ("Threshold", report.threshold),
            ("Written to", report.out),
        ]
    )
    click.echo()
    print_table(
        ("COLUMN", "COMPARED AS", "FILLED", "AGREEMENT", "ONE (m)", "STRANGERS (u)", "BITS"),
        [row for comparison in report.comparisons for row in _rows(comparison)],
        empty="",
    )
    click.echo()
    print_table(
        ("PAIRS SHARE", "PAIRS", "LARGEST BLOCK", "PASSED OVER"),
        [(key.key, key.pairs, key.largest_block, key.records_passed_over) for key in report.keys],
        empty="",
    )
    for file in report.files:
        _print_file(file.name, file.ignored_columns, file.problems, file.rejected)
    for warning in report.warnings:
        click.echo(f"Note: {warning}")


def _rows(comparison: LinkComparison) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for place, level in enumerate(reversed(comparison.levels)):
        head = (comparison.column, comparison.matcher, f"{comparison.filled_rate:.0%}")
        rows.append(
            (
                *(head if place == 0 else (" ", " ", " ")),
                level.level,
                level.m,
                level.u,
                f"{level.bits:+.1f}",
            )
        )
    return rows


def _print_file(name: str, ignored: list[str], problems: list[str], rejected: int) -> None:
    click.echo()
    if ignored:
        click.echo(f"{name}: not compared: {', '.join(ignored)}")
    for problem in problems:
        click.echo(f"{name}: left out: {problem}")
    if rejected > len(problems):
        click.echo(f"{name}: … and {rejected - len(problems):,} more")
