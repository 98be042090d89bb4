"""Judging candidates: who may be shown what, before anything is chosen.

The order never changes: lawful → preference → fatigue → eligibility → budget. What was judged is
remembered by what it was judged by: a shop has many customers and few kinds of them.
"""

from datetime import datetime
from typing import Final

from amity.personalization.contracts import Verdict
from amity.personalization.logic.facts import PROFILING, Facts
from amity.personalization.logic.snapshot import Candidate, Judged, Place

_MOST_KINDS: Final = 4_096


def may_profile(facts: Facts, now: datetime) -> bool:
    """Say whether the person may be looked at at all; of a stranger there is nothing to see."""
    return facts.consents.get(PROFILING, "granted") == "granted" and _holds(facts, PROFILING, now)


def _holds(facts: Facts, purpose: str, now: datetime) -> bool:
    """Say whether a yes is not over: facts are kept for a while after they were loaded."""
    until = facts.until.get(purpose) if facts.until else None
    return until is None or now < until


def judge(place: Place, facts: Facts, now: datetime) -> Judged:
    """Return what becomes of every candidate of a placement.

    Facts that share their subject and their consents are of the same kind: only their caps are
    looked at one by one. Where time alone can change a verdict nothing is remembered.
    """
    capped = _list_capped(place, facts, now) if facts.impressions else ()
    if not place.is_steady or facts.until:
        return _judge_all(place, facts, now, capped)
    subject, consents = facts.subject, facts.consents
    key = (id(subject), id(consents), capped, place.spent)
    judged = place.judged.get(key)
    if judged is None:
        found = _judge_all(place, facts, now, capped)
        # It holds on to them, so that nothing else can get their ids.
        judged = Judged(found.verdicts, found.eligible, (subject, consents))
        if len(place.judged) >= _MOST_KINDS:
            place.judged.clear()
        place.judged[key] = judged
    return judged


def _judge_all(place: Place, facts: Facts, now: datetime, capped: tuple[int, ...]) -> Judged:
    profiled = may_profile(facts, now)
    verdicts: list[Verdict] = []
    eligible: list[int] = []
    for index, candidate in enumerate(place.candidates):
        verdict = _judge(
            candidate, facts, now, may_profile=profiled, is_capped=candidate.offer_id in capped
        )
        if verdict is None:
            if candidate.offer_id in place.spent:
                verdict = candidate.verdicts.spent
            else:
                verdict = candidate.verdicts.passed
                eligible.append(index)
        verdicts.append(verdict)
    return Judged(verdicts, tuple(eligible))


def _list_capped(place: Place, facts: Facts, now: datetime) -> tuple[int, ...]:
    """Return the offers that the person has seen as often as she may."""
    found = []
    for key, seen in facts.impressions.items():
        candidate = place.capped.get(key)
        if candidate is None or len(seen) < (candidate.cap_count or 0):
            continue
        if _is_capped(candidate, seen, now):
            found.append(candidate.offer_id)
    return tuple(found)


def _judge(
    candidate: Candidate, facts: Facts, now: datetime, *, may_profile: bool, is_capped: bool
) -> Verdict | None:
    """Return what stops a candidate before its budget; None when nothing does."""
    if not candidate.is_open:
        closed = _find_closed(candidate, now)
        if closed is not None:
            return closed
    matches = candidate.matches
    if matches is not None and not may_profile:
        return candidate.verdicts.not_profiled
    if candidate.purpose and not _agrees(facts, candidate.purpose, now):
        return candidate.verdicts.no_consent
    if is_capped:
        return candidate.verdicts.capped
    if matches is not None and not matches(facts.subject, now):
        return candidate.verdicts.not_eligible
    return None


def _agrees(facts: Facts, purpose: str, now: datetime) -> bool:
    return facts.consents.get(purpose) == "granted" and _holds(facts, purpose, now)


def _find_closed(candidate: Candidate, now: datetime) -> Verdict | None:
    if not candidate.is_live:
        return candidate.verdicts.paused
    if candidate.starts_at is not None and now < candidate.starts_at:
        return candidate.verdicts.too_early
    if candidate.ends_at is not None and now >= candidate.ends_at:
        return candidate.verdicts.too_late
    return None


def _is_capped(candidate: Candidate, seen: list[datetime], now: datetime) -> bool:
    since = now - candidate.cap_window
    return sum(at > since for at in seen) >= (candidate.cap_count or 0)
