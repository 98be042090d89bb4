"""How a segment moved between two moments: who came, who went, who stayed."""

from datetime import UTC, datetime, timedelta
from typing import Final

from amity.analysis.contracts import Segment
from amity.analysis.contracts_segments import DayMoves, SegmentMovement
from amity.analysis.logic.segments import Definitions
from amity.analysis.logic.segments_reading import tune
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid
from amity.kernel.lift import wilson

_SQL = queries.load("amity.analysis")
_EXAMPLES: Final = 8
LONGEST: Final = timedelta(days=731)


def describe_movement(*, segment_id: int, since: datetime, until: datetime) -> SegmentMovement:
    """Say how a segment changed from one moment to a later one; see the door."""
    if not since < until or until - since > LONGEST:
        raise Invalid(
            f"the second moment comes after the first, at most {LONGEST.days} days",
            code="bad_period",
        )
    values = {
        "segment_id": segment_id,
        "since": since,
        "until": until,
        "examples": _EXAMPLES,
    }
    with transaction("readonly") as connection:
        tune(connection)
        held = Definitions(connection).make(segment_id)
        row = connection.execute(_SQL["segment_movement"], values).fetchone()
        assert row is not None
        moves = connection.execute(_SQL["segment_moves_by_day"], values).fetchall()
        notes = _notes(connection, held, since, until)
    before, after, stayed, entered, left, merged, passed, came, went = row
    low, high = wilson(left, before) if before else (None, None)
    return SegmentMovement(
        segment_id=segment_id,
        since=since,
        until=until,
        before=before,
        after=after,
        stayed=stayed,
        entered=entered,
        left=left,
        merged=merged,
        passed=passed,
        left_rate=left / before if before else None,
        left_low=low,
        left_high=high,
        days=[DayMoves(day=day, entered=ins, left=outs) for day, ins, outs in moves],
        examples_entered=came,
        examples_left=went,
        notes=notes,
        sentence=_sentence(before, after, entered, left),
    )


def _sentence(before: int, after: int, entered: int, left: int) -> str:
    if before == after == entered == 0:
        return "Nobody was in it at either moment."
    change = after - before
    how = "stayed the same size" if not change else "grew" if change > 0 else "shrank"
    by = f" by {abs(change):,}" if change else ""
    return (
        f"It {how}{by}, from {before:,} to {after:,}: {entered:,} came who were not in it before, "
        f"{left:,} went."
    )


def _notes(connection: Connection, held: Segment, since: datetime, until: datetime) -> list[str]:
    notes = []
    if since < held.created_at:
        notes.append(
            f"It was made on {_day(held.created_at)}: who matched then all entered that day."
        )
    values = {"segment_id": held.segment_id, "since": since, "until": until}
    for changed_at, by in connection.execute(_SQL["segment_rule_changes"], values):
        who = f" by {by}" if by else ""
        notes.append(
            f"The rule was changed on {_day(changed_at)}{who}: who came or went then may have "
            "done so by the rule, not by anything they did."
        )
    return notes


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%-d %b %Y")
