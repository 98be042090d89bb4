"""Two people who change one segment: what the other saved while this one was being changed."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from django.http import HttpRequest

from amity.analysis import api as analysis
from amity.analysis import api_segment_tools
from amity.analysis.contracts import Segment
from amity.web.segments.building import Built

_NEVER = datetime.min.replace(tzinfo=UTC)


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of a segment as it is saved, and as it was typed."""

    label: str
    saved: str
    typed: str

    @property
    def is_same(self) -> bool:
        """Whether both say the same."""
        return self.saved == self.typed


def read_seen(request: HttpRequest) -> datetime | None:
    """Return when the segment had last changed as the form was drawn; None when it does not say.

    What is no time is earlier than any change, so that nothing is overwritten unseen.
    """
    text = request.POST.get("seen_at", "")
    try:
        seen = datetime.fromisoformat(text) if text else None
    except ValueError:
        return _NEVER
    return seen if seen is None or seen.tzinfo else _NEVER


def is_stale(request: HttpRequest, segment: Segment | None) -> bool:
    """Whether somebody has saved the segment since the form was drawn."""
    seen = read_seen(request)
    return segment is not None and seen is not None and seen != segment.updated_at


def describe_meanwhile(request: HttpRequest, built: Built, segment_id: int) -> dict[str, Any]:
    """Return what others saved since the form was drawn, and both states side by side.

    Saved again from there, the form counts as drawn after what it shows.
    """
    segment = analysis.get_segment(segment_id=segment_id)
    seen = read_seen(request) or _NEVER
    versions = api_segment_tools.list_segment_versions(segment_id=segment_id)
    name, about = (request.POST.get(each, "").strip() for each in ("name", "description"))
    return {
        "segment": segment,
        "seen_at": segment.updated_at,
        "meanwhile": [each for each in versions if each.changed_at > seen],
        "sides": [
            Side(label="Name", saved=segment.name, typed=name),
            Side(label="What it is for", saved=segment.description, typed=about),
            Side(
                label="Rule",
                saved=segment.words,
                typed=analysis.describe_rule(rule=built.rule),
            ),
        ],
    }
