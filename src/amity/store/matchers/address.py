"""Whole addresses in one column: number, street, and whatever else was written there."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from rapidfuzz.fuzz import token_sort_ratio

from amity.store.linkage.likeness import fold, fold_all, grade, likeness, sound
from amity.store.matcher import MATCHERS, Levels, Matcher

_LONG_FORMS: Final = {"st": "street", "str": "street", "rd": "road", "ave": "avenue", "dr": "drive"}
_NUMBER: Final = re.compile(r"\d+")

_SHORT: Final = re.compile(rf"\b(?:{'|'.join(_LONG_FORMS)})\b")


@MATCHERS.register("address")
class Address(Matcher):
    """A whole address in one column."""

    name = "address"
    title = "Address"
    description = "Whole addresses by the likeness of their words, numbers taken seriously."
    headings = (
        *("address", "full_address", "street_address", "postal_address", "adresse", "direccion"),
        "mailing_address",
    )
    levels = ("differs", "similar", "close", "same")
    ways = ("number and word",)
    refines = 4
    is_shared = True
    samples = (
        ("12 High St.", "12, high street", "same"),
        ("12 High Street", "12 Hihg Street", "close"),
        ("12 High Street", "98 Mill Lane", "differs"),
    )

    def normalise(self, value: str) -> str:
        return _spell_out(fold(value))

    def normalise_all(self, values: Sequence[str]) -> list[str]:
        return _spell_out("\n".join(fold_all(values))).split("\n")

    def keys(self, value: str) -> tuple[str, ...]:
        number = _NUMBER.search(value)
        word = max((w for w in value.split() if w.isalpha()), key=len, default="")
        return (f"{number[0]} {sound(word)}" if number and word else "",)

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        levels = grade(likeness(left, right, token_sort_ratio), 75, 88)
        # The same street with another number is another house, however alike the letters are.
        for place in np.flatnonzero(levels > 1).tolist():
            if set(_NUMBER.findall(left[place])) != set(_NUMBER.findall(right[place])):
                levels[place] = 1
        return levels


def _spell_out(text: str) -> str:
    return _SHORT.sub(lambda found: _LONG_FORMS[found[0]], text)
