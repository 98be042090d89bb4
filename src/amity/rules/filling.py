"""Fields of conditions that Amity fills in when a rule is kept, such as what a metric means.

On a rule's JSON, so that what a person wrote there can be replaced before anything is decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from amity.rules.condition import conditions, name_of

Fill = Callable[[dict[str, Any]], dict[str, Any]]
"""Of a node without its filled fields, the fields to fill in."""


def strip_filled(rule: Any) -> Any:
    """Return a rule's JSON without what Amity fills in: as a person writes it."""
    return fill_rule(rule, lambda node: {})


def fill_rule(rule: Any, fill: Fill) -> Any:
    """Return a rule's JSON with what is filled in made anew, at any depth; the rest as it is."""
    if isinstance(rule, list | tuple):
        return [fill_rule(each, fill) for each in rule]
    if not isinstance(rule, dict):
        return rule
    node = rule.get("node")
    names = _filled().get(node, frozenset()) if isinstance(node, str) else frozenset()
    kept = {key: fill_rule(value, fill) for key, value in rule.items() if key not in names}
    return kept | fill(kept) if names else kept


@cache
def _filled() -> dict[str, frozenset[str]]:
    """Return the names of filled fields by the name of their condition, where there are any."""
    return {name_of(each): each.filled for each in conditions if each.filled}
