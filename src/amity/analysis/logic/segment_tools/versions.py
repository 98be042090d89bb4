"""A segment's versions: how it stood, what each change was, and going back to one."""

from datetime import datetime
from typing import Any, Final

import msgspec

from amity.analysis.contracts import Segment
from amity.analysis.contracts_segments import RuleDifference, SegmentVersion
from amity.analysis.logic import segments
from amity.analysis.logic.segment_tools.comparing import compare_rules
from amity.infra import queries
from amity.infra.database import transaction
from amity.kernel.errors import Invalid, NotFound
from amity.rules import decode_rule
from amity.rules.condition import Names

_SQL = queries.load("amity.analysis")
_MOST: Final = 500


class _Row(msgspec.Struct, frozen=True, array_like=True):
    segment_id: int
    number: int
    name: str
    description: str
    rule: dict[str, Any]
    rule_version: int
    how: str
    restored_from: int | None
    changed_by: str
    changed_at: datetime


def list_versions(*, segment_id: int) -> list[SegmentVersion]:
    """Return a segment's versions, the latest first; see `api.list_segment_versions`."""
    with transaction("readonly") as connection:
        definitions = segments.Definitions(connection)
        definitions.make(segment_id)
        found = connection.execute(_SQL["list_segment_versions"], [segment_id, _MOST + 1])
        rows = [_Row(*row) for row in found]
    names = definitions.names
    befores: list[_Row | None] = [*rows[1:], None]
    pairs = list(zip(rows, befores, strict=True))[:_MOST]
    return [_version(row, before, names) for row, before in pairs]


def _version(row: _Row, before: _Row | None, names: Names) -> SegmentVersion:
    changes = [] if before is None else _changes(before, row, names)
    fields = msgspec.structs.asdict(row) | {"words": _words(row.rule, names), "changes": changes}
    return msgspec.convert(fields, SegmentVersion)


def _words(rule: dict[str, Any], names: Names) -> str:
    try:
        return decode_rule(rule).describe(names)
    except Invalid as error:
        return f"cannot be read: {error.message}"


def _changes(before: _Row, after: _Row, names: Names) -> list[RuleDifference]:
    told = [
        RuleDifference(kind="changed", before=old, after=new, inside=what)
        for what, old, new in (
            ("the name", before.name, after.name),
            ("the description", before.description, after.description),
        )
        if old != new
    ]
    return told + describe_changes(before.rule, after.rule, names)


def describe_changes(
    before: dict[str, Any], after: dict[str, Any], names: Names
) -> list[RuleDifference]:
    """Return what differs between two rules as they are kept; one may be unreadable by now."""
    try:
        return compare_rules(decode_rule(before), decode_rule(after), names)
    except Invalid:
        old, new = _words(before, names), _words(after, names)
        return [] if old == new else [RuleDifference(kind="changed", before=old, after=new)]


def restore_version(*, segment_id: int, number: int, by: str, now: datetime) -> Segment:
    """Give a segment the name, description and rule of a version; see the door."""
    with transaction("readonly") as connection:
        row = connection.execute(_SQL["get_segment_version"], [segment_id, number]).fetchone()
    if row is None:
        raise NotFound(f"segment {segment_id} has no version {number}")
    held = _Row(*row)
    return segments.update_segment(
        segment_id=segment_id,
        name=held.name,
        rule=held.rule,
        description=held.description,
        by=by,
        now=now,
        restored_from=number,
    )
