"""The reference page of the rule language: nodes, fields and operators, from the code."""

import inspect
from typing import Any, Final, get_args

import msgspec

from amity.cli.markdown import table
from amity.rules import FIELD_LABELS, PROFILE_FIELDS, Rule, decode_rule, list_operators
from amity.rules.operator import operators

_COUNTRY: Final = {
    "node": "check",
    "field": "trait.country",
    "is": {"op": "eq", "value": "FR"},
}
_BOUGHT: Final = {
    "node": "did",
    "event": "Order Completed",
    "where": [{"property": "total", "is": {"op": "gte", "value": 50}}],
    "at_least": 2,
    "within_days": 30,
}
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "check": _COUNTRY,
    "did": _BOUGHT,
    "in_segment": {"node": "in_segment", "segment_id": 7},
    "consent": {"node": "consent", "purpose": "marketing.email"},
    "said_yes": {"node": "said_yes", "purpose": "marketing.email"},
    "all": {"node": "all", "of": [_COUNTRY, _BOUGHT]},
    "any": {"node": "any", "of": [_COUNTRY, _BOUGHT]},
    "not": {"node": "not", "of": _COUNTRY},
}
"""One rule for each kind of node, shown with its words."""

_INTRO: Final = """# Rules and operators

A segment is a rule: a tree of nodes, written as JSON. The same rule runs in memory for each event,
as SQL over history, and is said in words. A value that is absent or null fails every operator but
those that are marked; a value of another type fails too, it is never an error."""


def make_operators_page() -> str:
    """Return the page of the rule language."""
    parts = [_INTRO, "## Nodes"]
    for kind in get_args(Rule):
        name = kind.__struct_config__.tag
        parts.append(_node(name, inspect.getdoc(kind) or ""))
    fields = [
        ("`trait.NAME`", "a trait, by its name", "any"),
        *((f"`profile.{name}`", FIELD_LABELS[name], kind) for name, kind in PROFILE_FIELDS.items()),
    ]
    parts.append("## Fields\n\n" + table(("Field", "What it is", "Type"), fields))
    parts.append("## Operators\n\n" + table(_HEADS, [_operator(info) for info in list_operators()]))
    return "\n\n".join(parts)


def _node(name: str, words: str) -> str:
    example = EXAMPLES[name]
    shown = msgspec.json.format(msgspec.json.encode(example)).decode()
    said = decode_rule(example).describe()
    return f"### `{name}`\n\n{words}\n\n```json\n{shown}\n```\n\nIn words: {said}."


_HEADS: Final = ("Operator", "In words", "Accepts", "Absent values", "Example")


def _operator(info: Any) -> tuple[str, ...]:
    kind = operators[info.op]
    return (
        f"`{info.op}`",
        info.label,
        ", ".join(info.accepts),
        "match" if kind.matches_missing else "do not match",
        f"`{msgspec.json.encode(info.example).decode()}`".replace("|", "\\|"),
    )
