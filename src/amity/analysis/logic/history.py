"""How many were in a segment in past weeks: the rule run over history as of then.

Behaviour is as it was on that day; traits, consents and totals are as they are today, for the
store keeps only their latest values. One week a turn, when the follower has nothing else to do.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Final

from amity.analysis.logic.segments_catalogue import make_catalogue
from amity.analysis.logic.segments_reading import tune
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid
from amity.rules import Rule, decode_rule, mentions, sql, to_sql
from amity.store import api as store

_SQL = queries.load("amity.analysis")
WEEKS: Final = 26


def reconstruct_next(connection: Connection, *, now: datetime) -> bool:
    """Count one past week of one segment, in the caller's turn; False when there is none left."""
    row = connection.execute(_SQL["next_to_reconstruct"], [WEEKS]).fetchone()
    if row is None:
        return False
    segment_id, version, raw, weeks = row
    day = now.date() - timedelta(days=7 * (weeks + 1))
    end = datetime.combine(day + timedelta(days=1), time(), UTC) - timedelta(microseconds=1)
    members = _count(raw, end)
    connection.execute(
        _SQL["add_reconstructed"],
        {
            "segment_id": segment_id,
            "version": version,
            # Before the first customer there is nothing further back to count.
            "weeks": WEEKS if members is None else weeks + 1,
            "day": day,
            "members": members,
        },
    )
    return True


def _count(raw: dict[str, object], moment: datetime) -> int | None:
    """Return how many passed a rule then; None when that cannot be known."""
    try:
        rule = decode_rule(raw)
    except Invalid:
        return None
    return None if mentions(rule).segments else _count_at(rule, moment)


def _count_at(rule: Rule, moment: datetime) -> int | None:
    known = sql("p.first_seen_at <= {}", moment)
    with transaction("readonly") as connection:
        tune(connection)
        policies = store.list_policies(connection=connection)
        query = sql(
            "SELECT (SELECT count(*) FROM ({}) AS found) "
            "WHERE EXISTS (SELECT FROM store_profile p WHERE p.merged_into IS NULL AND {})",
            to_sql(rule, make_catalogue(policies, known), moment),
            known,
        )
        row = connection.execute(query.encode(), query.params).fetchone()
    return None if row is None else int(row[0])
