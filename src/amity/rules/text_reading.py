"""A rule from text that a person typed or pasted; says where it cannot be understood, and why.

`and` binds before `or`, as people expect; brackets say otherwise.  See docs/how-to/write-rules.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final, Literal, NoReturn

from amity.rules.condition import conditions, name_of
from amity.rules.operator import Parameter, operators
from amity.rules.operator import name_of as operator_name
from amity.rules.subject import FIELD_LABELS
from amity.rules.text_tokens import KEYWORDS, Token, tokenise, unreadable
from amity.rules.text_writing import labels, words_of

Ids = Mapping[str, int]
"""Ids of segments by their names in small letters."""
MAX_CHARACTERS: Final = 262_144
_MAX_DEPTH: Final = 60
_UNITS: Final = {"day": 1.0, "hour": 24.0, "minute": 1440.0, "week": 1 / 7}


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


class _Reader:
    def __init__(self, text: str, ids: Ids) -> None:
        self._text = text
        self._ids = ids
        self._tokens = tokenise(text)
        self._place = 0
        self._depth = 0

    @property
    def next(self) -> Token:
        """The token to be read next."""
        return self._tokens[self._place]

    def fail(self, reason: str) -> NoReturn:
        raise unreadable(self._text, self.next.start, reason)

    def _sees(self, *words: str) -> bool:
        """Say whether these words or signs come next."""
        ahead = self._tokens[self._place : self._place + len(words)]
        return len(ahead) == len(words) and all(
            token.kind in {"word", "sign"} and token.written.lower() == word
            for token, word in zip(ahead, words, strict=True)
        )

    def _takes(self, *words: str) -> bool:
        """Read these words if they come next."""
        if not self._sees(*words):
            return False
        self._place += len(words)
        return True

    def _expect(self, *words: str) -> None:
        if not self._takes(*words):
            self.fail(f"expected `{' '.join(words)}`")

    def _take(self) -> Token:
        token = self.next
        self._place += 1
        return token

    # Rules

    def rule(self) -> dict[str, Any]:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self.fail("too many brackets within brackets")
        rule = self._chain("or", lambda: self._chain("and", self._negation, "all"), "any")
        self._depth -= 1
        return rule

    def _chain(self, word: str, read: Callable[[], dict[str, Any]], node: str) -> dict[str, Any]:
        parts = [read()]
        while self._takes(word):
            parts.append(read())
        return parts[0] if len(parts) == 1 else {"node": node, "of": parts}

    def _negation(self) -> dict[str, Any]:
        if self._takes("not"):
            self._depth += 1
            if self._depth > _MAX_DEPTH:
                self.fail("too many `not`")
            inner = self._negation()
            self._depth -= 1
            return {"node": "not", "of": inner}
        if self._takes("("):
            inner = self.rule()
            self._expect(")")
            return inner
        return self._leaf()

    def _leaf(self) -> dict[str, Any]:
        if self._sees_call(map(name_of, conditions)):
            return self._call("node")
        for words, read in _LEAVES:
            if self._takes(*words):
                return read(self)
        return self._check()

    def _sees_call(self, names: Iterable[str]) -> bool:
        """Say whether one of these names comes next, with its fields in brackets."""
        return self.next.written in names and self._sees(self.next.written, "(")

    def _check(self) -> dict[str, Any]:
        return {"node": "check", "field": self._field(), "is": self._operator()}

    def _field(self) -> str:
        if self._takes("trait"):
            return f"trait.{self._name()}"
        for words, name in _fields():
            if self._takes(*words):
                return f"profile.{name}"
        if self.next.kind == "word" and self.next.written.lower() not in KEYWORDS:
            written = self._take().written
            return written if written.startswith(("trait.", "profile.")) else f"trait.{written}"
        if self.next.kind == "text":
            return f"trait.{self._take().value}"
        self.fail('expected a condition, such as: country is "FR", or: did "Order Completed"')

    def _did(self) -> dict[str, Any]:
        if self._takes("not"):
            return self._never()
        return self._how_often({"node": "did", "event": self._name()})

    def _never(self) -> dict[str, Any]:
        self._takes("did")
        return self._how_often({"node": "did", "event": self._name(), "at_most": 0})

    def _viewed(self) -> dict[str, Any]:
        property_ = next((each for each in _PRODUCT if self._takes(each)), "name")
        product = self._name()
        test = {"property": property_, "is": {"op": "eq", "value": product}}
        node = self._how_often({"node": "did", "event": "Product Viewed"})
        return node | {"where": [test, *node.get("where", ())]}

    def _how_often(self, node: dict[str, Any]) -> dict[str, Any]:
        """Read how often, in what window and where, in any order, each once at most."""
        while True:
            if self._takes("at", "least"):
                self._set(node, "at_least", self._times())
            elif self._takes("at", "most"):
                self._set(node, "at_most", self._times())
            elif self._takes("exactly"):
                count = self._times()
                self._set(node, "at_least", count)
                self._set(node, "at_most", count)
            elif self._takes("once"):
                self._set(node, "at_least", 1)
            elif self._sees_period():
                self._set(node, "during", self._period())
            elif self._takes("in", "the", "last") or self._takes("in", "last") or self._window():
                self._set(node, "within_days", self._days())
            elif self._takes("where"):
                self._set(node, "where", self._tests())
            else:
                return node

    def _sees_period(self) -> bool:
        """Say whether a time of the calendar comes next, such as "in this month"."""
        if self._sees("in", "this"):
            return True
        for words in (("in", "the", "last"), ("in", "last")):
            if self._sees(*words):
                after = self._tokens[self._place + len(words) :][:2]
                return after[0].kind == "word" or after[-1].written.lower() == "whole"
        return False

    def _period(self) -> dict[str, Any]:
        self._takes("in")
        period: dict[str, Any] = {}
        if not self._takes("this"):
            self._takes("the")
            self._expect("last")
            period["which"] = "last"
            if self.next.kind == "number" and (count := self._whole()) != 1:
                period["count"] = count
            self._takes("whole")
        unit = self._name().lower().removesuffix("s")
        if self._takes("in", "zone"):
            period["zone"] = self._name()
        return {"unit": unit, **period}

    def _window(self) -> bool:
        """Read `in` or `within` before a length of time."""
        ahead = self._tokens[self._place + 1 : self._place + 2]
        is_length = bool(ahead) and ahead[0].kind == "number"
        return is_length and (self._takes("in") or self._takes("within"))

    def _set(self, node: dict[str, Any], key: str, value: Any) -> None:
        if key in node:
            self.fail(f"this is said twice: {key.replace('_', ' ')}")
        node[key] = value

    def _tests(self) -> list[dict[str, Any]]:
        if not self._takes("("):
            return [self._test()]
        tests = [self._test()]
        while self._takes("and"):
            tests.append(self._test())
        self._expect(")")
        return tests

    def _test(self) -> dict[str, Any]:
        return {"property": self._name(), "is": self._operator()}

    def _in_segment(self) -> dict[str, Any]:
        if self.next.kind == "number":
            return {"node": "in_segment", "segment_id": self._take().value}
        token = self.next
        name = self._name()
        if name.lower() not in self._ids:
            raise unreadable(self._text, token.start, f"there is no segment “{name}”")
        return {"node": "in_segment", "segment_id": self._ids[name.lower()]}

    def _allows(self) -> dict[str, Any]:
        node = {"node": "consent", "purpose": self._name()}
        self._takes("now")
        return node

    def _said_yes(self) -> dict[str, Any]:
        return {"node": "said_yes", "purpose": self._name()}

    def _score(self, by: str = "value") -> dict[str, Any]:
        node: dict[str, Any] = {"node": "score", "score": self._name(), "is": self._operator()}
        return node if by == "value" else {**node, "by": by}

    # Operators and values

    def _operator(self) -> dict[str, Any]:
        if self._sees_call(map(operator_name, operators)):
            return self._call("op")
        for words, kind in labels():
            # No value begins with a bracket: "is known and not (…)" is two conditions.
            if not (kind.parameters and self._sees(*words, "(")) and self._takes(*words):
                plain: dict[str, Any] = {"op": operator_name(kind)}
                for number, parameter in enumerate(kind.parameters):
                    if number:
                        self._expect("and")
                    plain[parameter.name] = self._parameter(parameter)
                return plain
        self.fail('expected a test, such as: is at least 3, or: is one of "a", "b"')

    def _parameter(self, parameter: Parameter) -> Any:
        if parameter.kind == "days":
            return self._days()
        if parameter.kind == "scalars":
            values = [self._value()]
            while self._takes(","):
                values.append(self._value())
            return values
        return self._value()

    def _value(self) -> Any:
        if self._takes("["):
            return self._list()
        if self._takes("{"):
            return self._object()
        for word, constant in (("true", True), ("false", False), ("null", None)):
            if self._takes(word):
                return constant
        token = self.next
        if token.kind in {"text", "number", "date"}:
            return self._take().value
        if token.kind == "word" and token.written.lower() not in KEYWORDS:
            return self._take().written
        self.fail("expected a value: a number, a date, or a text in quotes")

    def _list(self) -> list[Any]:
        found: list[Any] = []
        while not self._takes("]"):
            if found:
                self._expect(",")
            found.append(self._any_value())
        return found

    def _object(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self._takes("}"):
            if found:
                self._expect(",")
            key = self._key()
            self._expect(":")
            self._set(found, key, self._any_value())
        return found

    def _any_value(self) -> Any:
        """Read what a field of a condition can hold: a value, a rule, a test, an operator."""
        if self._takes("("):
            inner = self.rule()
            self._expect(")")
            return inner
        if self._takes("test"):
            return self._test()
        is_call = self._sees_call(map(operator_name, operators))
        if is_call or any(self._sees(*words) for words, _ in labels()):
            return self._operator()
        return self._value()

    def _call(self, kind: Literal["node", "op"]) -> dict[str, Any]:
        name = self._take().written
        self._expect("(")
        fields: dict[str, Any] = {}
        while not self._takes(")"):
            if fields:
                self._expect(",")
            key = self._key()
            self._expect(":")
            self._set(fields, key, self._any_value())
        return {kind: name, **fields}

    def _name(self) -> str:
        token = self.next
        if token.kind == "text" or (token.kind == "word" and token.written.lower() not in KEYWORDS):
            return str(self._take().value)
        self.fail("expected a name; put it in quotes")

    def _key(self) -> str:
        """Read the name of a field, before its colon, which can be a word of the language."""
        return self._take().written if self.next.kind == "word" else self._name()

    def _times(self) -> int:
        count = self._whole()
        if not (self._takes("times") or self._takes("time")):
            self.fail("expected `times`")
        return count

    def _whole(self) -> int:
        if self.next.kind == "number" and isinstance(self.next.value, int):
            return int(self._take().value)
        self.fail("expected a whole number")

    def _days(self) -> float:
        if self.next.kind != "number":
            self.fail("expected a length of time, such as 30 days or 6 hours")
        count = self._take().value
        for unit, per_day in _UNITS.items():
            if self._takes(unit) or self._takes(unit + "s"):
                days: float = count / per_day if per_day != 1 else count
                return days
        self.fail("expected days, weeks, hours or minutes")


_PRODUCT: Final = ("name", "category", "brand", "product_id", "sku")
_LEAVES: Final[list[tuple[tuple[str, ...], Callable[[_Reader], dict[str, Any]]]]] = [
    (("never",), _Reader._never),
    (("did",), _Reader._did),
    (("viewed",), _Reader._viewed),
    (("is", "in", "segment"), _Reader._in_segment),
    (("in", "segment"), _Reader._in_segment),
    (("allows",), _Reader._allows),
    (("last", "said", "yes", "to"), _Reader._said_yes),
    (("said", "yes", "to"), _Reader._said_yes),
    (("score",), _Reader._score),
    (("label", "of", "score"), lambda reader: reader._score("label")),
    (("percentile", "of", "score"), lambda reader: reader._score("percentile")),
]
