"""Streets and other lines of an address, the house number elsewhere."""

import re
from collections.abc import Sequence
from typing import Final

from amity.store.linkage.likeness import fold, fold_all, grade, likeness, squeeze
from amity.store.matcher import MATCHERS, Levels, Matcher

_LONG_FORMS: Final = {
    **{"st": "street", "str": "street", "rd": "road", "ave": "avenue", "av": "avenue"},
    **{"dr": "drive", "ln": "lane", "ct": "court", "crt": "court", "pl": "place", "sq": "square"},
    **{
        "cres": "crescent",
        "cr": "crescent",
        "blvd": "boulevard",
        "bd": "boulevard",
        "hwy": "highway",
    },
    **{"pde": "parade", "cct": "circuit", "tce": "terrace", "strasse": "street"},
}

_SHORT: Final = re.compile(rf"\b(?:{'|'.join(_LONG_FORMS)})\b")


@MATCHERS.register("street")
class Street(Matcher):
    """A line of an address without the number."""

    name = "street"
    title = "Street"
    description = "Streets and other address lines, by Jaro-Winkler likeness; St. is Street."
    headings = (
        *("address_1", "address_2", "street", "street_name", "address_line_1", "address_line_2"),
        *("address1", "address2", "street_1", "street_2", "strasse", "rue", "calle", "via"),
    )
    levels = ("differs", "similar", "close", "same")
    ways = ("beginning", "whole")
    swaps = "line"
    refines = 4
    is_shared = True
    samples = (
        ("Tullaroop St.", "tullaroop street", "same"),
        ("tullaroop street", "tullarop street", "close"),
        ("tullaroop street", "giblin court", "differs"),
    )

    def normalise(self, value: str) -> str:
        return _spell_out(fold(value))

    def normalise_all(self, values: Sequence[str]) -> list[str]:
        return _spell_out("\n".join(fold_all(values))).split("\n")

    def keys(self, value: str) -> tuple[str, ...]:
        return squeeze(value)[:6], value

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        return grade(likeness(left, right), 0.85, 0.93)


def _spell_out(text: str) -> str:
    return _SHORT.sub(lambda found: _LONG_FORMS[found[0]], text)
