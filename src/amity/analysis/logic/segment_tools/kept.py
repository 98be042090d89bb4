"""Answers that take long to find, kept with when they were found."""

from datetime import datetime, timedelta
from typing import Final, TypeVar

import msgspec

from amity.infra import queries
from amity.infra.database import transaction

_SQL = queries.load("amity.analysis")
_KEPT: Final = timedelta(days=30)
T = TypeVar("T", bound=msgspec.Struct)


def keep_answer(tool: str, asked: str, answer: msgspec.Struct, now: datetime) -> None:
    """Keep an answer in the place of the last one to the same question; forget very old ones."""
    values = {
        "tool": tool,
        "asked": asked,
        "answer": msgspec.json.encode(answer).decode(),
        "now": now,
    }
    with transaction() as connection:
        connection.execute(_SQL["keep_segment_answer"], values)
        connection.execute(_SQL["forget_old_answers"], [now - _KEPT])


def find_answer(tool: str, asked: str, kind: type[T]) -> T | None:
    """Return what was last found; None for nothing, or what an earlier Amity kept otherwise."""
    with transaction("readonly") as connection:
        row = connection.execute(_SQL["find_segment_answer"], [tool, asked]).fetchone()
    if row is None:
        return None
    try:
        return msgspec.convert(row[0], kind)
    except msgspec.ValidationError:
        return None
