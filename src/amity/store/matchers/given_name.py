"""Given names: by likeness, with short forms and initials; blocked by sound."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from amity.store.linkage.likeness import fold, fold_all, grade, likeness, sound
from amity.store.matcher import MATCHERS, Levels, Matcher

_SHORT_FORMS: Final = """
alexander alex al sandy xander|alexandra alex sandra sandy lexi|alfred alf fred freddie
andrew andy drew|anthony tony ant|barbara barb babs|benjamin ben benny|catherine kate cathy cat
katherine kate kathy kat|charles charlie chuck|christina chris tina chrissy|christopher chris kit
daniel dan danny|david dave davey|deborah deb debbie|donald don donnie|dorothy dot dottie
edward ed eddie ted ned|elizabeth liz beth betty lizzie eliza|eugene gene|frances fran
francis frank|frederick fred freddie|gerald gerry jerry|gregory greg|harold harry hal
henry harry hank
isabella bella izzy|jacob jake|james jim jimmy jamie|janet jan|jeffrey jeff|jennifer jen jenny
john jack johnny|jonathan jon jonny|joseph joe joey|joshua josh|kenneth ken kenny|lawrence larry
leonard len lenny leo|margaret maggie meg peggy|matthew matt|michael mike mick mikey
nathaniel nate nat
nicholas nick nicky|pamela pam|patricia pat patty tricia|patrick pat paddy|peter pete|philip phil
raymond ray|rebecca becky becca|richard rick dick rich richie|robert bob rob bobby robbie
ronald ron ronnie|samantha sam|samuel sam sammy|stephen steve|steven steve|susan sue susie
theodore ted theo|thomas tom tommy|timothy tim|victoria vicky tori|vincent vince|walter walt wally
william bill will billy willie liam|zachary zach zack
""".replace("\n", "|")
_GROUPS: Final = [frozenset(group.split()) for group in _SHORT_FORMS.split("|") if group]
_WHOSE: Final = {
    name: frozenset(place for place, group in enumerate(_GROUPS) if name in group)
    for group in _GROUPS
    for name in group
}


@MATCHERS.register("given_name")
class GivenName(Matcher):
    """A given name, or several."""

    name = "given_name"
    title = "Given name"
    description = "Given names, by Jaro-Winkler likeness; short forms (Bob) and initials count."
    headings = (
        *("given_name", "first_name", "firstname", "forename", "givenname", "fname", "given"),
        *("vorname", "prenom", "nombre", "nome", "voornaam", "christian_name"),
    )
    levels = ("differs", "similar", "close", "same")
    ways = ("sound", "whole")
    swaps = "name"
    samples = (
        ("Zoë", "ZOE", "same"),
        ("Robert", "Bob", "close"),
        ("J.", "John", "close"),
        ("Jonathon", "Jonathan", "close"),
        ("Robert", "Linda", "differs"),
    )

    def normalise(self, value: str) -> str:
        return fold(value)

    def normalise_all(self, values: Sequence[str]) -> list[str]:
        return fold_all(values)

    def keys(self, value: str) -> tuple[str, ...]:
        return sound(value), value

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        levels = grade(likeness(left, right), 0.8, 0.92)
        for place in np.flatnonzero(levels < 2).tolist():
            if _is_short_form(left[place], right[place]):
                levels[place] = 2
        return levels


def _is_short_form(one: str, other: str) -> bool:
    if len(one) == 1 or len(other) == 1:
        return one[0] == other[0]
    return one in _WHOSE and other in _WHOSE and not _WHOSE[one].isdisjoint(_WHOSE[other])
