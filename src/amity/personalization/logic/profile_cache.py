"""The people a process keeps at hand, by identifier and by profile, the latest asked for last.

No answers are kept, only facts: what a rule says of them may change with the hour.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from amity.personalization.logic.facts import Facts, Needs, encode_facts
from amity.personalization.logic.request_reading import Key

_MOST_UNKNOWN: Final = 100_000
_MOST_KINDS: Final = 20_000
_encode: Final = msgspec.msgpack.Encoder().encode


class Place(msgspec.Struct, frozen=True, gc=False):
    """How far the projections had come: what was folded, what was rewarded, who was erased."""

    folded: int = 0
    rewarded: int = 0
    erased: int = 0

    def is_behind(self, other: "Place") -> bool:
        """Say whether the other has seen something that this one has not."""
        return (
            self.folded < other.folded
            or self.rewarded < other.rewarded
            or self.erased < other.erased
        )


class Person(msgspec.Struct, frozen=True, eq=False):
    """One person's facts, and the same as they are logged."""

    facts: Facts
    packed: bytes
    keys: set[Key]
    """What it is found by."""


def make_person(facts: Facts, keys: Iterable[Key] = ()) -> Person:
    """Return a person with these facts."""
    return Person(facts, encode_facts(facts), set(keys))


class ProfileCache:
    """At most ``most`` people, loaded for the same needs; who was not asked for longest goes."""

    def __init__(self, needs: Needs, most: int) -> None:
        self.needs = needs
        self.place = Place()
        self._most = most
        self._people: OrderedDict[int, Person] = OrderedDict()
        self._owners: dict[Key, Person] = {}
        self._unknown: set[Key] = set()
        self._kinds: dict[bytes, Any] = {}

    def __len__(self) -> int:
        return len(self._people)

    def find(self, keys: Sequence[Key]) -> tuple[Person | None, list[Key]]:
        """Return the owner of the first key that has one, or the keys that must be looked up.

        Neither when all of them are known to belong to nobody.
        """
        for number, key in enumerate(keys):
            person = self._owners.get(key)
            if person is not None:
                self._people.move_to_end(person.facts.profile_id or 0)
                return person, []
            if key not in self._unknown:
                return None, [each for each in keys[number:] if each not in self._unknown]
        return None, []

    def add(self, key: Key, facts: Facts | None, place: Place) -> Person | None:
        """Keep what was found for a key at a place; return the person.

        What has happened to it since is not known if the cache has gone on meanwhile: then it
        serves those who asked, and is not kept.
        """
        if place.is_behind(self.place) or not self._most:
            return None if facts is None else make_person(facts)
        if facts is None:
            if len(self._unknown) >= _MOST_UNKNOWN:
                self._unknown.clear()
            self._unknown.add(key)
            return None
        profile_id = facts.profile_id or 0
        person = self._people.get(profile_id)
        if person is None:
            person = self._people[profile_id] = make_person(self._share(facts))
            if len(self._people) > self._most:
                self._forget(self._people.popitem(last=False)[1])
        person.keys.add(key)
        self._owners[key] = person
        return person

    def _share(self, facts: Facts) -> Facts:
        """Let people who are alike in what is looked at share it: they are judged once for all."""
        if len(self._kinds) >= _MOST_KINDS:
            self._kinds.clear()
        alike = {
            name: self._kinds.setdefault(_encode((name, value)), value)
            for name, value in (("subject", facts.subject), ("consents", facts.consents))
        }
        return msgspec.structs.replace(facts, **alike)

    def move(self, place: Place, changed: Iterable[int]) -> None:
        """Go on to a place, dropping those of whom something has become known on the way."""
        self.place = place
        # An identifier of nobody may be somebody's now.
        self._unknown.clear()
        for profile_id in changed:
            person = self._people.pop(profile_id, None)
            if person is not None:
                self._forget(person)

    def clear(self, place: Place) -> None:
        """Go to a place that is too far, or behind: nothing that is kept can be relied on."""
        self.place = place
        self._people.clear()
        self._owners.clear()
        self._unknown.clear()

    def _forget(self, person: Person) -> None:
        for key in person.keys:
            self._owners.pop(key, None)
