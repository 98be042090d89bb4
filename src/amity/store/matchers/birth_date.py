"""Dates of birth, however they are written."""

import re
from collections.abc import Collection, Sequence
from datetime import date
from typing import Final

import numpy as np

from amity.store.linkage.likeness import is_slip
from amity.store.matcher import MATCHERS, Levels, Matcher

_PARTS: Final = re.compile(r"(\d{1,4})[-/. ](\d{1,2})[-/. ](\d{1,4})(?:[T ].*)?")
_PLAIN: Final = re.compile(r"(\d{4})(\d\d)(\d\d)")
_PLACEHOLDERS: Final = frozenset({"19000101", "19700101", "00010101", "99991231"})
_DAY_FIRST: Final = "day first"
_MONTH_FIRST: Final = "month first"


@MATCHERS.register("birth_date")
class BirthDate(Matcher):
    """A date of birth."""

    name = "birth_date"
    title = "Date of birth"
    description = "Dates of birth: equal, or one slip apart (a digit, day and month exchanged)."
    headings = (
        *("date_of_birth", "birth_date", "birthdate", "dob", "birthday", "born", "born_on"),
        *("geburtsdatum", "date_de_naissance", "fecha_de_nacimiento", "data_di_nascita"),
    )
    levels = ("differs", "a slip apart", "same")
    samples = (
        ("1984-03-07", "19840307", "same"),
        ("1984-03-07", "1984-07-03", "a slip apart"),
        ("1984-03-07", "1984-03-01", "a slip apart"),
        ("1984-03-07", "1961-11-30", "differs"),
    )

    @classmethod
    def learn(cls, values: Collection[str]) -> str:
        """Return whether day or month comes first where the year is last.

        A first number above twelve can only be a day, a second one above twelve means that the
        month is first. Undecided is day first, as most of the world writes.
        """
        months = days = 0
        for value in values:
            found = _PARTS.fullmatch(value.strip())
            if found and len(found[3]) == 4:
                days += int(found[1]) > 12
                months += int(found[2]) > 12
        return _MONTH_FIRST if months > days else _DAY_FIRST

    @classmethod
    def fits(cls, value: str) -> bool:
        return bool(_PARTS.fullmatch(value.strip()) or _PLAIN.fullmatch(value.strip()))

    def normalise(self, value: str) -> str:
        text = value.strip()
        if plain := _PLAIN.fullmatch(text):
            return _check(plain[1], plain[2], plain[3])
        found = _PARTS.fullmatch(text)
        if not found:
            return ""
        first, second, third = found.groups()
        if len(first) == 4:
            return _check(first, second, third)
        if len(third) != 4:
            return ""
        return (
            _check(third, first, second)
            if self.layout == _MONTH_FIRST
            else _check(third, second, first)
        )

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        levels = is_slip(left, right).astype(np.int8)
        exchanged = np.fromiter(
            (
                a[:4] == b[:4] and a[4:6] == b[6:] and a[6:] == b[4:6]
                for a, b in zip(left, right, strict=True)
            ),
            bool,
            len(left),
        )
        levels[exchanged] = 1
        return levels


def _check(year: str, month: str, day: str) -> str:
    """Return YYYYMMDD; a day that no calendar has is kept as written, for a slip is near it."""
    text = f"{int(year):04d}{int(month):02d}{int(day):02d}"
    if text in _PLACEHOLDERS:
        return ""
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return text if int(year) > 1800 else ""
    return text
