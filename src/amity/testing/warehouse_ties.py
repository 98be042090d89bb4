"""What ties people of `rules_world` to others, in the warehouse's tables: segments, households."""

from collections.abc import Iterator, Sequence
from typing import Final

import duckdb
import pyarrow as pa

from amity.rules import Subject
from amity.testing.warehouse import put

FIRST_OTHER: Final = 1_000
"""Others in somebody's household or company have numbers from here on."""
_SCORES: Final = pa.schema(
    {"profile_id": pa.int64(), "name": pa.string(), "value": pa.float64()}
    | {"label": pa.string(), "percentile": pa.float64()}
)
_LINKS: Final = pa.schema({"kind": pa.string(), "link_key": pa.string(), "profile_id": pa.int64()})
_REVIEWS: Final = pa.schema(
    {"kind": pa.string(), "state": pa.string(), "one_id": pa.int64(), "other_id": pa.int64()}
)
_MEMBERS: Final = pa.schema({"segment_id": pa.int64(), "profile_id": pa.int64()})


def put_ties(duck: duckdb.DuckDBPyConnection, people: Sequence[Subject]) -> None:
    """Put scores, segments, households and companies there, beside `put_people`.

    The others of a group become profiles too. `members` says who is in which segment; the first of
    a group is in another with the same person, as by two facts.
    """
    scores = [
        (place, name, rating.value, rating.label, rating.percentile)
        for place, person in enumerate(people)
        for name, rating in person.scores.items()
    ]
    members = [(each, place) for place, person in enumerate(people) for each in person.segments]
    links: list[tuple[str, str, int]] = []
    for kind, place, others in _groups(people):
        links += [(kind, f"{place}", each) for each in (place, *others)]
        links += [(kind, f"{place} again", each) for each in (place, *others[:1])]
        counted = people[place].together[kind].members
        members += [(each, other) for each, n in counted.items() for other in others[:n]]
    put(duck, "links", _LINKS, links)
    put(duck, "link_reviews", _REVIEWS, [])
    put(duck, "members", _MEMBERS, members)
    put(duck, "scores", _SCORES, scores)
    others_of = pa.array(
        [other for _, _, others in _groups(people) for other in others], pa.int64()
    )
    duck.register("found", pa.table({"id": others_of}))
    duck.execute("INSERT INTO profiles (profile_id, root_id) SELECT id, id FROM found")
    duck.unregister("found")


def _groups(people: Sequence[Subject]) -> Iterator[tuple[str, int, list[int]]]:
    for place, person in enumerate(people):
        for number, (kind, group) in enumerate(sorted(person.together.items())):
            first = FIRST_OTHER * (place + 1) + 100 * number
            yield kind, place, list(range(first, first + group.others))
