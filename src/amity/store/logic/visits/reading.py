"""Reading visits: of one customer, what brought her and interests her; of all, by origin."""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.store.contracts_visits import (
    Attribution,
    Interest,
    Touch,
    Visit,
    VisitShare,
)
from amity.store.logic.profiles.reading import find_root
from amity.store.logic.visits.interests import TOP, add_up, keep_top

_SQL: Final = queries.load("amity.store")
_MOST: Final = 200
_FIELDS: Final = Visit.__struct_fields__


def list_visits(*, profile_id: int, limit: int = 20, cursor: str | None = None) -> Page[Visit]:
    """Return a customer's visits, the latest first, machines' among them; raise NotFound.

    What happened a moment ago may be missing: visits are kept by a follower of their own.
    """
    if not 0 < limit <= _MOST:
        raise Invalid(f"a page has 1 to {_MOST} rows", code="bad_limit")
    before = decode_cursor(cursor, (datetime, int)) if cursor else [None, None]
    with transaction() as connection:
        values = {
            "profile_id": find_root(connection, profile_id),
            "before": before[0],
            "before_id": before[1],
            "limit": limit + 1,
        }
        rows = connection.execute(_SQL["list_visits_of"], values).fetchall()
    visits = [_visit(row) for row in rows[:limit]]
    last = visits[-1] if len(rows) > limit else None
    return Page(visits, encode_cursor([last.started_at, last.visit_id]) if last else None)


def _visit(row: tuple[Any, ...]) -> Visit:
    return msgspec.convert(dict(zip(_FIELDS, row, strict=True)), Visit)


def get_attribution(*, profile_id: int) -> Attribution:
    """Return what brought a customer, first of all and last; raise NotFound.

    The last is the last visit that was not direct. Visits of machines do not count.
    """
    with transaction() as connection:
        values = {"profile_id": find_root(connection, profile_id)}
        found = connection.execute(_SQL["visit_touches"], values).fetchone()
        assert found is not None
        first_id, last_id, visit_count, machine_count = found
        rows = connection.execute(_SQL["visits_by_id"], [[first_id, last_id]]).fetchall()
    touches = {row[0]: _touch(_visit(row)) for row in rows}
    return Attribution(
        first=touches.get(first_id),
        last=touches.get(last_id),
        visit_count=visit_count,
        machine_count=machine_count,
    )


def _touch(visit: Visit) -> Touch:
    return Touch(
        at=visit.started_at,
        source=visit.source,
        medium=visit.medium,
        campaign=visit.campaign.name,
        landing_page=visit.landing_page,
    )


def list_interests(*, profile_id: int, now: datetime) -> list[Interest]:
    """Return what a customer is interested in at a moment, the most first; raise NotFound."""
    with transaction() as connection:
        vectors = _vectors(connection, find_root(connection, profile_id))
    half_life = timedelta(days=settings().interest_half_life_days)
    top = keep_top(add_up(vectors, now, half_life), TOP)
    return [Interest(topic=topic, weight=weight) for topic, weight in top.items()]


def _vectors(connection: Connection, root: int) -> list[tuple[datetime, dict[str, float]]]:
    rows = connection.execute(_SQL["list_interests_of"], [root])
    return [(at, msgspec.json.decode(topics, type=dict[str, float])) for at, topics in rows]


def list_visit_shares(*, since: datetime, limit: int = 50) -> list[VisitShare]:
    """Return the visits since a moment by where they came from: people's, and machines' apart."""
    with transaction() as connection:
        rows = connection.execute(_SQL["visit_shares"], [since, limit])
        return [_share(row) for row in rows]


def _share(row: tuple[Any, ...]) -> VisitShare:
    return msgspec.convert(dict(zip(VisitShare.__struct_fields__, row, strict=True)), VisitShare)
