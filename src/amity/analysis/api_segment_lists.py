"""The analysis engine's door for lists of segments: pages, numbers, names."""

from collections.abc import Collection

from amity.analysis.contracts import Segment, SegmentCount
from amity.analysis.contracts_segments import SegmentNumbers, SegmentSearch
from amity.analysis.logic.segment_tools import listing
from amity.kernel.pagination import Page


def list_segment_page(
    *, search: SegmentSearch | None = None, cursor: str | None = None, limit: int = 50
) -> Page[Segment]:
    """Return the segments a search finds, at most 1,000 at once.

    Goes on after the last row of the page before: what is made or archived meanwhile lets none of
    the others come twice or be left out; ordered by what changes, one that changes meanwhile can.
    Costs the same whatever page. Raises Invalid for a cursor of another list or order.
    """
    return listing.list_page(search=search or SegmentSearch(), cursor=cursor, limit=limit)


def count_segments(*, text: str = "") -> SegmentNumbers:
    """Return how many segments there are, or are found by a text, by state."""
    return listing.count_segments(text=text)


def list_segment_names(*, segment_ids: Collection[int] | None = None) -> dict[int, str]:
    """Return names by id, in order of names: of these segments, or of all not archived."""
    return listing.list_names(segment_ids=segment_ids)


def list_segment_makers() -> list[tuple[str, int]]:
    """Return who made segments that are followed, and how many, the first fifty."""
    return listing.list_makers()


def list_latest_counts(*, segment_ids: list[int], most: int = 60) -> dict[int, list[SegmentCount]]:
    """Return the latest counted days of each segment, in order of days; none where none is."""
    return listing.list_latest_counts(segment_ids=segment_ids, most=most)
