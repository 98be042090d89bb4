"""What the builder lets choose by name: segments, campaigns, journeys, and what it suggests."""

from collections.abc import Callable
from typing import Final
from zoneinfo import available_timezones

import msgspec

from amity.analysis import api as analysis
from amity.analysis import api_reports, api_segment_lists
from amity.broadcast import api_campaigns, api_journeys
from amity.personalization import api as personalization
from amity.web.segments.more import MoreField, MoreRow

Choices = list[tuple[str, str]]
_MOST: Final = 200


def _segments() -> Choices:
    return [(str(key), name) for key, name in api_segment_lists.list_segment_names().items()]


def _campaigns() -> Choices:
    page = api_campaigns.list_campaigns(limit=_MOST)
    return [(str(each.campaign_id), each.name) for each in page.items]


def _journeys() -> Choices:
    return [(str(each.journey_id), each.name) for each in api_journeys.list_journeys()]


_PICKS: Final[dict[str, Callable[[], Choices]]] = {
    "segment": _segments,
    "campaign": _campaigns,
    "journey": _journeys,
}


def fill_choices(rows: list[MoreRow]) -> list[MoreRow]:
    """Return the rows with the names there are to choose from."""
    return [
        msgspec.structs.replace(row, fields=[_fill(field) for field in row.fields]) for row in rows
    ]


def _fill(field: MoreField) -> MoreField:
    load = _PICKS.get(field.suggests)
    if load is None:
        return field
    choices = [("", "any"), *load()]
    if field.value not in {value for value, _ in choices}:
        choices.append((field.value, f"no. {field.value}"))
    return msgspec.structs.replace(field, choices=choices)


def name_lists() -> dict[str, Callable[[], list[str]]]:
    """Return what typing is helped with, each loaded only where a page shows it."""
    return {
        "offers": lambda: [each.key for each in personalization.list_offers()],
        "placements": lambda: [each.key for each in personalization.list_placements()],
        "scores": analysis.list_score_names,
        "metrics": lambda: [each.name for each in api_reports.list_metrics()],
        "zones": lambda: sorted(zone for zone in available_timezones() if "/" in zone),
    }
