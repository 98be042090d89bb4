"""From rows to the log: what rows come to, and how it goes in together with the count of it.

Files and databases share this.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection
from amity.store.connector import BadRow, Connector
from amity.store.contracts import ImportProblem
from amity.store.logic.importing.layout import RawRow
from amity.store.logic.importing.leaving import keep_away
from amity.store.logic.importing.mapping import make_row
from amity.store.logic.intake.appending import append_events, weigh_events

_SQL: Final = queries.load("amity.store")


class Unit(msgspec.Struct, frozen=True):
    """What one row, or the rows of one order, came to: events, or problems."""

    numbers: list[int]
    events: list[bytes]
    problems: list[ImportProblem]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of units: events that are new or were there, rows that were left out."""

    stored: int
    duplicate: int
    rejected: int
    problems: list[ImportProblem]


def make_unit(
    connector: Connector, columns: Sequence[str], mapping: dict[str, str], group: list[RawRow]
) -> Unit:
    """Return what rows that belong together come to; ``mapping`` names the field of a column."""
    numbers = [row.number for row in group]
    broken = next((row for row in group if row.problem), None)
    if broken:
        return Unit(numbers, [], [ImportProblem(row=broken.number, reason=broken.problem)])
    try:
        messages = connector.make_messages([make_row(columns, mapping, row) for row in group])
    except BadRow as error:
        return Unit(numbers, [], _blame(numbers, error))
    return Unit(numbers, [msgspec.json.encode(message) for message in messages], [])


def _blame(numbers: list[int], error: BadRow) -> list[ImportProblem]:
    own = ImportProblem(row=error.number, reason=error.reason)
    because = f"left out with row {error.number}, which it belongs to"
    others = [ImportProblem(row=n, reason=because) for n in numbers if n != error.number]
    return [own, *others]


def take_units(
    connection: Connection, source_id: int, units: Sequence[Unit], *, is_dry_run: bool = False
) -> Outcome:
    """Store the events of units in the caller's transaction; with a dry run only look."""
    sent = [(event, unit.numbers) for unit in units for event in unit.events]
    problems = [problem for unit in units for problem in unit.problems]
    bad_rows = {number for unit in units if not unit.events for number in unit.numbers}
    if not sent:
        return Outcome(stored=0, duplicate=0, rejected=len(bad_rows), problems=problems)
    events = [event for event, _ in sent]
    row = connection.execute(_SQL["import_clock"]).fetchone()
    assert row is not None
    now = row[0]
    if not is_dry_run:
        keep_away(connection, source_id, events, now)
    take = weigh_events if is_dry_run else append_events
    receipt = take(source_id=source_id, events=events, connection=connection, now=now)
    for error in receipt.errors:
        numbers = sent[error.index][1]
        bad_rows.update(numbers)
        problems.append(ImportProblem(row=numbers[0], reason=error.message))
    return Outcome(
        stored=receipt.accepted,
        duplicate=receipt.duplicate,
        rejected=len(bad_rows),
        problems=problems,
    )
