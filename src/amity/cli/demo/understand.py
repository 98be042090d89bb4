"""What the demo shop's people want to know: its first segments, and scores for everybody."""

from datetime import datetime
from typing import Any, Final

from amity.kernel.errors import AmityError

Rule = dict[str, Any]


def _did(event: str, **more: Any) -> Rule:
    return {"node": "did", "event": event, "where": [], "at_least": 1, "within_days": None} | more


def _never(event: str, **more: Any) -> Rule:
    return {"node": "did", "event": event, "where": [], "at_most": 0, "within_days": None} | more


SEGMENTS: Final[tuple[tuple[str, str, Rule], ...]] = (
    (
        "Bought in the last 30 days",
        "Who the shop sees regularly.",
        _did("Order Completed", within_days=30),
    ),
    (
        "At risk",
        "Bought at least five times, and not in the last 45 days: time to ask why.",
        {
            "node": "all",
            "of": [
                _did("Order Completed", at_least=5),
                _never("Order Completed", within_days=45),
            ],
        },
    ),
    (
        "Coupon lovers",
        "Handed in at least three coupons.",
        _did("Coupon Applied", at_least=3),
    ),
    (
        "Big baskets lately",
        "Two or more orders of 75 and up in the last 60 days.",
        _did(
            "Order Completed",
            where=[{"property": "total", "is": {"op": "gte", "value": 75}}],
            at_least=2,
            within_days=60,
        ),
    ),
    (
        "Signed in on the web, never bought there",
        "Known card holders who look around the web shop and buy in the stores.",
        {"node": "all", "of": [_did("Signed In"), _never("Checkout Completed")]},
    ),
    (
        "Left a cart this month",
        "Put something into the cart in the last 30 days and did not check out.",
        {
            "node": "all",
            "of": [
                _did("Product Added", within_days=30),
                _never("Checkout Completed", within_days=30),
            ],
        },
    ),
    (
        "May be written to by e-mail",
        "Gave consent for marketing by e-mail and has not taken it back.",
        {"node": "consent", "purpose": "marketing.email"},
    ),
    (
        "Families who drifted away",
        "Has children, has bought before, and not in the last two weeks.",
        {
            "node": "all",
            "of": [
                {
                    "node": "check",
                    "field": "trait.children",
                    "is": {"op": "in", "values": ["1 child", "2 children", "3 or more"]},
                },
                _did("Order Completed"),
                _never("Order Completed", within_days=14),
            ],
        },
    ),
)


def create_segments(*, by: str, now: datetime) -> None:
    """Create the segments that are not there yet; the worker fills them from history."""
    from amity.analysis import api

    for name, description, rule in SEGMENTS:
        if api.find_segment(name=name) is None:
            api.create_segment(name=name, rule=rule, description=description, by=by, now=now)


def count_filled_segments() -> int:
    """Return how many of the demo's segments history has been read for."""
    from amity.analysis import api

    found = [api.find_segment(name=name) for name, _, _ in SEGMENTS]
    return sum(segment is None or segment.state != "building" for segment in found)


def refresh_scores(*, now: datetime) -> str:
    """Compute everybody's scores; return in words what came of it."""
    from amity.analysis import api

    try:
        runs = api.refresh_scores(now=now)
    except AmityError as error:
        # Too few who bought twice, as in a very small shop: the demo is whole without.
        return f"not computed: {error.message}"
    return ", ".join(f"{run.estimator} of {run.customers:,} customers" for run in runs)
