"""The analysis engine's door for tools about segments: versions, overlap, impact, lookalikes."""

from datetime import datetime
from typing import Any

import numpy as np

from amity.analysis.contracts import Segment
from amity.analysis.contracts_segments import (
    ClusterSet,
    Lookalikes,
    RfmCells,
    RuleImpact,
    SegmentDifferences,
    SegmentMovement,
    SegmentOverlap,
    SegmentReview,
    SegmentVersion,
)
from amity.analysis.logic.segment_tools import (
    automatic,
    differences,
    impact,
    lookalikes,
    movement,
    overlap,
    renewing,
    reviewing,
    tasks,
    versions,
)
from amity.analysis.logic.working.doing import Tell, do_now
from amity.kernel.pagination import Page


def list_segment_versions(*, segment_id: int) -> list[SegmentVersion]:
    """Return every name, description and rule a segment had, the latest first, at most 500.

    Each says in words what differs from the one before. Raises NotFound for no such segment.
    """
    return versions.list_versions(segment_id=segment_id)


def restore_segment_version(*, segment_id: int, number: int, by: str, now: datetime) -> Segment:
    """Give a segment the name, description and rule of a version again, as a new version.

    Raises NotFound for no such version, Conflict when the name is another segment's by now or the
    segment is archived, Invalid when the rule names a segment that is gone.
    """
    return versions.restore_version(segment_id=segment_id, number=number, by=by, now=now)


def describe_impact(*, segment_id: int, rule: dict[str, Any], now: datetime) -> RuleImpact:
    """Say what saving another rule would do to a segment and those that ask for it.

    Counted against who is in it now. Costs a run of the rule, and one of each dependant's. Raises
    NotFound and Invalid, as saving would.
    """
    return impact.describe_impact(segment_id=segment_id, rule=rule, now=now)


def compare_members(*, segment_ids: list[int]) -> SegmentOverlap:
    """Count who is in which combination of two to five segments now.

    Half a second for five segments of a hundred thousand. Raises NotFound, and Invalid for fewer,
    more, or one twice.
    """
    return overlap.compare_members(segment_ids=segment_ids)


def list_overlap_members(
    *, inside: list[int], outside: list[int], cursor: str | None = None, limit: int = 50
) -> Page[int]:
    """Return the ids of who is in all segments ``inside`` and none ``outside``, latest ids first.

    Raises Invalid for none inside, one both inside and outside, or more than five in all.
    """
    return overlap.list_overlap_members(inside=inside, outside=outside, cursor=cursor, limit=limit)


def describe_movement(*, segment_id: int, since: datetime, until: datetime) -> SegmentMovement:
    """Say who entered, left and stayed in a segment between two moments, and how many by day.

    At most 731 days apart. Raises NotFound, and Invalid for moments that are not in order.
    """
    return movement.describe_movement(segment_id=segment_id, since=since, until=until)


def refresh_differences(
    *, segment_id: int, against_id: int | None = None, now: datetime, tell: Tell | None = None
) -> SegmentDifferences:
    """Find what sets a segment's members apart from everybody else, or another's, and keep it.

    About a second, however many customers: at most 10,000 of each group are looked at. Raises
    Refused when either has fewer than 30, NotFound, and Invalid for the segment itself.
    """
    task = tasks.compare(segment_id=segment_id, against_id=against_id, now=now)
    return do_now(task, now=now, tell=tell)


def find_differences(
    *, segment_id: int, against_id: int | None = None
) -> SegmentDifferences | None:
    """Return what `refresh_differences` found last, with when; None for nothing in 30 days."""
    return differences.find_differences(segment_id=segment_id, against_id=against_id)


def refresh_review(*, now: datetime, empty_days: int = 30) -> SegmentReview:
    """Find segments empty for so many days, and pairs that find the same customers; keep it.

    Rules are compared by a normal form, members by Jaccard from 0.95 on, among segments of at
    least 20 members. Raises Invalid for days outside 1 to 3,660.
    """
    return reviewing.refresh_review(now=now, empty_days=empty_days)


def find_review() -> SegmentReview | None:
    """Return what `refresh_review` found last, with when; None for nothing in 30 days."""
    return reviewing.find_review()


def refresh_rfm_cells(*, now: datetime) -> RfmCells:
    """Count whom RFM gives which word, and keep it; raise Refused while there are no scores."""
    return automatic.refresh_rfm_cells(now=now)


def find_rfm_cells() -> RfmCells | None:
    """Return what `refresh_rfm_cells` counted last, with when; None for nothing in 30 days."""
    return automatic.find_rfm_cells()


def save_rfm_cell(*, word: str, by: str, now: datetime) -> Segment:
    """Make a segment of those RFM gives a word, which follows the score.

    Raises NotFound for a word nobody has, Conflict when there is such a segment already.
    """
    return automatic.save_rfm_cell(word=word, by=by, now=now)


def refresh_clusters(
    *, now: datetime, rng: np.random.Generator, tell: Tell | None = None
) -> ClusterSet:
    """Find groups of alike customers by k-means, and keep them.

    Looks at up to 5,000 customers and takes some seconds. How many groups is chosen by silhouette
    among those found again in resamples. Raises Refused for fewer than 200 customers, when no
    number is found again, and when there is no structure to speak of.
    """
    return do_now(tasks.group(now=now, rng=rng), now=now, tell=tell)


def find_clusters() -> ClusterSet | None:
    """Return what `refresh_clusters` found last, with when; None for nothing in 30 days."""
    return automatic.find_clusters()


def save_clusters(*, by: str, now: datetime, tell: Tell | None = None) -> list[Segment]:
    """Put every customer into the group found last and make a segment of each group.

    Groups of the same name as before keep their segment. Raises NotFound before any were found.
    """
    return do_now(tasks.save_groups(by=by, now=now), by=by, now=now, tell=tell)


def refresh_lookalikes(
    *, segment_id: int, now: datetime, rng: np.random.Generator, tell: Tell | None = None
) -> Lookalikes:
    """Learn what tells a segment's members from others, tried on some held out, and keep it.

    What the rule asks for is left out. Raises NotFound, and Refused for fewer than 100 members or
    others and when members cannot be told from others.
    """
    return do_now(tasks.resemble(segment_id=segment_id, now=now, rng=rng), now=now, tell=tell)


def find_lookalikes(*, segment_id: int) -> Lookalikes | None:
    """Return what `refresh_lookalikes` learnt last, with when; None for nothing in 30 days."""
    return lookalikes.find_lookalikes(segment_id=segment_id)


def renew_found_segments(*, now: datetime, rng: np.random.Generator) -> int:
    """Learn lookalikes anew and put everybody into their group anew, where segments ask for it.

    Returns how many scores were renewed. What cannot be learnt now stays as it was.
    """
    return renewing.renew_found(now=now, rng=rng)


def save_lookalikes(
    *, segment_id: int, size: int, by: str, now: datetime, tell: Tell | None = None
) -> Segment:
    """Make a segment of the ``size`` customers most like the members, by what was learnt last.

    Saved again it is the same segment, filled anew. Raises NotFound before anything was learnt,
    Invalid for a size outside 1 to 100,000.
    """
    task = tasks.save_nearest(segment_id=segment_id, size=size, by=by, now=now)
    return do_now(task, by=by, now=now, tell=tell)
