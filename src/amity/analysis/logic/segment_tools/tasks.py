"""The tools about segments that take long, as work that is asked for, seen by all and stopped."""

from datetime import datetime

import numpy as np

from amity.analysis.contracts import Segment
from amity.analysis.contracts_segments import ClusterSet, Lookalikes, SegmentDifferences
from amity.analysis.logic.segment_tools import automatic, differences, lookalikes
from amity.analysis.logic.segments import Definitions
from amity.analysis.logic.working.doing import Task
from amity.infra.database import transaction
from amity.kernel.errors import Invalid


def compare(*, segment_id: int, against_id: int | None, now: datetime) -> Task[SegmentDifferences]:
    """Return the work of finding what sets a segment apart; raise NotFound and Invalid."""
    if segment_id == against_id:
        raise Invalid("a segment does not differ from itself", code="same_segment")
    other = "everybody else" if against_id is None else _name_of(against_id)
    return Task(
        kind="differences",
        parameters={"segment_id": segment_id, "against_id": against_id},
        title=f"What sets {_name_of(segment_id)} apart from {other}",
        act=lambda doing: differences.refresh_differences(
            segment_id=segment_id, against_id=against_id, now=now, doing=doing
        ),
        find=lambda: differences.find_differences(segment_id=segment_id, against_id=against_id),
    )


def resemble(*, segment_id: int, now: datetime, rng: np.random.Generator) -> Task[Lookalikes]:
    """Return the work of learning who resembles a segment's members; raise NotFound."""
    return Task(
        kind="lookalikes",
        parameters={"segment_id": segment_id},
        title=f"Who resembles those in {_name_of(segment_id)}",
        act=lambda doing: lookalikes.refresh_lookalikes(
            segment_id=segment_id, now=now, rng=rng, doing=doing
        ),
        find=lambda: lookalikes.find_lookalikes(segment_id=segment_id),
    )


def save_nearest(*, segment_id: int, size: int, by: str, now: datetime) -> Task[Segment]:
    """Return the work of making a segment of the nearest; raise NotFound and Invalid."""
    learnt = lookalikes.check_saving(segment_id=segment_id, size=size)
    return Task(
        kind="lookalikes_saved",
        # One size at a time: all of them fill the same segment.
        asked={"segment_id": segment_id},
        parameters={"segment_id": segment_id, "size": size},
        title=f"The segment of the {size:,} most like those in {learnt.name}",
        act=lambda doing: lookalikes.save_lookalikes(
            segment_id=segment_id, size=size, by=by, now=now, doing=doing
        ),
        find=lambda: lookalikes.find_saved(segment_id=segment_id),
    )


def group(*, now: datetime, rng: np.random.Generator) -> Task[ClusterSet]:
    """Return the work of finding groups of alike customers."""
    return Task(
        kind="groups",
        parameters={},
        title="Groups of alike customers",
        act=lambda doing: automatic.refresh_clusters(now=now, rng=rng, doing=doing),
        find=automatic.find_clusters,
    )


def save_groups(*, by: str, now: datetime) -> Task[list[Segment]]:
    """Return the work of making segments of the groups last found; raise NotFound."""
    automatic.check_saving()
    return Task(
        kind="groups_saved",
        parameters={},
        title="The segments of the groups that were found",
        act=lambda doing: automatic.save_clusters(by=by, now=now, doing=doing),
        find=automatic.find_saved,
    )


def _name_of(segment_id: int) -> str:
    with transaction("readonly") as connection:
        return Definitions(connection).make(segment_id).name
