"""The review queue: pairs that may be one person, and the households and companies beside it.

What a rule or a matcher is not sure of waits here for somebody. Accepting records the merge in
the log; rejecting keeps the pair from being offered again. Both can be taken back.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

from psycopg.types.json import Jsonb

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, NotFound
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.store.contracts_identity import (
    Candidate,
    CandidateChoice,
    CandidateKind,
    CandidateState,
    Suggestion,
)
from amity.store.logic.identity.hand import merge_profiles, undo_join

_SQL: Final = queries.load("amity.store")
_MOST: Final = 200
FREE_MAIL: Final = (
    *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com"),
    *("yahoo.com", "ymail.com", "aol.com", "icloud.com", "me.com", "mac.com", "gmx.at", "gmx.de"),
    *("gmx.net", "gmx.com", "web.de", "t-online.de", "freenet.de", "mail.com", "mail.ru"),
    *("yandex.ru", "qq.com", "163.com", "126.com", "protonmail.com", "proton.me", "zoho.com"),
    *("orange.fr", "free.fr", "laposte.net", "libero.it", "btinternet.com", "comcast.net"),
)
"""Domains whose addresses say nothing about where somebody works."""
_COMPANY: Final = 0.7
_HOUSEHOLD: Final = 0.8
_MOST_MEMBERS: Final = 500


def suggest_candidates(
    *, connection: Connection, suggestions: Sequence[Suggestion], origin: str, now: datetime
) -> int:
    """Put pairs into the queue; those decided already stay decided. Returns how many are new."""
    rows = [
        (
            *sorted((each.one_id, each.other_id)),
            *(each.kind, origin, each.probability, Jsonb(each.explanation), now),
        )
        for each in suggestions
        if each.one_id != each.other_id
    ]
    if not rows:
        return 0
    columns = list(map(list, zip(*rows, strict=True)))
    return connection.execute(_SQL["insert_candidates"], columns).rowcount


def gather_candidates(*, now: datetime) -> int:
    """Offer pairs whose evidence was not enough to join them, as far as joining them is allowed."""
    with transaction() as connection:
        return connection.execute(_SQL["gather_candidates"], {"now": now}).rowcount


def gather_links(*, now: datetime) -> int:
    """Make all households and companies anew from what profiles say; return how many rows."""
    with transaction() as connection:
        connection.execute(_SQL["stage_links"])
        households = connection.execute(
            _SQL["gather_households"],
            {"now": now, "probability": _HOUSEHOLD, "most": _MOST_MEMBERS},
        )
        companies = connection.execute(
            _SQL["gather_companies"],
            {
                "now": now,
                "probability": _COMPANY,
                "free": list(FREE_MAIL),
                "most": _MOST_MEMBERS,
            },
        )
        about = {"now": now, "most": _MOST_MEMBERS}
        employers = connection.execute(_SQL["gather_employers"], about)
        for step in ("note_gone_links", "delete_gone_links", "keep_links", "unstage_links"):
            connection.execute(_SQL[step])
        return households.rowcount + companies.rowcount + employers.rowcount


def list_candidates(
    *,
    state: CandidateState = "open",
    origin: str = "",
    kind: CandidateKind | Literal[""] = "",
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Candidate]:
    """Return a page of pairs, the newest first; open ones that are one by now are left out."""
    limit = max(1, min(limit, _MOST))
    before = decode_cursor(cursor, (int,))[0] if cursor is not None else None
    with transaction() as connection:
        rows = connection.execute(
            _SQL["list_candidates"],
            {
                "state": state,
                "origin": origin,
                "kind": kind,
                "before": before,
                "limit": limit + 1,
            },
        ).fetchall()
    more, rows = len(rows) > limit, rows[:limit]
    return Page([to_candidate(row) for row in rows], encode_cursor([rows[-1][0]]) if more else None)


def get_candidate(*, candidate_id: int) -> Candidate:
    """Return one pair; raise NotFound."""
    with transaction() as connection:
        row = connection.execute(_SQL["get_candidate"], [candidate_id]).fetchone()
    if row is None:
        raise NotFound("there is no such pair")
    return to_candidate(row)


def count_candidates() -> int:
    """Return how many pairs wait to be decided, a hundred at most."""
    with transaction() as connection:
        row = connection.execute(_SQL["count_candidates"]).fetchone()
    assert row is not None
    count: int = row[0]
    return count


def decide_candidate(
    *, candidate_id: int, choice: CandidateChoice, by: str, now: datetime
) -> Candidate:
    """Accept a pair, reject it for good, or take either back.

    An accepted pair of one person is joined; one of a household or a company is linked and stays
    two. Raises NotFound, or Conflict when it was decided otherwise meanwhile or cannot be joined.
    """
    with transaction() as connection:
        decide(connection, candidate_id=candidate_id, choice=choice, by=by, now=now)
    return get_candidate(candidate_id=candidate_id)


def decide(  # one decision: about what, which, by whom, when, with which others
    connection: Connection,
    *,
    candidate_id: int,
    choice: CandidateChoice,
    by: str,
    now: datetime,
    batch: str = "",
) -> None:
    """Decide a pair in the caller's transaction; see `decide_candidate`."""
    row = connection.execute(_SQL["lock_candidate"], [candidate_id]).fetchone()
    if row is None:
        raise NotFound("there is no such pair")
    one_id, other_id, kind, state, join_id = row
    if (state == "open") is (choice == "undo"):
        raise Conflict("somebody has decided this pair meanwhile", code="decided")
    joined = ""
    if choice == "accept" and kind == "person":
        joined = merge_profiles(
            winner=one_id, loser=other_id, by=by, now=now, reason="review", connection=connection
        )
    elif choice == "undo" and join_id:
        undo_join(connection=connection, join_id=join_id, by=by, now=now)
    told = {"accept": "accepted", "reject": "rejected", "undo": "open"}[choice]
    about = {"id": candidate_id, "state": told, "join_id": joined, "by": by, "now": now}
    connection.execute(_SQL["set_candidate"], {**about, "batch": batch})


def to_candidate(row: tuple[Any, ...]) -> Candidate:
    """Return a pair from its row."""
    return Candidate(**dict(zip(Candidate.__struct_fields__, row, strict=True)))
