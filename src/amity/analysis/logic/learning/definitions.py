"""Models somebody named: an event, a horizon, whom to score. No code, kept in the database."""

import re
from datetime import datetime
from typing import Any, Final

from amity.analysis.contracts_models import Model
from amity.analysis.logic.segments import Definitions
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, Invalid, NotFound

_SQL: Final = queries.load("amity.analysis")
_KEY: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)
MOST_DAYS: Final = 365
MOST_TRAITS: Final = 20


def create_model(model: Model) -> Model:
    """Add a model (its number is given here); it has no scores until it is refreshed.

    Raises Invalid for a key, horizon or event that make no sense, NotFound for a segment that is
    not there, Conflict when the key is taken.
    """
    _check(model)
    with transaction() as connection:
        if model.segment_id is not None:
            Definitions(connection).make(model.segment_id)
        row = connection.execute(
            _SQL["model_add"],
            [
                model.key,
                model.name.strip(),
                model.event.strip(),
                model.horizon_days,
                model.segment_id,
                model.traits,
                model.created_by,
                model.created_at,
                model.is_first,
            ],
        ).fetchone()
        if row is None:
            raise Conflict(f"there is a model {model.key!r} already", code="name_taken")
        return find_model(connection, model.key)


def _check(model: Model) -> None:
    if not _KEY.fullmatch(model.key):
        raise Invalid(
            "a key has small letters, digits, - and _, begins with a letter and is at most 40 long"
        )
    if not 1 <= len(model.name.strip()) <= 100:
        raise Invalid("a name has 1 to 100 characters")
    if not 1 <= len(model.event.strip()) <= 200:
        raise Invalid("name the event that is to be predicted, such as Order Completed")
    if not 1 <= model.horizon_days <= MOST_DAYS:
        raise Invalid(f"the horizon is 1 to {MOST_DAYS} days")
    if len(model.traits) > MOST_TRAITS:
        raise Invalid(f"a model looks at no more than {MOST_TRAITS} traits")


def find_model(connection: Connection, key: str) -> Model:
    """Return a model that is not archived; raise NotFound."""
    rows = connection.execute(_SQL["models_list"], {"key": key}).fetchall()
    if not rows:
        raise NotFound(f"there is no model {key!r}", code="no_model")
    return _make(rows[0])


def list_models() -> list[Model]:
    """Return the models that are not archived, by name."""
    with transaction("readonly") as connection:
        return list_models_of(connection)


def list_models_of(connection: Connection) -> list[Model]:
    """Return what `list_models` does, in the caller's transaction."""
    return [_make(row) for row in connection.execute(_SQL["models_list"], {"key": None})]


def archive_model(connection: Connection, key: str, now: datetime) -> None:
    """Take a model out of use; raise NotFound. Its runs stay, its scores are the caller's."""
    if connection.execute(_SQL["model_archive"], [now, key]).fetchone() is None:
        raise NotFound(f"there is no model {key!r}", code="no_model")


def list_segment_members(connection: Connection, segment_id: int) -> list[int]:
    """Return who is in a segment now."""
    return [row[0] for row in connection.execute(_SQL["model_members"], [segment_id])]


def _make(row: tuple[Any, ...]) -> Model:
    return Model(**dict(zip(Model.__struct_fields__, row, strict=True)))
