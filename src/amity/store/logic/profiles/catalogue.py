"""What there is to ask about: names of events, traits and properties, for the segment builder.

Event names are exact, from the counts kept while folding. Traits and their values are counted
over the 10,000 customers seen last, properties over the 2,000 latest events of a name: enough
to choose from, and the same cost at any size.
"""

from typing import Any, Final

from amity.infra import queries
from amity.infra.database import transaction
from amity.kernel.errors import Invalid

_SQL: Final = queries.load("amity.store")
_MAX_LIMIT: Final = 1000


def list_event_names(*, search: str = "", limit: int = 100) -> list[tuple[str, int]]:
    """Return names of events with how many there were, the most frequent first."""
    return _names("list_event_names", search, limit)


def list_trait_names(*, search: str = "", limit: int = 100) -> list[tuple[str, int]]:
    """Return names of traits with how many of the customers seen last have them."""
    return _names("list_trait_names", search, limit)


def list_properties(*, event_name: str) -> list[str]:
    """Return the properties of the latest events of a name, the most frequent first."""
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["list_properties"], [_clean(event_name)]).fetchall()
    return [name for (name,) in rows]


def trait_values(*, trait: str, limit: int = 20) -> list[tuple[Any, int]]:
    """Return the most frequent values of a trait with how many of the customers have them."""
    arguments = {"trait": _clean(trait), "limit": _clamp(limit)}
    with transaction("readonly") as connection:
        return [
            (value, count) for value, count in connection.execute(_SQL["trait_values"], arguments)
        ]


def _names(query: str, search: str, limit: int) -> list[tuple[str, int]]:
    text = _clean(search).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL[query], [f"%{text}%", _clamp(limit)]).fetchall()
    return [(name, count) for name, count in rows]


def _clean(text: str) -> str:
    return text.replace("\0", "")


def _clamp(limit: int) -> int:
    if limit < 1:
        raise Invalid("a list has at least one row", code="bad_limit")
    return min(limit, _MAX_LIMIT)
