"""Surnames: by likeness; blocked by sound."""

from collections.abc import Sequence

from amity.store.linkage.likeness import fold, fold_all, grade, likeness, sound
from amity.store.matcher import MATCHERS, Levels, Matcher


@MATCHERS.register("surname")
class Surname(Matcher):
    """A family name."""

    name = "surname"
    title = "Surname"
    description = "Family names, by Jaro-Winkler likeness, whatever the accents."
    headings = (
        *("surname", "last_name", "lastname", "family_name", "familyname", "sname", "lname"),
        *("nachname", "nom", "nom_de_famille", "apellido", "apellidos", "cognome", "achternaam"),
    )
    levels = ("differs", "similar", "close", "same")
    ways = ("sound", "whole")
    swaps = "name"
    is_shared = True
    samples = (
        ("Meyer", "MEYER ", "same"),
        ("Müller", "Muller", "same"),
        ("Johnson", "Johnsen", "close"),
        ("Harris", "Harrison", "close"),
        ("Smith", "Brown", "differs"),
    )

    def normalise(self, value: str) -> str:
        return fold(value)

    def normalise_all(self, values: Sequence[str]) -> list[str]:
        return fold_all(values)

    def keys(self, value: str) -> tuple[str, ...]:
        return sound(value), value

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        return grade(likeness(left, right), 0.8, 0.92)
