"""Segments that suggest themselves: the words of RFM, and groups of alike customers."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.contracts import Segment
from amity.analysis.contracts_segments import ClusterSet, FoundCluster, RfmCell, RfmCells
from amity.analysis.estimator import Refused
from amity.analysis.logic import segments
from amity.analysis.logic.scoring.keeping import ScoreRow, replace_scores
from amity.analysis.logic.segment_tools.clustering import (
    COUNTS,
    assign,
    describe,
    group,
    standardise,
)
from amity.analysis.logic.segment_tools.figures import Figures, read_figures
from amity.analysis.logic.segment_tools.kept import find_answer, keep_answer
from amity.analysis.logic.segments_reading import tune
from amity.analysis.logic.working.doing import Doing
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import NotFound

_SQL = queries.load("amity.analysis")
_RFM: Final = "rfm_cells"
_CLUSTERS: Final = "clusters"
SCORE: Final = "cluster"
"""The score that holds everybody's group: its number, with the name as the label."""
SAMPLE: Final = 5_000
_SAVING: Final = 2


def find_rfm_cells() -> RfmCells | None:
    """Return what was last counted, or None."""
    return find_answer(_RFM, "", RfmCells)


def refresh_rfm_cells(*, now: datetime) -> RfmCells:
    """Count the customers of each word of RFM; see the door."""
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["list_rfm_cells"]).fetchall()
    total = sum(count for _, count in rows)
    if not total:
        raise Refused("nobody has an RFM score yet; scores are computed each night")
    cells = [RfmCell(word=word, customers=count, rate=count / total) for word, count in rows]
    found = RfmCells(customers=total, cells=cells, computed_at=now)
    keep_answer(_RFM, "", found, now)
    return found


def save_rfm_cell(*, word: str, by: str, now: datetime) -> Segment:
    """Make a segment of those RFM gives a word; it follows the score. See the door."""
    with transaction("readonly") as connection:
        known = [row[0] for row in connection.execute(_SQL["list_rfm_cells"])]
    if word not in known:
        raise NotFound(f"RFM calls nobody {word!r}", code="no_cell")
    return segments.create_segment(
        name=f"RFM: {word}",
        rule=_by_label("rfm", "ends_with", f" {word}"),
        description="Made of an RFM cell; it follows the score, which is renewed each night.",
        by=by,
        now=now,
    )


def _by_label(score: str, op: str, value: str) -> dict[str, Any]:
    return {"node": "score", "score": score, "by": "label", "is": {"op": op, "value": value}}


def find_clusters() -> ClusterSet | None:
    """Return the groups last found, or None."""
    return find_answer(_CLUSTERS, "", ClusterSet)


def refresh_clusters(*, now: datetime, rng: np.random.Generator, doing: Doing) -> ClusterSet:
    """Find groups of alike customers and keep them; see the door."""
    with transaction("readonly") as connection, doing.over(connection):
        doing.tell(0, len(COUNTS) + 1, "drawing customers and reading their figures")
        tune(connection)
        ids = [row[0] for row in connection.execute(_SQL["sample_profiles"], [SAMPLE])]
        figures = read_figures(connection, now=now, ids=ids)
    grouping = group(figures.scaled, rng, doing.tell)
    clusters = describe(figures.plain, grouping)
    found = ClusterSet(
        looked_at=len(figures.ids),
        is_sampled=len(figures.ids) == SAMPLE,
        chosen=grouping.chosen,
        tried=grouping.tried,
        clusters=clusters,
        means=grouping.means.tolist(),
        deviations=grouping.deviations.tolist(),
        sentence=(
            f"The customers fall into {len(clusters)} groups; the largest is “{clusters[0].name}”, "
            f"{clusters[0].rate:.0%} of them."
        ),
        computed_at=now,
    )
    keep_answer(_CLUSTERS, "", found, now)
    return found


def check_saving() -> ClusterSet:
    """Return the groups last found; raise NotFound when there are none to make segments of."""
    found = find_clusters()
    if found is None:
        raise NotFound("groups were not looked for yet", code="no_clusters")
    return found


def find_saved() -> list[Segment]:
    """Return the segments made of the groups last found."""
    found = find_clusters()
    held = [_find(_name_of(cluster)) for cluster in found.clusters] if found else []
    return [each for each in held if each is not None]


def _name_of(cluster: FoundCluster) -> str:
    return f"Group: {cluster.name}"[:100]


def save_clusters(*, by: str, now: datetime, doing: Doing) -> list[Segment]:
    """Put everybody into the group last found and make a segment of each; see the door."""
    found = check_saving()
    with transaction() as connection, doing.over(connection):
        doing.tell(0, _SAVING, "putting everybody into the nearest group")
        rescore(connection, found, now=now)
    doing.tell(1, _SAVING, "making the segments")
    made = []
    for cluster in found.clusters:
        name = _name_of(cluster)
        rule = _by_label(SCORE, "eq", cluster.name)
        held = _find(name)
        made.append(
            segments.create_segment(
                name=name,
                rule=rule,
                description=_ABOUT.format(day=f"{found.computed_at:%-d %b %Y}"),
                by=by,
                now=now,
            )
            if held is None
            else segments.update_segment(
                segment_id=held.segment_id, name=None, rule=rule, description=None, by=by, now=now
            )
        )
    return made


_ABOUT: Final = (
    "Alike customers, found by k-means on {day}. Each night everybody is put into the group they "
    "are nearest to; the groups stay as they are until they are saved anew."
)


def rescore(connection: Connection, found: ClusterSet, *, now: datetime) -> None:
    """Put everybody into the nearest of the groups that were found."""
    tune(connection)
    run_id = _record(connection, found, now)
    # Read before the scores are written: a connection does one thing at a time.
    figures = read_figures(connection, now=now, ids=None)
    replace_scores(connection, names=[SCORE], rows=_rate_everybody(figures, found, run_id))


def keep_clusters(found: ClusterSet, now: datetime) -> None:
    """Keep groups that segments are made of from being forgotten."""
    keep_answer(_CLUSTERS, "", found, now)


def _find(name: str) -> Segment | None:
    with transaction("readonly") as connection:
        return segments.Definitions(connection).find(name)


def _record(connection: Connection, found: ClusterSet, now: datetime) -> int:
    report = msgspec.json.encode({"chosen": found.chosen, "tried": found.tried}).decode()
    parameters = msgspec.json.encode({"clusters": found.chosen.clusters}).decode()
    values = [SCORE, now, found.looked_at, parameters, report]
    row = connection.execute(_SQL["scores_record"], values).fetchone()
    assert row is not None
    return int(row[0])


def _rate_everybody(figures: Figures, found: ClusterSet, run_id: int) -> Iterator[ScoreRow]:
    points = standardise(figures.scaled, np.array(found.means), np.array(found.deviations))
    nearest = assign(points, np.array([each.centre for each in found.clusters]))
    for profile_id, place in zip(figures.ids.tolist(), nearest.tolist(), strict=True):
        cluster = found.clusters[place]
        yield profile_id, SCORE, float(cluster.number), cluster.name, None, None, run_id
