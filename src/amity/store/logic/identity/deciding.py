"""Deciding many pairs of the review queue at once, with a look ahead, and taking that back."""

from collections import Counter
from datetime import datetime
from typing import Any, Final

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store.contracts_identity import (
    Candidate,
    CandidateChoice,
    CandidateKind,
    Decision,
    Forecast,
)
from amity.store.logic.identity.candidates import decide, to_candidate

_SQL: Final = queries.load("amity.store")
MOST_AT_ONCE: Final = 200
_SHOWN: Final = 10


class _Enough(Exception):
    """Ends a look ahead, so that nothing of it stays."""


def forecast_decisions(
    *,
    kind: CandidateKind,
    choice: CandidateChoice,
    bound: float,
    by: str,
    now: datetime,
) -> Forecast:
    """Say what `decide_candidates` would do, by doing it and taking all of it back at once."""
    pairs: list[Candidate] = []
    refused: Counter[str] = Counter()
    is_all = True
    try:
        with transaction() as connection:
            pairs, is_all = _find(connection, kind, choice, bound)
            refused = _decide_all(connection, pairs, choice=choice, by=by, now=now, batch="")[1]
            raise _Enough
    except _Enough:
        pass
    return Forecast(pairs=len(pairs), refused=dict(refused), some=pairs[:_SHOWN], is_all=is_all)


def decide_candidates(
    *,
    kind: CandidateKind,
    choice: CandidateChoice,
    bound: float,
    by: str,
    now: datetime,
) -> Decision:
    """Accept all open pairs of a kind that are likely enough (``bound`` and above), or reject
    those that are not (``bound`` and below); 200 at once, the surest first.

    Those that cannot be joined stay open. Raises NotFound when there are none.
    """
    batch = f"{choice}-{kind}-{now.timestamp():.6f}"
    with transaction() as connection:
        pairs, _ = _find(connection, kind, choice, bound)
        done, _ = _decide_all(connection, pairs, choice=choice, by=by, now=now, batch=batch)
    if not done:
        raise NotFound("there is no pair to decide by this")
    return Decision(
        batch=batch,
        state="accepted" if choice == "accept" else "rejected",
        decided_at=now,
        decided_by=by,
        pairs=done,
    )


def undo_decisions(*, batch: str, by: str, now: datetime) -> int:
    """Take back what was decided at once; return how many pairs wait again.

    Raises NotFound, or Conflict while a join is still under way.
    """
    with transaction() as connection:
        ids = [row[0] for row in connection.execute(_SQL["find_batch"], [batch]).fetchall()]
        for candidate_id in ids:
            decide(connection, candidate_id=candidate_id, choice="undo", by=by, now=now)
    if not ids:
        raise NotFound("there is nothing to take back of this")
    return len(ids)


def list_decisions() -> list[Decision]:
    """Return what was decided at once and still holds, the latest first."""
    with transaction() as connection:
        rows = connection.execute(_SQL["list_batches"]).fetchall()
    return [
        Decision(batch=row[0], state=row[1], decided_at=row[2], decided_by=row[3], pairs=row[4])
        for row in rows
    ]


def _find(
    connection: Connection, kind: CandidateKind, choice: CandidateChoice, bound: float
) -> tuple[list[Candidate], bool]:
    if choice == "undo":
        raise Invalid("several pairs are taken back by what they were decided in")
    if not 0 <= bound <= 1:
        raise Invalid("the bound is a probability: from 0 to 1", code="bad_bound")
    about: dict[str, Any] = {
        "kind": kind,
        "lowest": bound if choice == "accept" else 0,
        "highest": 1 if choice == "accept" else bound,
        "limit": MOST_AT_ONCE + 1,
    }
    rows = connection.execute(_SQL["find_candidates_by_chance"], about).fetchall()
    return [to_candidate(row) for row in rows[:MOST_AT_ONCE]], len(rows) <= MOST_AT_ONCE


def _decide_all(
    connection: Connection,
    pairs: list[Candidate],
    *,
    choice: CandidateChoice,
    by: str,
    now: datetime,
    batch: str,
) -> tuple[int, Counter[str]]:
    """Decide pair by pair; return how many were, and why others could not be."""
    refused: Counter[str] = Counter()
    for pair in pairs:
        try:
            with connection.transaction():
                decide(
                    connection,
                    candidate_id=pair.candidate_id,
                    choice=choice,
                    by=by,
                    now=now,
                    batch=batch,
                )
        except Conflict as error:
            refused[str(error)] += 1
    return len(pairs) - refused.total(), refused
