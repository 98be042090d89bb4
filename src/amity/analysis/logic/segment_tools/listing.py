"""Lists of segments: pages that are found, filtered and ordered by the database.

A page reads the rules it shows and the names these mention, never all there are.
"""

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any, Final

import msgspec

from amity.analysis.contracts import Segment, SegmentCount
from amity.analysis.contracts_segments import SegmentNumbers, SegmentSearch
from amity.analysis.logic.naming import RuleNames
from amity.analysis.logic.segments import write_rule
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.rules import conditions, decode_rule, list_operators, mentions

_SQL = queries.load("amity.analysis")
_MOST: Final = 1000
_KEY: Final = (str, str, int, int)


def list_page(*, search: SegmentSearch, cursor: str | None, limit: int) -> Page[Segment]:
    """Return a page of segments; see `api_segment_lists.list_segment_page`."""
    if limit < 1:
        raise Invalid("a page has at least one row", code="bad_limit")
    limit = min(limit, _MOST)
    values = _values(search) | _after(cursor, search.order) | {"limit": limit + 1}
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["segment_page"], values).fetchall()
        more = len(rows) > limit
        rows = rows[:limit]
        items = _make(connection, rows)
    return Page(items, encode_cursor([search.order, *rows[-1][-2:], rows[-1][0]]) if more else None)


@cache
def _language() -> frozenset[str]:
    """Return the words that rules are written in: what their examples are full of."""
    found = {each.op for each in list_operators()}
    for kind in conditions:
        for example in kind.examples():
            found.update(_words_in(msgspec.to_builtins(example)))
    return frozenset(found)


def _words_in(written: Any) -> Iterator[str]:
    if isinstance(written, list):
        for each in written:
            yield from _words_in(each)
    elif isinstance(written, dict):
        for key, value in written.items():
            yield key
            yield from [value] if key == "node" else _words_in(value)


def _values(search: SegmentSearch) -> dict[str, Any]:
    text = search.text.strip().replace("\0", "").encode("utf-8", "replace").decode()
    return {
        "search": text,
        # Looking through its names and values alone costs ten times as much: it is done only
        # where the text is one of the words all rules are written in.
        "is_language": any(text.lower() in word for word in _language()),
        # As the text stands within the rule's JSON.
        "in_rule": msgspec.json.encode(text).decode()[1:-1],
        "state": search.state,
        "made_by": search.made_by.strip().replace("\0", "").encode("utf-8", "replace").decode(),
        "order": search.order,
    }


def _after(cursor: str | None, order: str) -> dict[str, Any]:
    if cursor is None:
        return {"after_text": None, "after_number": None, "after_id": None}
    of, text, number, segment_id = decode_cursor(cursor, _KEY)
    is_sound = of == order and abs(number) < 2**63 and 0 < segment_id < 2**31
    if not is_sound or "\0" in text:
        raise Invalid("this cursor does not belong to this list", code="bad_cursor")
    return {"after_text": text, "after_number": number, "after_id": segment_id}


def _make(connection: Connection, rows: list[tuple[Any, ...]]) -> list[Segment]:
    mentioned = {asked for row in rows for asked in _asked(row[9])}
    found = connection.execute(_SQL["segments_named_in"], [sorted(mentioned)]).fetchall()
    names = RuleNames((segment_id, name) for segment_id, name, _ in found)
    live = {segment_id: name for segment_id, name, state in found if state != "archived"}
    return [_segment(row, names, live) for row in rows]


def _asked(rule: dict[str, Any]) -> Collection[int]:
    try:
        return mentions(decode_rule(rule)).segments
    except Invalid:
        return ()


def _segment(row: tuple[Any, ...], names: RuleNames, live: dict[int, str]) -> Segment:
    text, words = write_rule(row[9], names, live)
    return Segment(
        segment_id=row[0],
        name=row[1],
        description=row[2],
        rule=row[9],
        text=text,
        words=words,
        version=row[3],
        state=row[4],
        members=row[5],
        created_by=row[6],
        created_at=row[7],
        updated_at=row[8],
    )


def count_segments(*, text: str) -> SegmentNumbers:
    """Return how many segments there are that a text finds, by state."""
    with transaction("readonly") as connection:
        rows = connection.execute(
            _SQL["segment_numbers"], _values(SegmentSearch(text=text))
        ).fetchall()
    states = {state: count for state, count, _ in rows}
    return SegmentNumbers(
        building=states.get("building", 0),
        live=states.get("live", 0),
        archived=states.get("archived", 0),
        memberships=sum(members for state, _, members in rows if state != "archived"),
    )


def list_names(*, segment_ids: Collection[int] | None) -> dict[int, str]:
    """Return names of segments, by name."""
    ids = None if segment_ids is None else sorted(segment_ids)
    with transaction("readonly") as connection:
        return dict(connection.execute(_SQL["segment_names"], {"ids": ids}).fetchall())


def list_makers() -> list[tuple[str, int]]:
    """Return who made segments that are followed, and how many."""
    with transaction("readonly") as connection:
        return list(connection.execute(_SQL["segment_makers"]).fetchall())


def list_latest_counts(*, segment_ids: list[int], most: int) -> dict[int, list[SegmentCount]]:
    """Return the latest counted days of segments, in order of days."""
    found: dict[int, list[SegmentCount]] = {segment_id: [] for segment_id in segment_ids}
    with transaction("readonly") as connection:
        rows = connection.execute(
            _SQL["latest_segment_counts"], {"ids": list(found), "most": most}
        ).fetchall()
    for segment_id, day, members, method in rows:
        found[segment_id].append(SegmentCount(day=day, members=members, method=method))
    return found
