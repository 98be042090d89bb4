"""House numbers, with their letters."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from amity.store.matcher import MATCHERS, Levels, Matcher

_NUMBER: Final = re.compile(r"\d+")


@MATCHERS.register("house_number")
class HouseNumber(Matcher):
    """The number of a house in its street."""

    name = "house_number"
    title = "House number"
    description = "House numbers: equal, or equal but for a letter."
    headings = (
        "street_number",
        "house_number",
        "house_no",
        "number",
        "hausnummer",
        "numero",
        "street_no",
    )
    levels = ("differs", "same but for a letter", "same")
    refines = 5
    is_shared = True
    samples = (
        ("12 A", "12a", "same"),
        ("12", "12a", "same but for a letter"),
        ("12", "14", "differs"),
    )

    def normalise(self, value: str) -> str:
        return "".join(value.lower().split()).strip(".,#").lstrip("0")

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        return np.fromiter(
            (_number(a) == _number(b) != "" for a, b in zip(left, right, strict=True)),
            np.int8,
            len(left),
        )


def _number(value: str) -> str:
    found = _NUMBER.search(value)
    return found[0] if found else ""
