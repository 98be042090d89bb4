"""Which customers a list shows, as its address says; shared by the screen and the export."""

from collections.abc import Iterator
from typing import Final, cast

import msgspec
from django.http import HttpRequest, QueryDict

from amity.analysis import api as analysis
from amity.kernel.pagination import Page
from amity.store import api as store
from amity.store.contracts import ProfileRow, ProfileSort

SORTS: Final[dict[str, str]] = {"last_seen": "last seen", "revenue": "revenue"}
MEMBERS_SEEN: Final = 20_000
"""So many members of a segment are looked through; a list says when there are more."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """A list's search, chips and order."""

    search: str = ""
    known_only: bool = False
    segment_id: int | None = None
    segment_name: str = ""
    sort: ProfileSort = "last_seen"

    @property
    def is_narrow(self) -> bool:
        """Say whether anything is filtered away."""
        return bool(self.search or self.known_only or self.segment_id)


def read_filter(request: HttpRequest) -> Filter:
    """Read the filter from the address; what cannot be read is left out."""
    query: QueryDict = request.GET
    sort = query.get("sort", "")
    segment_id, name = None, ""
    asked = query.get("segment", "")
    if asked.isdecimal() and len(asked) < 10:
        segment = analysis.get_segment(segment_id=int(asked))
        segment_id, name = segment.segment_id, segment.name
    return Filter(
        search=query.get("q", "").strip()[:200],
        known_only=query.get("known") == "1",
        segment_id=segment_id,
        segment_name=name,
        sort=cast("ProfileSort", sort if sort in SORTS else "last_seen"),
    )


def find_rows(chosen: Filter, *, cursor: str | None, limit: int) -> Page[ProfileRow]:
    """Return a page of the customers a filter keeps."""
    members = None
    if chosen.segment_id is not None:
        members = members_of(chosen.segment_id)
    return store.list_profiles(
        search=chosen.search,
        known_only=chosen.known_only,
        profile_ids=members,
        sort=chosen.sort,
        cursor=cursor,
        limit=limit,
    )


def members_of(segment_id: int) -> list[int]:
    """Return the profiles in a segment now, the first MEMBERS_SEEN of them."""
    found: list[int] = []
    cursor: str | None = None
    while len(found) < MEMBERS_SEEN:
        page = analysis.list_members(segment_id=segment_id, cursor=cursor, limit=5_000)
        found += [membership.profile_id for membership in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def iter_rows(chosen: Filter, *, limit: int = 1_000) -> Iterator[ProfileRow]:
    """Yield every customer a filter keeps, page by page."""
    cursor: str | None = None
    while True:
        page = find_rows(chosen, cursor=cursor, limit=limit)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return
