"""A report's question as an address says it, and the form that asks another."""

from collections.abc import Mapping
from typing import Any, Final

from django.http import HttpRequest

from amity.analysis import api as analysis
from amity.analysis.contracts_reports import ReportPage

NOT_OF_THE_QUESTION: Final = frozenset(
    ("table", "row", "purpose", "page", "name", "csrfmiddlewaretoken")
)
"""What addresses of reports say beside the question."""
RANGES: Final = (30, 90, 365)


def question_of(request: HttpRequest) -> dict[str, str]:
    """Return the question of an address."""
    return {
        name: str(value)
        for name, value in request.GET.items()
        if name not in NOT_OF_THE_QUESTION and str(value).strip()
    }


def form_of(page: ReportPage, given: Mapping[str, str]) -> dict[str, Any]:
    """Return what the form needs: what can be asked, and what is asked now."""
    uses = page.words.uses
    return {
        "ranges": RANGES if "window" in uses else (),
        "days": (page.until_on - page.from_on).days + 1,
        "is_relative": "from" not in given and "until" not in given,
        "has_window": "window" in uses,
        "has_comparison": "comparison" in uses,
        "periods": ("day", "week", "month") if "granularity" in uses else (),
        "has_currency": "currency" in uses,
        "segments": analysis.list_segments() if "segment" in uses else [],
        "own": [(one, page.choices.get(one.name, "")) for one in page.words.parameters],
        "changed": len(page.parameters),
    }
