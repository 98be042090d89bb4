"""What commands print: one JSON document, or plain aligned text for people."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import click
import msgspec

F = TypeVar("F", bound=Callable[..., Any])

_CONTROL: Final = {
    code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), 127, *range(128, 160))
}


def json_option(command: F) -> F:
    """Add `--json` to a command: the parameter `as_json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document instead of text."
    )(command)


def print_json(document: object) -> None:
    """Print one JSON document on one line."""
    click.echo(msgspec.json.encode(document).decode())


def clean(text: str) -> str:
    """Return text safe to show on a terminal: no control characters of a customer's making."""
    return text.translate(_CONTROL)


def show(value: object) -> str:
    """Return one value as people read it; a dash for nothing."""
    if value is None or value == "":
        return "–"
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    return clean(msgspec.json.encode(value).decode())


def _write_instant(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


_WRITERS: Final[tuple[tuple[type, Callable[[Any], str]], ...]] = (
    (str, clean),
    (bool, lambda value: "yes" if value else "no"),
    (datetime, _write_instant),
    (int, "{:,}".format),
    (float, "{:,.4g}".format),
)


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows under heads, numbers to the right; ``empty`` when there are none."""
    cells = list(rows)
    if not cells:
        click.echo(empty)
        return
    shown = [[show(value) for value in row] for row in cells]
    widths = [
        max(len(head), *(len(row[column]) for row in shown)) for column, head in enumerate(heads)
    ]
    right = [_is_numeric([row[column] for row in cells]) for column in range(len(heads))]
    for line in (list(heads), *shown):
        aligned = (
            text.rjust(width) if is_right else text.ljust(width)
            for text, width, is_right in zip(line, widths, right, strict=True)
        )
        click.echo("  ".join(aligned).rstrip())


def print_list(
    found: object,
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    empty: str,
    as_json: bool,
) -> None:
    """Print what was found as one JSON document, or its rows as `print_table` does."""
    if as_json:
        print_json(found)
    else:
        print_table(heads, rows, empty=empty)


def _is_numeric(column: list[object]) -> bool:
    present = [value for value in column if value is not None]
    return bool(present) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in present
    )


def print_facts(facts: Iterable[tuple[str, object]], *, indent: int = 0) -> None:
    """Print names and values in two columns."""
    pairs = [(name, show(value)) for name, value in facts]
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        click.echo(f"{' ' * indent}{name.ljust(width)}  {value}".rstrip())
