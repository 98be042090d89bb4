"""Who is too young to be advertised to, profiled or chosen for (pure).

By a birth date among the traits, or by the plain word that somebody is a minor, a profile bears a
mark: until its end nothing is done with its data but keeping records, whatever was agreed to,
unless a guardian agreed. The mark follows the traits, so it moves when a birth date is corrected.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Final

from amity.infra.config import settings
from amity.kernel.errors import Invalid
from amity.store.contracts import Consent

RECORDS: Final = "records"
"""The purpose of what is kept and looked at to do business at all."""

GUARDIAN: Final = "guardian"
"""The purpose a parent or guardian agrees to, for what a child says to count."""

YOUNG: Final = "~young"
"""Under this name a no stands among a profile's consents until the customer is of age."""

_LEFT: Final = frozenset({RECORDS, GUARDIAN})
_BIRTH: Final = ("birthday", "birth_date", "birthdate", "date_of_birth", "dob")
_MINOR: Final = ("under_age", "is_minor")
_PLACES: Final = ("country", "country_code", "countryCode")
_ABOUT: Final = frozenset({*_BIRTH, *_MINOR})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OLDEST: Final = 25
_NOON: Final = 12


def is_under_age(purpose: str, consents: Mapping[str, Consent], now: datetime) -> bool:
    """Say whether a customer is too young for a purpose now; SQL calls it `store_under_age`."""
    mark = _mark_for(purpose, consents)
    if mark is None or (mark.expires_at is not None and mark.expires_at <= now):
        return False
    guardian = _guardian_of(consents)
    return guardian is None or (guardian.expires_at is not None and guardian.expires_at <= now)


def span_of(
    purpose: str, consents: Mapping[str, Consent]
) -> tuple[datetime | None, datetime | None] | None:
    """Return from when until when age is no hindrance to a purpose; None for never.

    Where a guardian's yes ends before she is of age, what comes after is left to another look.
    """
    mark, guardian = _mark_for(purpose, consents), _guardian_of(consents)
    if mark is None:
        return None, None
    of_age = mark.expires_at
    if guardian is None:
        return None if of_age is None else (of_age, None)
    ends = guardian.expires_at
    is_short = ends is not None and (of_age is None or ends < of_age)
    return None, ends if is_short else None


def _mark_for(purpose: str, consents: Mapping[str, Consent]) -> Consent | None:
    return None if purpose in _LEFT else consents.get(YOUNG)


def _guardian_of(consents: Mapping[str, Consent]) -> Consent | None:
    said = consents.get(GUARDIAN)
    return said if said is not None and said.status == "granted" else None


def mark_age(consents: dict[str, Consent], traits: Mapping[str, Any]) -> dict[str, Consent]:
    """Return the consents with the mark that the traits ask for, or without one."""
    if _ABOUT.isdisjoint(traits):
        if YOUNG not in consents:
            return consents
        return {name: said for name, said in consents.items() if name != YOUNG}
    rest = {name: said for name, said in consents.items() if name != YOUNG}
    born = max(filter(None, (_day_of(traits.get(name)) for name in _BIRTH)), default=None)
    of_age = None if born is None else _come_of_age(born, _limit_for(traits))
    if any(traits.get(name) is True for name in _MINOR):
        of_age = None
    elif of_age is None:
        return rest
    mark = Consent(status="denied", at=_EPOCH, source_id=0, event_id=0, expires_at=of_age)
    return {**rest, YOUNG: mark}


def _day_of(value: object) -> date | None:
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def _come_of_age(born: date, limit: int) -> datetime | None:
    """Return when that birthday has begun everywhere; None when there is no such year."""
    year = born.year + limit
    if year > date.max.year:
        return None
    try:
        day = born.replace(year=year)
    except ValueError:  # 29 February: the day after, so never too soon
        day = date(year, 3, 1)
    return datetime(day.year, day.month, day.day, _NOON, tzinfo=UTC)


def _limit_for(traits: Mapping[str, Any]) -> int:
    """Return the age by where she lives; where that is not known, the highest there is."""
    usual, by_country = read_ages(settings().under_age)
    address = traits.get("address")
    for place in (traits, address if isinstance(address, dict) else {}):
        for name in _PLACES:
            country = place.get(name)
            if isinstance(country, str) and len(country) == 2:
                return by_country.get(country.upper(), usual)
    return max(usual, *by_country.values()) if by_country else usual


@cache
def read_ages(text: str) -> tuple[int, dict[str, int]]:
    """Read `16 US=13 GB=13`: the usual age, and others by country; raise Invalid."""
    usual, ages = -1, dict[str, int]()
    for part in text.replace(",", " ").split():
        country, _, number = part.rpartition("=")
        age = int(number) if number.isdecimal() and number.isascii() else -1
        is_country = len(country) == 2 and country.isascii() and country.isalpha()
        if not 0 <= age <= _OLDEST or not (is_country or part == number):
            raise Invalid(f"AMITY_UNDER_AGE: {part!r} is not like `16` or `US=13`")
        if is_country:
            ages[country.upper()] = age
        else:
            usual = age
    if usual < 0:
        raise Invalid("AMITY_UNDER_AGE needs an age that holds where no country's does")
    return usual, ages
