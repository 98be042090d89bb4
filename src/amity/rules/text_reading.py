"""A rule from text that a person typed or pasted; says where it cannot be understood, and why.

`and` binds before `or`, as people expect; brackets say otherwise.  See docs/how-to/write-rules.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from amity.rules.condition import conditions, name_of
from amity.rules.subject import FIELD_LABELS
from amity.rules.text_tokens import KEYWORDS, unreadable
from amity.rules.text_values import ValueReader
from amity.rules.text_writing import words_of

Ids = Mapping[str, int]
"""Ids of segments by their names in small letters."""
MAX_CHARACTERS: Final = 262_144
_MAX_DEPTH: Final = 60


def read_text(text: str, ids: Ids) -> dict[str, Any]:
    """Return the JSON of the rule a text says; `decode_rule` checks it further.

    Raises Invalid with the place in the text and what was expected there.
    """
    if len(text) > MAX_CHARACTERS:
        raise unreadable(text, 0, f"it has more than {MAX_CHARACTERS:,} characters")
    reader = _Reader(text, ids)
    rule = reader.rule()
    if reader.next.kind != "end":
        reader.fail("expected `and`, `or` or the end of the rule")
    return rule


@cache
def _fields() -> list[tuple[tuple[str, ...], str]]:
    found = [(words_of(label), name) for name, label in FIELD_LABELS.items()]
    return sorted(found, key=lambda pair: -len(pair[0]))


class _Reader(ValueReader):
    def __init__(self, text: str, ids: Ids) -> None:
        super().__init__(text)
        self._ids = ids
        self._depth = 0
        self._spoken: dict[str, Any] | None = None

    def rule(self) -> dict[str, Any]:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self.fail("too many brackets within brackets")
        rule = self._chain("or", lambda: self._chain("and", self._negation, "all"), "any")
        self._depth -= 1
        return rule

    def _chain(self, word: str, read: Callable[[], dict[str, Any]], node: str) -> dict[str, Any]:
        parts = [read()]
        while self.takes(word):
            parts.append(read())
        return parts[0] if len(parts) == 1 else {"node": node, "of": parts}

    def _negation(self) -> dict[str, Any]:
        if self.takes("not"):
            self._depth += 1
            if self._depth > _MAX_DEPTH:
                self.fail("too many `not`")
            inner = self._negation()
            self._depth -= 1
            return {"node": "not", "of": inner}
        if self.takes("("):
            inner = self.rule()
            self.expect(")")
            return inner
        return self._leaf()

    def _leaf(self) -> dict[str, Any]:
        if self.sees_call(map(name_of, conditions)):
            return self.call("node")
        for words, read in _LEAVES:
            if self.takes(*words):
                return read(self)
        return self._check()

    def _check(self) -> dict[str, Any]:
        return {"node": "check", "field": self._field(), "is": self.operator()}

    def _field(self) -> str:
        if self.takes("trait"):
            return f"trait.{self.name()}"
        for words, name in _fields():
            if self.takes(*words):
                return f"profile.{name}"
        if self.next.kind == "word" and self.next.written.lower() not in KEYWORDS:
            written = self.take().written
            return written if written.startswith(("trait.", "profile.")) else f"trait.{written}"
        if self.next.kind == "text":
            return f"trait.{self.take().value}"
        self.fail('expected a condition, such as: country is "FR", or: did "Order Completed"')

    def _did(self) -> dict[str, Any]:
        if self.takes("not"):
            return self._never()
        step = self._step()
        return self._sequence(step) if self.takes("then") else self._how_often(_DID | step)

    def _never(self) -> dict[str, Any]:
        for word, read in (("viewed", self._viewed), ("bought", self._bought)):
            if self.takes(word):
                return {"node": "not", "of": read()}
        self.takes("did")
        return self._how_often({**_DID, "event": self.name(), "at_most": 0})

    def _step(self) -> dict[str, Any]:
        step: dict[str, Any] = {"event": self.name()}
        return {**step, "where": self.tests()} if self.takes("where") else step

    def _sequence(self, first: dict[str, Any]) -> dict[str, Any]:
        node: dict[str, Any] = {"node": "sequence", "first": first, "then": self._step()}
        while True:
            if self.takes("within"):
                self.set_(node, "apart_days", self.days())
            elif self.takes("without"):
                self.set_(node, "without", self._step())
            elif not self._takes_when(node):
                return node

    def _product(self) -> dict[str, Any]:
        """Read what a product is called, or "it": the one spoken of last."""
        if self._spoken is not None and self.takes("it"):
            return self._spoken
        property_ = next((each for each in _PRODUCT if self.takes(each)), "name")
        self._spoken = {"property": property_, "is": {"op": "eq", "value": self.name()}}
        return self._spoken

    def _viewed(self) -> dict[str, Any]:
        test = self._product()
        node = self._how_often({**_DID, "event": "Product Viewed"})
        return node | {"where": [test, *node.get("where", ())]}

    def _bought(self) -> dict[str, Any]:
        test = self._product()
        node = self._how_often({"node": "bought", "measure": "units"})
        low, high = node.pop("at_least", None), node.pop("at_most", None)
        bound = {"op": "gte", "value": 1 if low is None else low}
        if high is not None:
            bound = {"op": "lte", "value": high} if low is None else _between(low, high)
        return {**node, "is": bound, "lines": [test]}

    def _how_often(self, node: dict[str, Any]) -> dict[str, Any]:
        """Read how often, in what window and where, in any order, each once at most."""
        while True:
            if self.takes("at", "least"):
                self.set_(node, "at_least", self.times())
            elif self.takes("at", "most"):
                self.set_(node, "at_most", self.times())
            elif self.takes("exactly"):
                count = self.times()
                self.set_(node, "at_least", count)
                self.set_(node, "at_most", count)
            elif self.takes("once"):
                self.set_(node, "at_least", 1)
            elif self.takes("where"):
                self.set_(node, "where", self.tests())
            elif not self._takes_when(node):
                return node

    def _takes_when(self, node: dict[str, Any]) -> bool:
        """Read a window, or a period of the calendar, if one comes next."""
        if self.sees_period():
            self.set_(node, "during", self.period())
        elif self.takes("in", "the", "last") or self.takes("in", "last") or self._window():
            self.set_(node, "within_days", self.days())
        else:
            return False
        return True

    def _window(self) -> bool:
        """Read `in` or `within` before a length of time."""
        ahead = self.tokens[self.place + 1 : self.place + 2]
        is_length = bool(ahead) and ahead[0].kind == "number"
        return is_length and (self.takes("in") or self.takes("within"))

    def _in_segment(self) -> dict[str, Any]:
        if self.next.kind == "number":
            return {"node": "in_segment", "segment_id": self.take().value}
        token = self.next
        name = self.name()
        if name.lower() not in self._ids:
            raise unreadable(self.text, token.start, f"there is no segment “{name}”")
        return {"node": "in_segment", "segment_id": self._ids[name.lower()]}

    def _allows(self) -> dict[str, Any]:
        node = {"node": "consent", "purpose": self.name()}
        self.takes("now")
        return node

    def _said_yes(self) -> dict[str, Any]:
        return {"node": "said_yes", "purpose": self.name()}

    def _score(self, by: str = "value") -> dict[str, Any]:
        node: dict[str, Any] = {"node": "score", "score": self.name(), "is": self.operator()}
        return node if by == "value" else {**node, "by": by}

    def _metric(self) -> dict[str, Any]:
        node: dict[str, Any] = {"node": "metric", "metric": self.name()}
        self._takes_when(node)
        return {**node, "is": self.operator()}


def _between(low: int, high: int) -> dict[str, Any]:
    return {"op": "between", "low": low, "high": high}


_DID: Final = {"node": "did"}
_PRODUCT: Final = ("name", "category", "brand", "product_id", "sku")
_LEAVES: Final[list[tuple[tuple[str, ...], Callable[[_Reader], dict[str, Any]]]]] = [
    (("never",), _Reader._never),
    (("did",), _Reader._did),
    (("viewed",), _Reader._viewed),
    (("bought",), _Reader._bought),
    (("is", "in", "segment"), _Reader._in_segment),
    (("in", "segment"), _Reader._in_segment),
    (("allows",), _Reader._allows),
    (("last", "said", "yes", "to"), _Reader._said_yes),
    (("said", "yes", "to"), _Reader._said_yes),
    (("score",), _Reader._score),
    (("metric",), _Reader._metric),
    (("label", "of", "score"), lambda reader: reader._score("label")),
    (("percentile", "of", "score"), lambda reader: reader._score("percentile")),
]
