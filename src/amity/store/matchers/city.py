"""Towns and suburbs."""

from collections.abc import Sequence

from amity.store.linkage.likeness import fold, fold_all, grade, likeness, squeeze
from amity.store.matcher import MATCHERS, Levels, Matcher


@MATCHERS.register("city")
class City(Matcher):
    """A town, or a part of one."""

    name = "city"
    title = "Town"
    description = "Towns and suburbs, by Jaro-Winkler likeness."
    headings = (
        "city",
        "town",
        "suburb",
        "locality",
        "ort",
        "stadt",
        "ville",
        "ciudad",
        "citta",
        "place",
    )
    levels = ("differs", "similar", "close", "same")
    ways = ("beginning", "whole")
    refines = 2
    is_shared = True
    samples = (
        ("St. James", "st james", "same"),
        ("Mount Ommaney", "Mount Immaney", "close"),
        ("Bittern", "Garbutt", "differs"),
    )

    def normalise(self, value: str) -> str:
        return fold(value)

    def normalise_all(self, values: Sequence[str]) -> list[str]:
        return fold_all(values)

    def keys(self, value: str) -> tuple[str, ...]:
        return squeeze(value)[:5], value

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        return grade(likeness(left, right), 0.85, 0.93)
