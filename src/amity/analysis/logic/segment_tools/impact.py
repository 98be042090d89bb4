"""What another rule would do to a segment before it is saved: who enters, who leaves, what else.

A segment that asks for the changed one is looked at with the new rule put in its place, as nobody
is a member by a rule that is not saved.
"""

from datetime import datetime
from typing import Any, Final

from amity.analysis.contracts import Segment
from amity.analysis.contracts_segments import RuleImpact, SegmentImpact
from amity.analysis.logic.measuring.conditions import read_rule
from amity.analysis.logic.segment_tools.versions import describe_changes
from amity.analysis.logic.segments import Definitions
from amity.analysis.logic.segments_catalogue import make_catalogue
from amity.analysis.logic.segments_reading import tune
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid
from amity.rules import Catalogue, Rule, decode_rule, encode_rule, mentions, sql, to_sql
from amity.store import api as store

_EXAMPLES: Final = 8
_MOST_DEPENDANTS: Final = 10


def describe_impact(*, segment_id: int, rule: dict[str, Any], now: datetime) -> RuleImpact:
    """Say what saving ``rule`` would do now; see the door."""
    decoded = read_rule(rule)
    with transaction("readonly") as connection:
        tune(connection)
        definitions = Definitions(connection)
        held = definitions.make(segment_id)
        definitions.check_references(decoded, segment_id)
        catalogue = make_catalogue(store.list_policies(connection=connection))
        changed, entering, leaving = _compare(connection, held, decoded, catalogue, now)
        using = _list_dependants(definitions.list_all(), segment_id)
        dependants = [
            _impact_on(connection, other, new, catalogue, now)
            for other, new in _rewrite(using, segment_id, encode_rule(decoded))
        ]
    return RuleImpact(
        changed=changed,
        differences=describe_changes(held.rule, encode_rule(decoded), definitions.names),
        examples_entering=entering,
        examples_leaving=leaving,
        dependants=dependants,
        dependants_left_out=max(0, len(using) - _MOST_DEPENDANTS),
        is_building=held.state == "building",
    )


def count_moves(*, segment_id: int, rule: dict[str, Any], now: datetime) -> SegmentImpact:
    """Say how many would enter and leave a segment now by another rule, kept as it is given."""
    with transaction("readonly") as connection:
        tune(connection)
        held = Definitions(connection).make(segment_id)
        catalogue = make_catalogue(store.list_policies(connection=connection))
        return _compare(connection, held, decode_rule(rule), catalogue, now)[0]


def _compare(
    connection: Connection, held: Segment, rule: Rule, catalogue: Catalogue, now: datetime
) -> tuple[SegmentImpact, list[int], list[int]]:
    """Return who would enter and leave, in numbers and by example."""
    query = sql(
        "WITH found AS MATERIALIZED ({}), "
        "held AS MATERIALIZED (SELECT m.profile_id AS id FROM analysis_membership m "
        "WHERE m.segment_id = {} AND m.left_at IS NULL), "
        "moved AS MATERIALIZED (SELECT id, f.id IS NOT NULL AS enters "
        "FROM found f FULL JOIN held h USING (id) WHERE f.id IS NULL OR h.id IS NULL) "
        "SELECT (SELECT count(*) FROM held), "
        "(SELECT count(*) FROM moved WHERE enters), (SELECT count(*) FROM moved WHERE NOT enters), "
        "ARRAY(SELECT p.id FROM moved JOIN store_profile p USING (id) WHERE enters "
        "ORDER BY p.last_seen_at DESC, p.id DESC LIMIT {}), "
        "ARRAY(SELECT p.id FROM moved JOIN store_profile p USING (id) WHERE NOT enters "
        "ORDER BY p.last_seen_at DESC, p.id DESC LIMIT {})",
        to_sql(rule, catalogue, now),
        held.segment_id,
        _EXAMPLES,
        _EXAMPLES,
    )
    row = connection.execute(query.encode(), query.params).fetchone()
    assert row is not None
    impact = SegmentImpact(
        segment_id=held.segment_id,
        name=held.name,
        members=row[0],
        entering=row[1],
        leaving=row[2],
    )
    return impact, row[3], row[4]


def _impact_on(
    connection: Connection,
    segment: Segment,
    rule: dict[str, Any],
    catalogue: Catalogue,
    now: datetime,
) -> SegmentImpact:
    try:
        decoded = decode_rule(rule)
    except Invalid:
        # With the other rule inside it is larger than a rule may be.
        return SegmentImpact(
            segment_id=segment.segment_id,
            name=segment.name,
            members=segment.members,
            entering=None,
            leaving=None,
        )
    return _compare(connection, segment, decoded, catalogue, now)[0]


def _list_dependants(segments: list[Segment], segment_id: int) -> list[Segment]:
    """Return who asks for the segment, each after those of them it asks for itself."""
    asks = {each.segment_id: _asked_by(each) for each in segments}
    found: dict[int, Segment] = {}
    known = {segment_id}
    while True:
        more = [
            each
            for each in segments
            if each.segment_id not in known and asks[each.segment_id] & known
        ]
        if not more:
            return _in_order(found, asks)
        for each in more:
            found[each.segment_id] = each
            known.add(each.segment_id)


def _in_order(found: dict[int, Segment], asks: dict[int, frozenset[int]]) -> list[Segment]:
    ordered: list[Segment] = []
    done: set[int] = set()
    left = dict(found)
    while left:
        # There is no circle among saved segments, so somebody is always next.
        ready = [key for key in left if not (asks[key] & left.keys()) - done]
        for key in ready:
            ordered.append(left.pop(key))
            done.add(key)
    return ordered


def _asked_by(segment: Segment) -> frozenset[int]:
    try:
        return mentions(decode_rule(segment.rule)).segments
    except Invalid:
        return frozenset()


def _rewrite(
    using: list[Segment], segment_id: int, rule: dict[str, Any]
) -> list[tuple[Segment, dict[str, Any]]]:
    """Return each dependant with its rule as it reads when the changed rules stand in it."""
    instead: dict[int, dict[str, Any]] = {segment_id: rule}
    written: list[tuple[Segment, dict[str, Any]]] = []
    for each in using[:_MOST_DEPENDANTS]:
        new = instead[each.segment_id] = put_in_place(each.rule, instead)
        written.append((each, new))
    return written


def put_in_place(rule: Any, instead: dict[int, dict[str, Any]]) -> Any:
    """Return a rule's JSON with whole rules where it asked for these segments."""
    if isinstance(rule, list):
        return [put_in_place(each, instead) for each in rule]
    if not isinstance(rule, dict):
        return rule
    if rule.get("node") == "in_segment" and rule.get("segment_id") in instead:
        return instead[rule["segment_id"]]
    return {key: put_in_place(value, instead) for key, value in rule.items()}
