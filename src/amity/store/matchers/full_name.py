"""Whole names in one column, in whatever order their words stand."""

from collections.abc import Sequence

from rapidfuzz.distance import JaroWinkler

from amity.store.linkage.likeness import fold, grade, likeness, sound
from amity.store.matcher import MATCHERS, Levels, Matcher


@MATCHERS.register("full_name")
class FullName(Matcher):
    """A person's whole name."""

    name = "full_name"
    title = "Full name"
    description = "Whole names of people, by Jaro-Winkler likeness of their words in order."
    headings = (
        *("name", "full_name", "fullname", "customer_name", "person", "contact_name", "contact"),
        *("client_name", "nom_complet", "nombre_completo"),
    )
    levels = ("differs", "similar", "close", "same")
    ways = ("words", "whole")
    samples = (
        ("Ada Lovelace", "LOVELACE, Ada", "same"),
        ("Jon Smith", "John Smith", "close"),
        ("Ada Lovelace", "Grace Hopper", "differs"),
    )

    def normalise(self, value: str) -> str:
        return " ".join(sorted(fold(value).split()))

    def keys(self, value: str) -> tuple[str, ...]:
        heard = sorted(sound(word) for word in value.split() if len(word) > 1)
        return " ".join(heard), value

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        return grade(likeness(left, right, JaroWinkler.similarity), 0.8, 0.92)
