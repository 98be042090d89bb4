"""Interests (pure): topics with weights that halve every so many days.

A weight belongs to a moment, its reference: w(t) = w(reference) * 2 ** -((t - reference) / half
life). All weights fade alike, so none is ever rewritten: whoever reads them brings them to her own
moment, and vectors of different moments are brought to the later one and added.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

TOP: Final = 40
"""How many topics are kept of one origin."""
_TOPICS_OF_ONE: Final = 8
_LONGEST: Final = 60
_LINES: Final = 20
_PARENT: Final = 0.5
_NEGLIGIBLE: Final = 1e-3
_PLACES: Final = 6
WEIGHTS: Final[Mapping[str, float]] = {
    "Page Viewed": 0.5,
    "Screen Viewed": 0.5,
    "Product Viewed": 1.0,
    "Product List Viewed": 0.5,
    "Product Added to Wishlist": 2.0,
    "Product Added": 3.0,
    "Order Completed": 5.0,
}
"""What an event adds to each of its topics."""
_SEPARATORS: Final = re.compile(r"\s*(?:>|/|\||»|›|::)\s*")
_UNLIKE: Final = re.compile(r"@|^[\W\d_]*$")
STEPS: Final = (1, 2, 3, 5, 8, 13, 20, 30, 50, 80, 130, 200, 300, 500, 800)
"""What a weight is rounded down to where rules see it; below the first it is no interest."""
TOLD: Final = 8
"""How many topics rules see."""

Vector = dict[str, float]


def read_topics(properties: Mapping[str, Any]) -> Vector:
    """Return what the category, brand and tags in some properties speak of, with shares up to 1.

    A category may be a path, such as "Shoes > Running": its end counts whole, what is above half.
    """
    found: Vector = {}
    for key in ("category", "product_category", "brand"):
        value = properties.get(key)
        if isinstance(value, str):
            _add_path(found, value)
    tags = properties.get("tags")
    for tag in tags[:3] if isinstance(tags, list) else []:
        if isinstance(tag, str):
            _add_path(found, tag)
    return dict(sorted(found.items())[:_TOPICS_OF_ONE])


def _add_path(found: Vector, value: str) -> None:
    parts = [topic for part in _SEPARATORS.split(value[:300]) if (topic := clean_topic(part))]
    for number, topic in enumerate(reversed(parts[-3:])):
        found[topic] = max(found.get(topic, 0.0), 1.0 if number == 0 else _PARENT)


def clean_topic(text: str) -> str:
    """Return a topic as it is kept; "" for what cannot be one, such as a number or an address."""
    topic = " ".join(text.split()).casefold()
    return "" if len(topic) > _LONGEST or _UNLIKE.search(topic) else topic


def list_lines(properties: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the products of an event: its lines, or itself when it has none."""
    lines = properties.get("products")
    if isinstance(lines, list):
        return [line for line in lines[:_LINES] if isinstance(line, dict)]
    return [properties]


def fade(vector: Vector, since: datetime, until: datetime, half_life: timedelta) -> Vector:
    """Return weights of one moment as they are at another."""
    factor = 2.0 ** -((until - since) / half_life)
    return {topic: weight * factor for topic, weight in vector.items()}


def add_up(
    vectors: Iterable[tuple[datetime, Vector]], at: datetime, half_life: timedelta
) -> Vector:
    """Return the sum of vectors of different moments at one; the order makes no difference."""
    return sum_of([fade(vector, since, at, half_life) for since, vector in vectors])


def keep_top(vector: Vector, count: int = TOP) -> Vector:
    """Return the greatest weights, the greatest first, rounded; the negligible are left out."""
    ranked = sorted(vector.items(), key=lambda each: (-round(each[1], _PLACES), each[0]))
    return {
        topic: round(weight, _PLACES) for topic, weight in ranked[:count] if weight > _NEGLIGIBLE
    }


def points_of(vector: Vector) -> dict[str, int]:
    """Return what rules see of weights: the greatest few, rounded down to the steps."""
    top = keep_top(vector, TOLD)
    steps = {topic: max((s for s in STEPS if s <= w), default=0) for topic, w in top.items()}
    return {topic: step for topic, step in sorted(steps.items()) if step}


def next_step_at(vector: Vector, at: datetime, half_life: timedelta) -> datetime | None:
    """Return when fading alone next changes the points of weights of the moment ``at``."""
    waits = [
        math.log2(weight / step)
        for topic, step in points_of(vector).items()
        if (weight := vector[topic]) > 0
    ]
    if not waits:
        return None
    # A moment later, so that the weight is below the step for certain; and not every instant.
    wait = max(min(waits) * half_life, half_life / 28)
    return at + wait + timedelta(seconds=1)


def sum_of(parts: Sequence[Vector]) -> Vector:
    """Return the sum of vectors of one moment."""
    gathered: dict[str, list[float]] = {}
    for part in parts:
        for topic, weight in part.items():
            gathered.setdefault(topic, []).append(weight)
    # fsum is exact, so that the same events give the same bytes in whatever order they came
    return {topic: math.fsum(weights) for topic, weights in gathered.items()}
