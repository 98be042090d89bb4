"""A rule's JSON as text that people can read, paste and change; `text_reading` reads it back.

What is common has words of its own; any other condition, those of other packages included, is
written as its name with its fields: `name(field: value, …)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from amity.rules.operator import Operator, Parameter, name_of, operators
from amity.rules.subject import FIELD_LABELS
from amity.rules.text_aliases import FIRST_WORDS, aliases, refused
from amity.rules.text_phrases import write_bought, write_lives, write_message, write_spent
from amity.rules.text_tokens import KEYWORDS, WORD, tokenise
from amity.rules.text_words import bounds, days, name_, quote, when

Names = Mapping[int, str]
_DID_KEYS: Final = {"node", "event", "where", "at_least", "at_most", "within_days", "during"}


def write_text(rule: dict[str, Any], names: Names) -> str:
    """Write the JSON of a rule (`encode_rule`) as text."""
    return _Text(names).rule(rule)


class _Text:
    def __init__(self, names: Names) -> None:
        self._names = names

    def rule(self, node: dict[str, Any]) -> str:
        write = _NODES.get(node["node"])
        written = write(self, node) if write else None
        return self._call(node) if written is None else written

    def _part(self, node: dict[str, Any], *, is_last: bool = True) -> str:
        """Write a part so that it stays one beside others."""
        inner = self.rule(node)
        is_several = node["node"] in {"all", "any"} and len(node.get("of", ())) > 1
        is_open = not is_last and _ends_in_tests(node)
        return f"({inner})" if is_several or is_open or _may_go_on(inner) else inner

    def several(self, node: dict[str, Any]) -> str | None:
        parts = node.get("of", ())
        if len(parts) < 2 or set(node) != {"node", "of"}:
            return None
        between = " and " if node["node"] == "all" else " or "
        *others, last = parts
        written = [self._part(part, is_last=False) for part in others]
        return between.join([*written, self._part(last)])

    def not_(self, node: dict[str, Any]) -> str | None:
        return f"not {self._part(node['of'])}" if set(node) == {"node", "of"} else None

    def check(self, node: dict[str, Any]) -> str | None:
        kind, _, name = node["field"].partition(".")
        field = FIELD_LABELS[name] if kind == "profile" else _trait(name)
        return f"{field} {self.operator(node['is'])}"

    def did(self, node: dict[str, Any]) -> str | None:
        if set(node) - _DID_KEYS:
            return None
        written = [f"did {quote(node['event'])}"]
        if (node.get("at_least"), node.get("at_most")) == (None, 0):
            written[0] = f"never {written[0]}"
        else:
            written += bounds(node)
        return " ".join([*written, *when(node), *self._where(node)])

    def active_days(self, node: dict[str, Any]) -> str | None:
        low, high = node.get("at_least"), node.get("at_most")
        if set(node) - _DID_KEYS or (low is None) == (high is None):
            return None
        on = f"on at least {low} days" if high is None else f"on at most {high} days"
        return " ".join([f"did {quote(node['event'])} {on}", *when(node), *self._where(node)])

    def not_since(self, node: dict[str, Any]) -> str:
        done = ["has not done", self._step(node), "since the", node.get("which", "last")]
        return " ".join([*done, self._step(node["since"])])

    def lives(self, node: dict[str, Any]) -> str:
        return write_lives(node, self.operator(node["is"]))

    def sequence(self, node: dict[str, Any]) -> str:
        written = ["did", self._step(node["first"]), "then", self._step(node["then"])]
        if "apart_days" in node:
            written.append(f"within {days(node['apart_days'])}")
        if "without" in node:
            written.append(f"without {self._step(node['without'])}")
        return " ".join([*written, *when(node)])

    def _step(self, step: dict[str, Any]) -> str:
        return " ".join([quote(step["event"]), *self._where(step)])

    def _where(self, node: dict[str, Any]) -> Iterator[str]:
        if node.get("where"):
            tests = " and ".join(map(self.test, node["where"]))
            yield f"where {tests}" if len(node["where"]) == 1 else f"where ({tests})"

    def in_segment(self, node: dict[str, Any]) -> str | None:
        segment_id = node["segment_id"]
        name = self._names.get(segment_id)
        return f"is in segment {segment_id if name is None else quote(name)}"

    def consent(self, node: dict[str, Any]) -> str | None:
        return f"allows {quote(node['purpose'])} now"

    def said_yes(self, node: dict[str, Any]) -> str | None:
        return f"last said yes to {quote(node['purpose'])}"

    def score(self, node: dict[str, Any]) -> str:
        by = f"{node['by']} of " if "by" in node else ""
        return f"{by}score {name_(node['score'])} {self.operator(node['is'])}"

    def metric(self, node: dict[str, Any]) -> str | None:
        if set(node) - {"node", "metric", "is", "within_days", "during"}:
            return None
        named = f"metric {name_(node['metric'])}"
        return " ".join([named, *when(node), self.operator(node["is"])])

    def test(self, test: dict[str, Any]) -> str:
        return f"{name_(test['property'])} {self.operator(test['is'])}"

    def operator(self, plain: dict[str, Any]) -> str:
        kind = operator_named(plain["op"])
        given = [_parameter(each, plain[each.name]) for each in kind.parameters]
        zone = ""
        if kind.parameters[1:] and kind.parameters[-1].kind == "zone":
            # UTC goes without saying, as in a period of the calendar.
            zone = given.pop()
            zone = "" if zone == quote("UTC") else f" in zone {zone}"
        written = " ".join([kind.label, " and ".join(given)]).rstrip() + zone
        if next(_beginnings(written)) is kind:
            return written
        # Such as "is" with the value true, which "is true" would be taken for.
        fields = (f"{key}: {self._value(value)}" for key, value in plain.items() if key != "op")
        return f"{plain['op']}({', '.join(fields)})"

    def _call(self, node: dict[str, Any]) -> str:
        fields = ", ".join(
            f"{key}: {self._value(value)}" for key, value in node.items() if key != "node"
        )
        return f"{node['node']}({fields})"

    def _value(self, value: Any) -> str:
        if isinstance(value, list):
            return f"[{', '.join(map(self._value, value))}]"
        if not isinstance(value, dict):
            return json.dumps(value, ensure_ascii=False)
        if "node" in value:
            return f"({self.rule(value)})"
        if is_operator(value):
            return self.operator(value)
        if set(value) == {"property", "is"} and is_operator(value["is"]):
            return f"test {self.test(value)}"
        return f"{{{', '.join(f'{name_(key)}: {self._value(it)}' for key, it in value.items())}}}"


_NODES: Final[dict[str, Callable[[_Text, dict[str, Any]], str | None]]] = {
    "all": _Text.several,
    "any": _Text.several,
    "not": _Text.not_,
    "check": _Text.check,
    "did": _Text.did,
    "in_segment": _Text.in_segment,
    "consent": _Text.consent,
    "said_yes": _Text.said_yes,
    "score": _Text.score,
    "metric": _Text.metric,
    "sequence": _Text.sequence,
    "active_days": _Text.active_days,
    "not_since": _Text.not_since,
    "lives": _Text.lives,
    "bought": lambda writer, node: write_bought(node),
    "message": lambda writer, node: write_message(node),
    "ordered": lambda writer, node: write_spent(node),
}


def operator_named(op: str) -> type[Operator]:
    """Return the operator of a name that is known to be registered."""
    return next(kind for kind in operators if name_of(kind) == op)


def is_operator(value: Any) -> bool:
    """Say whether a JSON value is an operator with exactly the constants it declares."""
    if not isinstance(value, dict) or "op" not in value:
        return False
    kind = next((kind for kind in operators if name_of(kind) == value["op"]), None)
    return kind is not None and {"op", *(each.name for each in kind.parameters)} == set(value)


@cache
def labels() -> list[tuple[tuple[str, ...], type[Operator]]]:
    """Return the operators by the words they begin with, the longest first: so they are read."""
    found = [(words_of(kind.label), kind) for kind in operators]
    return sorted(found, key=lambda pair: (-len(pair[0]), pair[0]))


def _beginnings(written: str) -> Iterator[type[Operator]]:
    """Give the operators that a text may begin with, as they are tried."""
    said = [(token.kind, token.written.lower()) for token in tokenise(written)]
    for words, kind in labels():
        if said[: len(words)] == [("word", word) for word in words]:
            yield kind


@cache
def _unfinished() -> tuple[str, ...]:
    """Return the labels that a following "and" can make another's beginning."""
    found = [kind.label for kind in operators]
    return tuple(
        label for label in found if any(other.startswith(f"{label} and ") for other in found)
    )


def _ends_in_tests(node: dict[str, Any]) -> bool:
    """Say whether "and" after this could go on with the tests of an event."""
    if node["node"] == "not":
        return _ends_in_tests(node["of"])
    return any(len(each.get("where", ())) == 1 for each in (node, *_steps(node)))


def _steps(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (node[key] for key in ("then", "without", "since") if isinstance(node.get(key), dict))


def _may_go_on(written: str) -> bool:
    """Say whether "and" after this could be taken for its own, as in "is known and not …"."""
    return written.endswith(_unfinished())


def words_of(label: str) -> tuple[str, ...]:
    """Return a label as the words by which the reader finds it."""
    return tuple(token.written.lower() for token in tokenise(label)[:-1])


def _parameter(parameter: Parameter, value: Any) -> str:
    if parameter.kind == "days":
        return days(value)
    if parameter.kind == "scalars":
        return ", ".join(map(quote, value))
    return quote(value)


def _trait(name: str) -> str:
    """Write a trait's name; with its kind before it where it could be taken for something else."""
    first = name.lower().split(".")[0]
    plain = WORD.match(name) and name.lower() not in KEYWORDS | _FIRST_WORDS | _operator_words()
    return name if plain and first not in {"trait", "profile"} else f"trait {quote(name)}"


@cache
def _operator_words() -> frozenset[str]:
    """Return the words an operator begins with, said in any words."""
    return frozenset(words[0] for words, _ in (*labels(), *aliases(), *refused()))


_FIRST_WORDS: Final = {
    *FIRST_WORDS,
    *(label.split()[0] for label in FIELD_LABELS.values()),
    *FIELD_LABELS,
}
