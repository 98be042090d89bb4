"""Segments as people define them: a rule with a name.

Who is in a segment is not decided here but by the follower (`following`), which reads each new or
changed definition at a known place in the stream of activities.
"""

import logging
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from amity.analysis.contracts import Segment
from amity.analysis.logic.measuring.conditions import read_rule
from amity.analysis.logic.naming import RuleNames
from amity.analysis.logic.segment_tools.recording import record_version
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.rules import Rule, decode_rule, encode_rule, mentions, strip_filled
from amity.rules.text_writing import write_text

_SQL = queries.load("amity.analysis")
_log = logging.getLogger("amity.segments")
_MAX_NAME = 100
_MAX_DESCRIPTION = 1000


class _Row(msgspec.Struct, frozen=True, array_like=True):
    segment_id: int
    name: str
    description: str
    version: int
    state: str
    members: int
    created_by: str
    created_at: datetime
    updated_at: datetime


class Definitions:
    """All segments at one moment, the archived ones included; rules are read when asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rules: dict[int, dict[str, Any]] = {}
        rows = connection.execute(_SQL["select_segments"]).fetchall()
        self._rows = {row[0]: _Row(*row) for row in rows}
        self._live_names = {
            row.segment_id: row.name for row in self._rows.values() if row.state != "archived"
        }
        self.names = RuleNames((row.segment_id, row.name) for row in self._rows.values())

    def live_names(self) -> dict[int, str]:
        """Return the names of the segments that are not archived: of those none is there twice."""
        return self._live_names

    def make(self, segment_id: int) -> Segment:
        """Return one segment; raise NotFound when there is none."""
        row = self._rows.get(segment_id)
        if row is None:
            raise NotFound(f"there is no segment {segment_id}")
        plain = self._rule(segment_id)
        text, words = write_rule(plain, self.names, self.live_names())
        fields = {**msgspec.structs.asdict(row), "rule": plain}
        return msgspec.convert({**fields, "text": text, "words": words}, Segment)

    def _rule(self, segment_id: int) -> dict[str, Any]:
        self._read_rules([segment_id])
        return self._rules[segment_id]

    def _read_rules(self, segment_ids: Iterable[int]) -> None:
        """Read the rules of segments that are there, those not read yet."""
        missing = [each for each in segment_ids if each not in self._rules]
        if missing:
            found = self._connection.execute(_SQL["select_segment_rules"], [missing])
            self._rules.update(found.fetchall())

    def list_all(self, *, is_archived: bool | None = False) -> list[Segment]:
        """Return segments by name."""
        wanted = [
            row.segment_id
            for row in self._rows.values()
            if is_archived is None or is_archived == (row.state == "archived")
        ]
        self._read_rules(wanted)
        return [self.make(segment_id) for segment_id in wanted]

    def state_of(self, segment_id: int) -> str | None:
        """Return a segment's state; None when there is no such segment."""
        row = self._rows.get(segment_id)
        return None if row is None else row.state

    def find(self, name: str) -> Segment | None:
        """Return the segment of that name, in any case of letters, that is not archived."""
        wanted = name.strip().lower()
        for row in self._rows.values():
            if row.state != "archived" and row.name.lower() == wanted:
                return self.make(row.segment_id)
        return None

    def list_using(self, segment_id: int) -> list[str]:
        """Return the names of the segments whose rule looks at this one."""
        found = self._connection.execute(_SQL["select_segments_using"], [segment_id])
        users = [row[0] for row in found.fetchall()]
        self._read_rules(users)
        return [
            self._rows[user].name for user in users if segment_id in _references(self._rules[user])
        ]

    def check_references(self, rule: Rule, segment_id: int | None) -> None:
        """Raise Invalid when a rule names a segment it cannot, or would come back to itself."""
        for wanted in sorted(_segments_in(rule)):
            state = self.state_of(wanted)
            if state is None or state == "archived":
                what = "is archived" if state else "does not exist"
                raise Invalid(f"segment {wanted}, which the rule names, {what}", code="no_segment")
        way = None if segment_id is None else self._find_way(rule, segment_id)
        if way is not None:
            names = " → ".join(f"“{self.names[step]}”" for step in way)
            raise Invalid(
                f"the rule would depend on its own segment: {names}", code="segment_cycle"
            )

    def _find_way(self, rule: Rule, segment_id: int) -> list[int] | None:
        """Return the shortest way by which a segment of this rule would come back to itself."""
        came_from: dict[int, int] = {}
        left = deque((segment_id, wanted) for wanted in sorted(_segments_in(rule)))
        while left:
            self._read_rules(step for _, step in left)
            before, step = left.popleft()
            if step == segment_id:
                way = [step]
                while before != segment_id:
                    way.append(before)
                    before = came_from[before]
                return [segment_id, *reversed(way)]
            if step not in came_from and step in self._rows:
                came_from[step] = before
                left += ((step, other) for other in sorted(_references(self._rules[step])))
        return None


def write_rule(
    plain: dict[str, Any], names: RuleNames, live_names: dict[int, str]
) -> tuple[str, str]:
    """Return a rule as text, by the names that none is there twice of, and in words."""
    try:
        rule = decode_rule(plain)
    except Invalid as error:
        # An operator that a plug-in brought can be gone.
        return "", f"cannot be read: {error.message}"
    written = strip_filled(encode_rule(rule))
    return write_text(written, live_names), rule.describe(names)


def _segments_in(rule: Rule) -> set[int]:
    return set(mentions(rule).segments)


def _references(raw: dict[str, Any]) -> set[int]:
    try:
        return _segments_in(decode_rule(raw))
    except Invalid:
        return set()


def _clean(name: str, description: str) -> tuple[str, str]:
    name, description = name.strip(), description.strip()
    if not 1 <= len(name) <= _MAX_NAME:
        raise Invalid(f"a segment needs a name of 1 to {_MAX_NAME} characters", code="bad_name")
    if len(description) > _MAX_DESCRIPTION:
        raise Invalid(
            f"the description is longer than {_MAX_DESCRIPTION} characters", code="bad_description"
        )
    if "\0" in name + description:
        raise Invalid("a text holds a NUL character", code="bad_name")
    return name, description


def create_segment(
    *, name: str, rule: dict[str, Any], description: str, by: str, now: datetime
) -> Segment:
    """Add a segment in state `building`; see `api.create_segment`."""
    name, description = _clean(name, description)
    with _unique(name), transaction() as connection:
        connection.execute(_SQL["lock_segments"])
        decoded = read_rule(rule, connection)
        Definitions(connection).check_references(decoded, None)
        values = {
            "name": name,
            "description": description,
            "rule": Jsonb(encode_rule(decoded)),
            "by": by,
            "now": now,
        }
        row = connection.execute(_SQL["insert_segment"], values).fetchone()
        assert row is not None
        record_version(connection, row[0], by=by, now=now, is_new=True)
        return Definitions(connection).make(row[0])


def update_segment(  # noqa: PLR0913  # one argument a thing that can be changed
    *,
    segment_id: int,
    name: str | None,
    rule: dict[str, Any] | None,
    description: str | None,
    by: str,
    now: datetime,
    restored_from: int | None = None,
    seen_at: datetime | None = None,
) -> Segment:
    """Change a segment; a changed rule is read against history anew."""
    with _unique(name or ""), transaction() as connection:
        connection.execute(_SQL["lock_segments"])
        before = Definitions(connection)
        held = before.make(segment_id)
        if held.state == "archived":
            raise Conflict("an archived segment cannot be changed", code="segment_archived")
        if seen_at is not None and seen_at != held.updated_at:
            raise Conflict(
                f"{held.name} was changed at {held.updated_at:%Y-%m-%d %H:%M:%S} UTC, after it was "
                "read: read it again, and change that",
                code="segment_changed",
            )
        wanted = held.rule
        if rule is not None:
            decoded = read_rule(rule, connection)
            before.check_references(decoded, segment_id)
            wanted = encode_rule(decoded)
        is_changed = not _is_same(wanted, held.rule)
        cleaned, about = _clean(
            held.name if name is None else name,
            held.description if description is None else description,
        )
        values = {
            "segment_id": segment_id,
            "name": cleaned,
            "description": about,
            "rule": Jsonb(wanted),
            "is_changed": is_changed,
            "now": now,
        }
        connection.execute(_SQL["update_segment"], values)
        if is_changed:
            connection.execute(_SQL["forget_counts"], [segment_id])
        record_version(connection, segment_id, by=by, now=now, restored_from=restored_from)
        _log.info("segment %s was changed by %s", segment_id, by)
        return Definitions(connection).make(segment_id)


def archive_segment(*, segment_id: int, by: str, now: datetime) -> Segment:
    """Stop following a segment; the follower closes its memberships."""
    with transaction() as connection:
        connection.execute(_SQL["lock_segments"])
        before = Definitions(connection)
        held = before.make(segment_id)
        if held.state == "archived":
            return held
        users = before.list_using(segment_id)
        if users:
            raise Conflict(
                f"{held.name} is used by {', '.join(users)}: change these first",
                code="segment_in_use",
            )
        connection.execute(_SQL["archive_segment"], {"segment_id": segment_id, "now": now})
        _log.info("segment %s was archived by %s", segment_id, by)
        return Definitions(connection).make(segment_id)


def rewrite_rule(
    connection: Connection, *, segment: Segment, rule: dict[str, Any], by: str, now: datetime
) -> bool:
    """Give a segment a rule, all else as it is; say whether that changed anything.

    In the caller's transaction, which holds the lock of the definitions.
    """
    is_changed = not _is_same(rule, segment.rule)
    if is_changed:
        values = {
            "segment_id": segment.segment_id,
            "name": segment.name,
            "description": segment.description,
            "rule": Jsonb(rule),
            "is_changed": True,
            "now": now,
        }
        connection.execute(_SQL["update_segment"], values)
        connection.execute(_SQL["forget_counts"], [segment.segment_id])
        record_version(connection, segment.segment_id, by=by, now=now)
    return is_changed


def _is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    # By text: to Python the rules `is 1` and `is true` are equal.
    written = [msgspec.json.encode(each, order="sorted") for each in (one, other)]
    return written[0] == written[1]


def lock_definitions(connection: Connection) -> None:
    """Let nobody else change a segment until the transaction ends."""
    connection.execute(_SQL["lock_segments"])


def restore_segment(*, segment_id: int, by: str, now: datetime) -> Segment:
    """Follow an archived segment again; the follower fills it from history."""
    with transaction() as connection:
        connection.execute(_SQL["lock_segments"])
        before = Definitions(connection)
        held = before.make(segment_id)
        if held.state != "archived":
            return held
        rule = read_rule(held.rule, connection)
        before.check_references(rule, segment_id)
        with _unique(held.name):
            connection.execute(_SQL["restore_segment"], {"segment_id": segment_id, "now": now})
        # What a metric means may have changed since.
        rewrite_rule(connection, segment=held, rule=encode_rule(rule), by=by, now=now)
        return Definitions(connection).make(segment_id)


class _unique:  # a context manager, used as a function
    """Turn the database's refusal of a second segment of a name into a Conflict."""

    def __init__(self, name: str) -> None:
        self._name = name.strip()

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, psycopg.errors.UniqueViolation):
            raise Conflict(
                f"there is already a segment {self._name!r}", code="segment_exists"
            ) from error
