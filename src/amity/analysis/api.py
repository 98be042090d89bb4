"""The analysis engine's door for segments, their members, and scores; others stand beside it."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

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
from amity.analysis.estimator import load_estimators
from amity.analysis.logic import (
    exporting,
    following,
    following_evaluation,
    forgetting,
    naming,
    past_membership,
    retention,
    rule_texts,
    scores,
    segments,
    segments_reading,
    warehousing,
)
from amity.analysis.logic import overview as overview_
from amity.analysis.logic import together as together_
from amity.analysis.logic.files import running
from amity.analysis.logic.scoring import reasons, reliability
from amity.analysis.logic.scoring import renewing as following_scores
from amity.analysis.logic.working.doing import Tell, do_now
from amity.infra.database import Connection, transaction
from amity.infra.warehouse import Export
from amity.kernel.pagination import Page
from amity.rules import Explanation, Look, Subject
from amity.store.api_retention import Sweep
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


def update_segment(  # noqa: PLR0913  # one argument a thing that can be changed
    *,
    segment_id: int,
    name: str | None = None,
    rule: dict[str, Any] | None = None,
    description: str | None = None,
    seen_at: datetime | None = None,
    by: str,
    now: datetime,
) -> Segment:
    """Change what is given; a changed rule makes a new version, which is `building` at first.

    Until then those in it by the old rule stay. ``seen_at`` is the `updated_at` the change was
    made from. Raises NotFound, Invalid (also when the rule would depend on its own segment) and
    Conflict (the name is taken, the segment is archived, or not as it was ``seen_at``).
    """
    return segments.update_segment(
        segment_id=segment_id,
        name=name,
        rule=rule,
        description=description,
        seen_at=seen_at,
        by=by,
        now=now,
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


def know_names(*, kind: str, load: Callable[[list[int] | None], Mapping[int, str]]) -> None:
    """Say how to look up the names of a kind, `campaign` or `journey`, that are given by number.

    The engine that keeps them says so when it is loaded; asked for None, it gives all.
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


def follow_batch(*, now: datetime, limit: int = 4000) -> FoldResult:
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


def refresh_scores(*, now: datetime, tell: Tell | None = None) -> list[ModelRun]:
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
    from amity.analysis.logic.scoring.tasks import score  # noqa: PLC0415  # loads slowly

    return do_now(score(now=now), now=now, tell=tell)


def follow_scores(*, now: datetime, limit: int = 20_000) -> FoldResult:
    """Take one turn of the scores consumer: renew the scores of who did what they are made of.

    Cheap: no model is fitted, and only those customers' orders are read, at once. Percentiles are
    those of the next lower score until all are ranked again. Nothing is done while
    `refresh_scores` is at work; what came meanwhile is taken up after it.
    """
    return following_scores.follow_scores(now=now, limit=limit)


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


# What is forgotten by its age


def list_sweeps() -> list[Sweep]:
    """Return this engine's ways of forgetting, which rules of retention say the days for."""
    return retention.sweeps()


# The warehouse


def warehouse_exports() -> list[Export]:
    """Return what the engine exports to the warehouse."""
    return warehousing.warehouse_exports()
