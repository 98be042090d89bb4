"""What is looked up about what is held: who is long silent, sizes, answers to notices."""

from datetime import datetime
from typing import Final

from amity.infra import queries
from amity.infra.database import transaction
from amity.store.contracts_retention import NoticeAnswers, TableSize
from amity.store.logic.retention.tables import fill

_SQL: Final = queries.load("amity.store")
_FEW: Final = 10_000


def list_inactive_profiles(
    *, before: datetime, is_unknown: bool, after: int = 0, limit: int = 100
) -> list[tuple[int, datetime]]:
    """Return customers nothing happened to since a moment, by id, with when they were last seen.

    What was sent to them counts as something that happened. With ``is_unknown`` only visitors of
    whom neither a user id nor an address is known.
    """
    given = {"before": before, "unknown": is_unknown, "after": after, "limit": limit}
    with transaction() as connection:
        rows = connection.execute(_SQL["retention_inactive"], given).fetchall()
    return [(row[0], row[1]) for row in rows]


def list_table_sizes() -> dict[str, TableSize]:
    """Return rows and bytes of every table; rows of small ones exactly, of others roughly."""
    with transaction() as connection:
        rows = connection.execute(_SQL["retention_table_sizes"]).fetchall()
        sizes = {}
        for name, about, size, is_empty in rows:
            if about > _FEW or is_empty:
                sizes[name] = TableSize(
                    rows=0 if is_empty else about, is_exact=is_empty, size_bytes=size
                )
                continue
            found = connection.execute(fill("retention_few_rows", table=f'"{name}"')).fetchone()
            few = found[0] if found else 0
            sizes[name] = TableSize(rows=few, is_exact=few <= _FEW, size_bytes=size)
    return sizes


def list_notice_answers() -> dict[str, NoticeAnswers]:
    """Return how many people answered which wording, by its name as records have it (`key@3`)."""
    with transaction() as connection:
        rows = connection.execute(_SQL["retention_notice_answers"]).fetchall()
    return {row[0]: NoticeAnswers(accepted=row[1], refused=row[2], last_at=row[3]) for row in rows}
