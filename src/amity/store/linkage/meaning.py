"""What the columns of a file mean: told by their headings, or by values nobody can mistake."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final

import msgspec

from amity.store.linkage.model import Kind
from amity.store.matcher import Matcher, find_matcher, matchers

IGNORE: Final = "ignore"
_SAMPLE: Final = 1_000
_MOSTLY: Final = 0.8
_HALF: Final = 0.5
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_WORD: Final = re.compile(r"[\W_]+")
_ID_HEADINGS: Final = ("rec_id", "record_id", "unique_id", "id", "row_id", "uuid", "guid", "key")
_MAYBE_ID: Final = (
    *("customer_id", "client_id", "person_id", "company_id", "account_id", "contact_id"),
    *("user_id", "member_id", "lead_id", "customer_number", "kundennummer"),
)
_OF_PEOPLE: Final = frozenset({"given_name", "surname", "full_name", "birth_date"})
_OF_COMPANIES: Final = frozenset({"website"})


class Meaning(msgspec.Struct, frozen=True):
    """What a column was taken for, and why; ``matcher`` is `ignore` when it is not compared."""

    matcher: str
    why: str


def plain_heading(heading: str) -> str:
    """Return a heading in small letters with single underscores: `FirstName` is `first_name`."""
    return _NOT_WORD.sub("_", _HUMP.sub("_", heading.strip())).strip("_").lower()


@cache
def _by_heading() -> dict[str, str]:
    return {heading: kind.name for kind in reversed(list(matchers())) for heading in kind.headings}


def guess_meanings(
    columns: Mapping[str, Sequence[str]], kind: Kind | None
) -> tuple[Kind, dict[str, Meaning]]:
    """Return what the records are about, and each column's meaning, by heading.

    ``columns`` holds values by heading. Raises nothing: what cannot be told is ignored.
    """
    found = {
        heading: _guess(heading, [v for v in values[:_SAMPLE] if v])
        for heading, values in columns.items()
    }
    about = kind or _guess_kind(found)
    if about == "companies":
        found = {heading: _of_company(heading, one) for heading, one in found.items()}
    return about, found


def _guess(heading: str, sample: Sequence[str]) -> Meaning:
    if not sample:
        return Meaning(IGNORE, "it is empty")
    name = plain_heading(heading)
    known = _by_heading().get(name)
    if known:
        kind = find_matcher(known)
        if _share(kind.fits(value) for value in sample) < _HALF:
            return Meaning(IGNORE, f"its heading says {kind.title.lower()}, its values do not")
        return Meaning(known, "heading")
    for kind in matchers():
        if _share(kind.is_unmistakable(value) for value in sample) >= _MOSTLY:
            return Meaning(kind.name, "values")
    return Meaning(IGNORE, "nothing says what it is")


def _share(answers: Iterable[bool]) -> float:
    given = list(answers)
    return sum(given) / len(given)


def _guess_kind(found: Mapping[str, Meaning]) -> Kind:
    names = {one.matcher for one in found.values()}
    if names & {"given_name", "surname", "birth_date"}:
        return "people"
    return "companies" if "company" in names or names & _OF_COMPANIES else "people"


def _of_company(heading: str, one: Meaning) -> Meaning:
    if one.matcher == "full_name" and plain_heading(heading) in {"name", "customer_name"}:
        return Meaning("company", one.why)
    if one.matcher in _OF_PEOPLE:
        return Meaning(IGNORE, "people come and go in a company")
    return one


def find_id(columns: Mapping[str, Sequence[str]]) -> str | None:
    """Return the heading of the column that names records: known as such, or filled with values
    of which no two are alike."""
    plain = {plain_heading(heading): heading for heading in columns}
    for name in _ID_HEADINGS:
        if name in plain:
            return plain[name]
    for name in _MAYBE_ID:
        if name in plain and _all_differ(columns[plain[name]]):
            return plain[name]
    return None


def _all_differ(values: Sequence[str]) -> bool:
    return all(values) and len(set(values)) == len(values)


def looks_like_a_record(headings: Iterable[str]) -> bool:
    """Say whether a heading is itself an e-mail address or the like: then there are no headings."""
    kinds: Iterable[type[Matcher]] = matchers()
    return any(kind.is_unmistakable(heading) for heading in headings for kind in kinds)
