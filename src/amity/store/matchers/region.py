"""States, provinces, countries: few values, so only equal or not."""

from collections.abc import Sequence

import numpy as np

from amity.store.linkage.likeness import fold, fold_all
from amity.store.matcher import MATCHERS, Levels, Matcher


@MATCHERS.register("region")
class Region(Matcher):
    """A state, province or country."""

    name = "region"
    title = "State or country"
    description = "States, provinces and countries: equal or not."
    headings = (
        "state",
        "region",
        "province",
        "county",
        "country",
        "country_code",
        "bundesland",
        "land",
        "pays",
    )
    levels = ("differs", "same")
    can_block = False
    refines = 1
    is_shared = True
    samples = (("NSW", "nsw", "same"), ("NSW", "Vic", "differs"))

    def normalise(self, value: str) -> str:
        return fold(value)

    def normalise_all(self, values: Sequence[str]) -> list[str]:
        return fold_all(values)

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        return np.zeros(len(left), np.int8)
