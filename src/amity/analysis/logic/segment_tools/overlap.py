"""How segments lie over each other: how many are in each combination of up to five."""

from typing import Final

from amity.analysis.contracts import Segment
from amity.analysis.contracts_segments import (
    OverlapCell,
    OverlapPair,
    SegmentOverlap,
    SegmentSize,
)
from amity.analysis.logic.segments import Definitions
from amity.analysis.logic.segments_reading import tune
from amity.infra import queries
from amity.infra.database import transaction
from amity.kernel.errors import Invalid
from amity.kernel.pagination import Page, decode_cursor, encode_cursor

_SQL = queries.load("amity.analysis")
FEWEST: Final = 2
MOST: Final = 5


def compare_members(*, segment_ids: list[int]) -> SegmentOverlap:
    """Count every combination of two to five segments; see the door."""
    check_choice(segment_ids)
    with transaction("readonly") as connection:
        tune(connection)
        definitions = Definitions(connection)
        chosen = [definitions.make(segment_id) for segment_id in segment_ids]
        values = {"segment_ids": segment_ids, "bits": [1 << n for n in range(len(segment_ids))]}
        counts = dict(connection.execute(_SQL["segment_overlap"], values).fetchall())
        people = connection.execute(_SQL["count_people"]).fetchone()
        assert people is not None
    return describe_overlap(chosen, counts, people[0])


def check_choice(segment_ids: list[int]) -> None:
    """Raise Invalid unless two to five different segments are asked for."""
    if not FEWEST <= len(segment_ids) <= MOST or len(set(segment_ids)) != len(segment_ids):
        raise Invalid(
            f"choose {FEWEST} to {MOST} different segments to compare", code="bad_overlap"
        )


def describe_overlap(chosen: list[Segment], counts: dict[int, int], people: int) -> SegmentOverlap:
    """Make the answer from how many are in each combination, as bits in the order chosen."""
    ids = [each.segment_id for each in chosen]
    sizes = [
        sum(amount for bits, amount in counts.items() if bits >> n & 1) for n in range(len(ids))
    ]
    in_any = sum(counts.values())
    cells = [
        OverlapCell(
            segment_ids=[segment_id for n, segment_id in enumerate(ids) if bits >> n & 1],
            customers=amount,
        )
        for bits, amount in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    pairs = [
        _pair(ids, sizes, counts, (one, other))
        for one in range(len(ids))
        for other in range(one + 1, len(ids))
    ]
    return SegmentOverlap(
        segments=[
            SegmentSize(segment_id=each.segment_id, name=each.name, members=size)
            for each, size in zip(chosen, sizes, strict=True)
        ],
        cells=cells,
        pairs=pairs,
        in_any=in_any,
        in_none=max(0, people - in_any),
        sentence=_sentence(len(ids), in_any, counts),
    )


def _pair(
    ids: list[int], sizes: list[int], counts: dict[int, int], which: tuple[int, int]
) -> OverlapPair:
    one, other = which
    both = sum(amount for bits, amount in counts.items() if bits >> one & 1 and bits >> other & 1)
    either = sizes[one] + sizes[other] - both
    return OverlapPair(
        segment_ids=[ids[one], ids[other]],
        both=both,
        jaccard=both / either if either else None,
        of_first=both / sizes[one] if sizes[one] else None,
        of_second=both / sizes[other] if sizes[other] else None,
    )


def _sentence(chosen: int, in_any: int, counts: dict[int, int]) -> str:
    if not in_any:
        return "Nobody is in any of them."
    several = sum(amount for bits, amount in counts.items() if bits.bit_count() > 1)
    every = counts.get((1 << chosen) - 1, 0)
    said = f"Of {in_any:,} customers in any of them, {several:,} are in more than one"
    return f"{said}." if chosen == 2 else f"{said} and {every:,} in all {chosen}."


def list_overlap_members(
    *, inside: list[int], outside: list[int], cursor: str | None, limit: int
) -> Page[int]:
    """Return the profile ids of those in all of some segments and none of others."""
    if not inside or set(inside) & set(outside) or len({*inside, *outside}) > MOST:
        raise Invalid("a combination has at least one segment, and each once", code="bad_overlap")
    before = None if cursor is None else decode_cursor(cursor, (int,))[0]
    values = {
        "first": inside[0],
        "inside": sorted(set(inside)),
        "outside": sorted(set(outside)),
        "before": before,
        "limit": limit + 1,
    }
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["segment_overlap_members"], values).fetchall()
    found = [row[0] for row in rows[:limit]]
    return Page(found, encode_cursor([found[-1]]) if len(rows) > limit else None)
