"""The analysis engine's door: keyword-only functions, contracts in and out."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from amity.analysis.contracts import (
    Concentration,
    Figure,
    Membership,
    ModelRun,
    Preview,
    Score,
    ScoreReason,
    Segment,
    SegmentCount,
    SegmentMoves,
)
from amity.analysis.contracts_batch import BatchAnswer, PastMembership
from amity.analysis.contracts_estimates import FileEstimate, FileEstimateWords, OptionValue
from amity.analysis.contracts_reliability import EstimatorWords, Reliability
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
from amity.analysis.estimator import load_estimators
from amity.analysis.logic import (
    exporting,
    following,
    following_evaluation,
    forgetting,
    naming,
    past_membership,
    rule_texts,
    scores,
    segments,
    segments_reading,
    warehousing,
)
from amity.analysis.logic import overview as overview_
from amity.analysis.logic import together as together_
from amity.analysis.logic.files import running
from amity.analysis.logic.scoring import reasons, recent, reliability
from amity.analysis.logic.segment_tools import (
    automatic,
    differences,
    impact,
    lookalikes,
    movement,
    overlap,
    renewing,
    reviewing,
    versions,
)
from amity.infra.database import Connection, transaction
from amity.infra.warehouse import Export
from amity.kernel.pagination import Page
from amity.rules import Explanation, Look, Subject
from amity.store.contracts import FoldResult

# Segments


def create_segment(
    *, name: str, rule: dict[str, Any], description: str = "", by: str, now: datetime
) -> Segment:
    """Add a segment; it is `building` until the follower has read history, soon after.

    Raises Invalid for a rule that cannot be read or names a segment that is not there, Conflict
    when the name is taken, in whatever case of letters.
    """
    return segments.create_segment(name=name, rule=rule, description=description, by=by, now=now)


def update_segment(  # one argument a thing that can be changed
    *,
    segment_id: int,
    name: str | None = None,
    rule: dict[str, Any] | None = None,
    description: str | None = None,
    by: str,
    now: datetime,
) -> Segment:
    """Change what is given; a changed rule makes a new version, which is `building` at first.

    Until then those in it by the old rule stay. Raises NotFound, Invalid (also when the rule
    would depend on its own segment) and Conflict (the name is taken, the segment is archived).
    """
    return segments.update_segment(
        segment_id=segment_id, name=name, rule=rule, description=description, by=by, now=now
    )


def archive_segment(*, segment_id: int, by: str, now: datetime) -> Segment:
    """Stop following a segment; its past is kept and its name is free again.

    Raises Conflict while other segments use it.
    """
    return segments.archive_segment(segment_id=segment_id, by=by, now=now)


def restore_segment(*, segment_id: int, by: str, now: datetime) -> Segment:
    """Follow an archived segment again, filled anew from history.

    Raises Conflict when another segment has its name by now, Invalid when its rule names a
    segment that is gone.
    """
    return segments.restore_segment(segment_id=segment_id, by=by, now=now)


def get_segment(*, segment_id: int) -> Segment:
    """Return a segment, archived or not; raise NotFound when there is none."""
    with transaction("readonly") as connection:
        return segments.Definitions(connection).make(segment_id)


def find_segment(*, name: str) -> Segment | None:
    """Return the segment of that name, in any case of letters, that is not archived."""
    with transaction("readonly") as connection:
        return segments.Definitions(connection).find(name)


def list_segments(*, is_archived: bool | None = False) -> list[Segment]:
    """Return the segments by name; with True those archived, with None all."""
    with transaction("readonly") as connection:
        return segments.Definitions(connection).list_all(is_archived=is_archived)


def read_rule(*, written: str) -> dict[str, Any]:
    """Return the JSON of a rule that somebody wrote, as text or as JSON.

    Raises Invalid with the place and the reason; segments go by their names.
    """
    return rule_texts.read_rule(written)


def write_rule(*, rule: dict[str, Any]) -> str:
    """Write a rule as text that `read_rule` reads back; raise Invalid when it cannot be read."""
    return rule_texts.write_rule(rule)


def describe_rule(*, rule: dict[str, Any]) -> str:
    """Say a rule in words, with the names there are; raise Invalid when it cannot be read."""
    return rule_texts.describe_rule(rule)


def know_names(*, kind: str, load: Callable[[list[int]], Mapping[int, str]]) -> None:
    """Say how to look up the names of a kind, `campaign` or `journey`, that rules give by number.

    The engine that keeps them says so when it is loaded.
    """
    naming.know_names(kind=kind, load=load)


def list_score_names() -> list[str]:
    """Return the names of the scores somebody has."""
    return segments_reading.list_score_names()


def preview(*, rule: dict[str, Any], now: datetime) -> Preview:
    """Run a rule over everyone now, without keeping it; raise Invalid when it cannot be read."""
    return segments_reading.preview(rule=rule, now=now)


def list_members_at(
    *, segment_id: int, at: datetime, cursor: str | None = None, limit: int = 50
) -> Page[Membership]:
    """Return who was in a segment at a moment, as it was followed then; the latest to enter first.

    Raises NotFound, and Invalid for a moment without a time zone.
    """
    return past_membership.list_members_at(segment_id=segment_id, at=at, cursor=cursor, limit=limit)


def explain_at(*, segment_id: int, profile_id: int, at: datetime) -> PastMembership:
    """Say whether a customer was in a segment at a moment, and why, by what was known then.

    The rule is that which was in force; events count when they had been received by then. Raises
    NotFound when the customer or a rule was not known then. Cost grows with her events.
    """
    return past_membership.explain_at(segment_id=segment_id, profile_id=profile_id, at=at)


def find_batch(*, rule: dict[str, Any], now: datetime) -> BatchAnswer:
    """Return who passes a rule by the warehouse, which may be behind; it says how far.

    Reads Parquet, not the database: for questions over years of events. Raises Invalid for a rule
    about what is not in the warehouse, Unavailable while there is none or when it takes too long.
    """
    from amity.analysis.logic.batch import finding  # noqa: PLC0415  # loads slowly

    return finding.find_batch(rule=rule, now=now)


def explain(*, rule: dict[str, Any], profile_id: int, now: datetime) -> Explanation:
    """Say of every part of a rule whether a profile passes it now."""
    return segments_reading.explain_rule(rule=rule, profile_id=profile_id, now=now)


def list_members(
    *, segment_id: int, cursor: str | None = None, limit: int = 50
) -> Page[Membership]:
    """Return who is in a segment, the latest to enter first."""
    return segments_reading.list_members(segment_id=segment_id, cursor=cursor, limit=limit)


def list_moves(*, segment_id: int, limit: int = 10) -> SegmentMoves:
    """Return who entered and who left a segment last, the latest first."""
    return segments_reading.list_moves(segment_id=segment_id, limit=limit)


def list_memberships(*, profile_id: int) -> list[Membership]:
    """Return a profile's stays in segments, those that last first, then the latest."""
    return segments_reading.list_memberships(profile_id=profile_id)


def list_counts(*, segment_id: int) -> list[SegmentCount]:
    """Return how many were in a segment, by day, oldest first.

    Days since it exists are counted; some weeks before are reconstructed: its rule with the
    behaviour as of then, but with traits, consents and totals as they are today.
    """
    return segments_reading.list_counts(segment_id=segment_id)


def follow_batch(*, now: datetime, limit: int = 2000) -> FoldResult:
    """Take one turn of the segments consumer: new definitions, new activities, due timers.

    `events` is how much was done; zero means there was nothing to do, or another process has
    the turn.
    """
    return following.follow_batch(now=now, limit=limit)


def load_subjects(
    *,
    connection: Connection,
    profile_ids: list[int],
    looks: Mapping[str, Look],
    together: Collection[tuple[str, int | None]] = (),
    now: datetime,
) -> dict[int, Subject]:
    """Return profiles as rules see them, by id, with the memberships they have now.

    ``looks`` says what of their histories is needed (`rules.mentions(rule).looks`), ``together``
    what of their households and companies. Profiles that
    are gone or merged into others are left out.
    """
    return following_evaluation.load_subjects(
        connection, profile_ids=profile_ids, looks=looks, together=together, now=now
    )


def note_links() -> None:
    """Have rules about households and companies asked again of everybody, in the coming turns."""
    with transaction() as connection:
        together_.note_links(connection)


def rebuild_memberships() -> int:
    """Have every live segment read against history anew in the coming turns; how many."""
    return following.rebuild_memberships()


def forget_profiles(*, profile_ids: list[int]) -> dict[str, int]:
    """Delete memberships, timers and scores of erased profiles; return how many by table."""
    return forgetting.forget_profiles(profile_ids=profile_ids)


# Segment tools


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
    *, segment_id: int, against_id: int | None = None, now: datetime
) -> SegmentDifferences:
    """Find what sets a segment's members apart from everybody else, or another's, and keep it.

    About a second, however many customers: at most 10,000 of each group are looked at. Raises
    Refused when either has fewer than 30, NotFound, and Invalid for the segment itself.
    """
    return differences.refresh_differences(segment_id=segment_id, against_id=against_id, now=now)


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


def refresh_clusters(*, now: datetime, rng: np.random.Generator) -> ClusterSet:
    """Find groups of alike customers by k-means, and keep them.

    Looks at up to 5,000 customers and takes some seconds. How many groups is chosen by silhouette
    among those found again in resamples. Raises Refused for fewer than 200 customers, when no
    number is found again, and when there is no structure to speak of.
    """
    return automatic.refresh_clusters(now=now, rng=rng)


def find_clusters() -> ClusterSet | None:
    """Return what `refresh_clusters` found last, with when; None for nothing in 30 days."""
    return automatic.find_clusters()


def save_clusters(*, by: str, now: datetime) -> list[Segment]:
    """Put every customer into the group found last and make a segment of each group.

    Groups of the same name as before keep their segment. Raises NotFound before any were found.
    """
    return automatic.save_clusters(by=by, now=now)


def refresh_lookalikes(*, segment_id: int, now: datetime, rng: np.random.Generator) -> Lookalikes:
    """Learn what tells a segment's members from others, tried on some held out, and keep it.

    What the rule asks for is left out. Raises NotFound, and Refused for fewer than 100 members or
    others and when members cannot be told from others.
    """
    return lookalikes.refresh_lookalikes(segment_id=segment_id, now=now, rng=rng)


def find_lookalikes(*, segment_id: int) -> Lookalikes | None:
    """Return what `refresh_lookalikes` learnt last, with when; None for nothing in 30 days."""
    return lookalikes.find_lookalikes(segment_id=segment_id)


def renew_found_segments(*, now: datetime, rng: np.random.Generator) -> int:
    """Learn lookalikes anew and put everybody into their group anew, where segments ask for it.

    Returns how many scores were renewed. What cannot be learnt now stays as it was.
    """
    return renewing.renew_found(now=now, rng=rng)


def save_lookalikes(*, segment_id: int, size: int, by: str, now: datetime) -> Segment:
    """Make a segment of the ``size`` customers most like the members, by what was learnt last.

    Saved again it is the same segment, filled anew. Raises NotFound before anything was learnt,
    Invalid for a size outside 1 to 100,000.
    """
    return lookalikes.save_lookalikes(segment_id=segment_id, size=size, by=by, now=now)


# Estimators and reports


def list_file_estimates() -> list[FileEstimateWords]:
    """Return what can be estimated from a file without any store, by name."""
    return running.list_file_estimates()


def estimate_file(
    *,
    name: str,
    path: Path,
    options: Mapping[str, OptionValue],
    out: Path | None = None,
    now: datetime,
) -> FileEstimate:
    """Estimate from a CSV file, touching no database; see `list_file_estimates`.

    ``out`` is written with the rows of the answer. Raises NotFound for an unknown estimate,
    Invalid for a wrong column or option, Refused (`data_cannot_carry`) when the rows cannot
    carry the answer, OSError when a file cannot be read or written.
    """
    return running.estimate_file(name=name, path=path, options=options, out=out, now=now)


def run_exports(*, now: datetime, run_id: int | None = None) -> int:
    """Run the oldest export that waits (`store.api.ask_export`), or this one; return 0 or 1.

    Who does not allow its purpose is left out and counted by reason.
    """
    return exporting.run_exports(now=now, run_id=run_id)


def refresh_scores(*, now: datetime) -> list[ModelRun]:
    """Fit the estimators to all orders up to ``now`` and replace every score of theirs.

    Scores: `rfm` (3 to 15, its label such as "5-4-3 Champion"), `p_alive`, `expected_purchases`
    (90 days), `churn` (the chance to buy nothing in 90 days), `next_purchase_days` (half of
    customers alike who still buy are back by then), `next_basket`, `clv` (12 months, discounted,
    in the home currency) and, with a margin rate set, `profit` (the same, less the goods and what
    orders cost). What the data cannot carry is left out; the report of its run says why under
    "refused". The runs of `bgnbd` and of its rival `pareto_nbd`, which makes no scores, carry a
    check against held-out time under "calibration". Earlier predictions that are due are compared
    with what came. Takes seconds at a hundred thousand customers.
    """
    return scores.refresh_scores(now=now)


def refresh_recent_scores(*, now: datetime) -> int:
    """Predict anew who ordered since `refresh_scores`, by its models; of how many it changed.

    Cheap: no model is fitted, and only those customers' orders are read. Percentiles are those of
    the next lower score until all are ranked again; RFM waits for the next refresh.
    """
    return recent.refresh_recent_scores(now=now)


def list_scores(*, profile_id: int) -> list[Score]:
    """Return the scores of a profile, by name; none when it has never ordered."""
    return scores.list_scores(profile_id=profile_id)


def explain_scores(*, profile_id: int, now: datetime) -> dict[str, list[ScoreReason]]:
    """Return what moves each score of a customer's orders most, by score, the strongest first.

    Made by the models of the last refresh: each fact is put to what is typical, in turn. Scores
    made otherwise say their reasons in their labels. Some milliseconds.
    """
    return reasons.explain_scores(profile_id=profile_id, now=now)


def get_latest_run(*, estimator: str) -> ModelRun:
    """Return the latest fitting of `rfm`, `bgnbd`, `gamma_gamma` or `pareto_nbd`.

    Raises NotFound when there is none yet.
    """
    return scores.get_latest_run(estimator=estimator)


def list_reliability(*, now: datetime) -> list[Reliability]:
    """Return how far predictions came true, by score, over those of the last two years."""
    return reliability.list_reliability(now=now)


def list_estimators() -> list[EstimatorWords]:
    """Return the estimators of purchases there are, with their model cards."""
    return [
        EstimatorWords(name=kind.name, version=kind.version, card=kind.card)
        for kind in load_estimators()
    ]


def overview(*, now: datetime, days: int = 90) -> list[Figure]:
    """Return acquisition, expansion, retention, active customers and revenue, in this order.

    The window is the last ``days`` days (7 to 730, today included, UTC); see `Figure`. Shares are
    in 0..1 (unit "share"), counts have the unit "customers", money is in units of the home
    currency (the unit is its code). Trends are by week, each dated with its first day.
    """
    return overview_.overview(now=now, days=days)


def concentration() -> Concentration:
    """Return how far revenue hangs on few customers, with the whole curve to draw."""
    return overview_.concentration()


# The warehouse


def warehouse_exports() -> list[Export]:
    """Return what the engine exports to the warehouse."""
    return warehousing.warehouse_exports()
