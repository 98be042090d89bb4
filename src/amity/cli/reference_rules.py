"""The reference page of the rule language: conditions, fields and operators, from the code."""

import inspect
from typing import Any, Final

import msgspec

from amity.cli.markdown import table
from amity.rules import (
    FIELD_LABELS,
    PROFILE_FIELDS,
    Condition,
    decode_rule,
    encode_rule,
    iter_conditions,
    list_operators,
    strip_filled,
)
from amity.rules.condition import name_of
from amity.rules.operator import operators
from amity.rules.text_writing import write_text

_INTRO: Final = """# Rules and operators

A segment is a rule: a tree of conditions, written as JSON, or as
[text](../how-to/write-rules.md) that says the same. The same rule runs in memory for each event,
as SQL over history, and is said in words. A value that is absent or null fails every operator but
those that are marked; a value of another type fails too, it is never an error."""


def make_operators_page() -> str:
    """Return the page of the rule language."""
    parts = [_INTRO, "## Conditions"]
    parts += [_condition(kind) for kind in iter_conditions()]
    fields = [
        ("`trait.NAME`", "a trait, by its name", "any"),
        *((f"`profile.{name}`", FIELD_LABELS[name], kind) for name, kind in PROFILE_FIELDS.items()),
    ]
    parts.append("## Fields\n\n" + table(("Field", "What it is", "Type"), fields))
    parts.append("## Operators\n\n" + table(_HEADS, [_operator(info) for info in list_operators()]))
    return "\n\n".join(parts)


def _condition(kind: type[Condition]) -> str:
    complete, *_ = kind.examples()
    # As a person writes it: without what Amity fills in.
    example = decode_rule(strip_filled(encode_rule(complete)))
    shown = msgspec.json.format(msgspec.json.encode(example)).decode()
    text = write_text(encode_rule(example), {})
    return (
        f"### `{name_of(kind)}`\n\n{inspect.getdoc(kind)}\n\n```json\n{shown}\n```\n\n"
        f"As text: `{text}`\n\nIn words: {example.describe()}."
    )


_HEADS: Final = ("Operator", "In words", "Accepts", "Absent values", "Example", "As text")


def _operator(info: Any) -> tuple[str, ...]:
    kind = operators[info.op]
    return (
        f"`{info.op}`",
        info.label,
        ", ".join(info.accepts),
        "match" if kind.matches_missing else "do not match",
        f"`{msgspec.json.encode(info.example).decode()}`".replace("|", "\\|"),
        f"`{_text(info.example)}`".replace("|", "\\|"),
    )


def _text(operator: dict[str, Any]) -> str:
    return write_text({"node": "check", "field": "trait.x", "is": operator}, {})
