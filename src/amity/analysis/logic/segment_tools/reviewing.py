"""Segments that can be tidied up: long empty, or finding the same customers as another."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from amity.analysis.contracts import Segment
from amity.analysis.contracts_segments import DoubledSegment, EmptySegment, SegmentReview
from amity.analysis.logic.segment_tools.kept import find_answer, keep_answer
from amity.analysis.logic.segment_tools.normal_form import normal_form
from amity.analysis.logic.segments import Definitions
from amity.analysis.logic.segments_reading import tune
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid

_SQL = queries.load("amity.analysis")
_TOOL: Final = "review"
ALIKE: Final = 0.95
"""Jaccard: from here on two segments are near enough to be called the same."""
_WORTH_COUNTING: Final = 0.5
_FEWEST_MEMBERS: Final = 20
_MOST_PAIRS: Final = 2_000
_MOST_COUNTED: Final = 40
_MOST_DAYS: Final = 3_660


def find_review() -> SegmentReview | None:
    """Return what was last found, or None."""
    return find_answer(_TOOL, "", SegmentReview)


def refresh_review(*, now: datetime, empty_days: int) -> SegmentReview:
    """Look for segments to tidy up and keep what is found; see the door."""
    if not 1 <= empty_days <= _MOST_DAYS:
        raise Invalid(f"days are 1 to {_MOST_DAYS:,}", code="bad_days")
    with transaction("readonly") as connection:
        tune(connection)
        segments = Definitions(connection).list_all()
        empty = _list_empty(connection, segments, now, empty_days)
        same = find_same_rules(segments)
        # Of those with the same rule the first made stands for all.
        doubles = {each.segment_ids[1] for each in same}
        alike, is_complete = _find_alike(
            connection, [each for each in segments if each.segment_id not in doubles]
        )
    review = SegmentReview(
        segments=len(segments),
        empty_days=empty_days,
        empty=empty,
        doubled=[*same, *alike],
        is_complete=is_complete,
        computed_at=now,
    )
    keep_answer(_TOOL, "", review, now)
    return review


def _list_empty(
    connection: Connection, segments: list[Segment], now: datetime, least: int
) -> list[EmptySegment]:
    names = {each.segment_id: each.name for each in segments}
    found = [
        EmptySegment(
            segment_id=segment_id, name=names[segment_id], since=since, days=(now - since).days
        )
        for segment_id, since in connection.execute(_SQL["list_empty_segments"]).fetchall()
        if segment_id in names and (now - since).days >= least
    ]
    return sorted(found, key=lambda each: (-each.days, each.name))


def find_same_rules(segments: list[Segment]) -> list[DoubledSegment]:
    """Return pairs whose rules say the same; of several that do, each with the first made."""
    rules = {each.segment_id: each.rule for each in segments}
    first: dict[bytes, Segment] = {}
    found = []
    for each in sorted(segments, key=lambda segment: segment.segment_id):
        original = first.setdefault(normal_form(each.rule, rules), each)
        if original is not each:
            found.append(_double(original, each, is_same_rule=True, jaccard=None))
    return found


def _double(
    one: Segment, other: Segment, *, is_same_rule: bool, jaccard: float | None
) -> DoubledSegment:
    return DoubledSegment(
        segment_ids=(one.segment_id, other.segment_id),
        names=(one.name, other.name),
        is_same_rule=is_same_rule,
        jaccard=jaccard,
    )


def _find_alike(
    connection: Connection, segments: list[Segment]
) -> tuple[list[DoubledSegment], bool]:
    """Return pairs with nearly the same members, the nearest first, and whether all were seen.

    Only two of like size can be alike, as Jaccard is at most the smaller as a share of the larger.
    A look at some members tells which of these are worth counting.
    """
    found: list[DoubledSegment] = []
    looked = counted = 0
    for one, other in _pairs_of_like_size(segments):
        if looked == _MOST_PAIRS or counted == _MOST_COUNTED:
            return sorted(found, key=_nearness), False
        looked += 1
        values = {"one": one.segment_id, "other": other.segment_id}
        seen = connection.execute(_SQL["screen_alike"], values).fetchone()
        assert seen is not None
        if seen[1] < _WORTH_COUNTING * seen[0]:
            continue
        counted += 1
        row = connection.execute(_SQL["count_common_members"], values).fetchone()
        assert row is not None
        jaccard = row[0] / max(1, one.members + other.members - row[0])
        if jaccard >= ALIKE:
            found.append(_double(one, other, is_same_rule=False, jaccard=min(1.0, jaccard)))
    return sorted(found, key=_nearness), True


def _nearness(each: DoubledSegment) -> float:
    return -(each.jaccard or 0.0)


def _pairs_of_like_size(segments: list[Segment]) -> Iterator[tuple[Segment, Segment]]:
    sized = sorted(
        (each for each in segments if each.state == "live" and each.members >= _FEWEST_MEMBERS),
        key=lambda each: (each.members, each.segment_id),
    )
    for n, one in enumerate(sized):
        for other in sized[n + 1 :]:
            if one.members < ALIKE * other.members:
                break
            yield one, other
