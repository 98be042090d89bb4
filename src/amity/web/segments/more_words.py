"""The builder's words for conditions it knows only by their shape; what has none keeps its name."""

from typing import Final

_KINDS: Final = {
    "active_days": "on how many days",
    "aggregate": "a number of what they did",
    "bought": "what they bought",
    "bucket": "a random share",
    "first_event": "the first time",
    "last_event": "the last time",
    "lives": "where they live",
    "message": "campaigns and journeys",
    "metric": "a metric",
    "not_since": "not since",
    "offer": "offers",
    "ordered": "what orders brought",
    "score": "a score",
    "sequence": "one thing, then another",
    "together": "household or company",
}
_LEADS: Final = {
    "sequence.first": "first",
    "sequence.then": "and later",
    "sequence.without": "without, in between,",
    "not_since.since": "since",
    "where": "where",
    "lines": "of lines where",
    "has": "which had",
    "when": "which was",
}
_LABELS: Final = {
    "aggregate.property": "of the property",
    "aggregate.event": "of",
    "aggregate.mixes_currencies": "adds up any currencies",
    "bought.event": "in",
    "sequence.apart_days": "at most so many days later",
    "not_since.event": "have not done",
    "not_since.which": "counted from the",
    "together.segment_id": "who are in",
    "together.kind": "share a",
    "together.at_least": "with others, at least",
    "bucket.salt": "name of the draw",
    "bucket.from": "from %",
    "bucket.to": "up to %",
    "score.by": "its",
    "campaign_id": "of the campaign",
    "journey_id": "of the journey",
    "offer.offer": "the offer",
    "placement": "at the placement",
    "at_least": "at least",
    "at_most": "at most",
    "zone": "days of the time zone",
    "currency": "in",
    "ordered.average": "of each order, on average",
    "score.score": "the score",
    "metric.metric": "the metric",
    "measure": "",
    "what": "",
}
_CHOICES: Final = {
    "sum": "the sum",
    "average": "the average",
    "smallest": "the smallest",
    "largest": "the largest",
    "distinct": "how many different values",
    "units": "how many units",
    "lines": "how many lines",
    "spend": "what was spent",
    "margin": "the margin",
    "orders": "how many orders",
    "net": "what orders brought",
    "total": "the totals of orders",
    "refunded": "what was given back",
    "items": "how many items",
    "percentile": "place among all, in per cent",
    "held_out": "held out of it",
    "sent": "were sent a message",
    "opened": "opened a message",
    "clicked": "clicked in a message",
    "bounced": "had a message returned",
    "shown": "were shown",
    "accepted": "accepted",
    "postal_code": "postal code",
    "true": "yes",
    "false": "no",
}
_SUGGESTED: Final = {
    "event": "events",
    "aggregate.property": "properties",
    "offer.offer": "offers",
    "placement": "placements",
    "score.score": "scores",
    "metric.metric": "metrics",
    "segment_id": "segment",
    "campaign_id": "campaign",
    "journey_id": "journey",
}


def kind_words(node: str) -> str:
    """Return what a condition is called where it is added."""
    return _KINDS.get(node, node.replace("_", " "))


def lead_of(node: str, name: str) -> str:
    """Return the words a row begins with."""
    return _LEADS.get(f"{node}.{name}") or _LEADS.get(name) or name.replace("_", " ")


def label_of(node: str, name: str) -> str:
    """Return what stands before a field."""
    known = _LABELS.get(f"{node}.{name}", _LABELS.get(name))
    return name.replace("_", " ") if known is None else known


def choice_words(value: str) -> str:
    """Return a choice in words."""
    return _CHOICES.get(value, value.replace("_", " "))


def suggests(node: str, name: str) -> str:
    """Return what typing into a field is helped with, or nothing."""
    return _SUGGESTED.get(f"{node}.{name}", _SUGGESTED.get(name, ""))
