"""Anything that is the same or is not: gender, a code, a category."""

from collections.abc import Sequence

import numpy as np

from amity.store.matcher import MATCHERS, Levels, Matcher


@MATCHERS.register("exact")
class Exact(Matcher):
    """A value without degrees."""

    name = "exact"
    title = "Exact value"
    description = "Any value: equal or not, whatever its capitals and the spaces around it."
    headings = ("gender", "sex", "geschlecht", "sexe")
    levels = ("differs", "same")
    samples = ((" F", "f", "same"), ("F", "M", "differs"))

    def normalise(self, value: str) -> str:
        return value.strip().casefold()

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        return np.zeros(len(left), np.int8)
