"""Names for the profiles that ledgers mention by number."""

from collections.abc import Iterable
from typing import Final

from amity.store import api as store
from amity.store.contracts import ProfileRow
from amity.web.customers.words import who

_MATCHES: Final = 20
# Not everybody known has an address; so many more are looked at.
_SPARE: Final = 4


def name_people(profile_ids: Iterable[int]) -> dict[int, str]:
    """Return what to call each customer, by profile id; whoever is gone is a number."""
    wanted = list(dict.fromkeys(profile_ids))
    if not wanted:
        return {}
    found = store.list_profiles(profile_ids=wanted, limit=len(wanted))
    names = {row.profile_id: who(row) for row in found.items}
    return {one: names.get(one, f"Customer {one}") for one in wanted}


def find_people(search: str) -> list[int]:
    """Return every profile, joined ones too, of the customers a search finds first."""
    found = store.list_profiles(search=search, limit=_MATCHES)
    return [one for row in found.items for one in store.list_joined(profile_id=row.profile_id)]


def list_people(
    search: str, *, within: list[int] | None = None, limit: int = 8
) -> list[ProfileRow]:
    """Return customers with an address whom a search finds; ``within`` narrows whom to look at."""
    if within == []:
        return []
    found = store.list_profiles(
        search=search, known_only=True, profile_ids=within, limit=limit * _SPARE
    )
    return [row for row in found.items if row.email][:limit]
