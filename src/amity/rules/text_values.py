"""Reading what stands in a condition: operators with their constants, tests, lists, fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from amity.rules.operator import Operator, Parameter, operators
from amity.rules.operator import name_of as operator_name
from amity.rules.text_aliases import CURRENCY, MONTHS, after_is, aliases, refused
from amity.rules.text_cursor import CONTINUES, nearest
from amity.rules.text_times import TimeReader
from amity.rules.text_tokens import KEYWORDS, Token
from amity.rules.text_writing import labels

_CONSTANTS: Final = frozenset({"true", "false", "null"})
_ENDS_VALUE: Final = frozenset({"and", "or", "but", ")", "]", "}", ",", ""})
_OR_MORE: Final = {
    "gte": ("or more", "or over", "or above", "or higher", "or older"),
    "lte": ("or less", "or fewer", "or under", "or below", "or lower", "or younger"),
}
_KILOMETRES: Final = ("km", "kilometres", "kilometers", "kilometre", "kilometer")


class ValueReader(TimeReader):
    """Reads values; whole rules within them are for whoever extends it."""

    open_at: int | None = None
    """Where tests of an event ended that stand in no brackets."""

    def rule(self) -> dict[str, Any]:
        """Read a whole rule."""
        raise NotImplementedError

    def operator(self) -> dict[str, Any]:
        """Read an operator with its constants."""
        if self.sees_call(map(operator_name, operators)):
            return self.call("op")
        for words, kind in self._said():
            # No value begins with a bracket: "is known and not (…)" is two conditions.
            if not (kind.parameters and self.sees(*words, "(")) and self.takes(*words):
                return self._constants(kind)
        return self._other_words()

    def sees_operator(self) -> bool:
        """Say whether an operator comes next, said in any words."""
        phrases = [words for words, _ in (*labels(), *aliases(), *refused())]
        is_call = self.sees_call(map(operator_name, operators))
        return is_call or any(self.sees(*words) for words in phrases)

    def _said(self) -> Iterator[tuple[tuple[str, ...], type[Operator]]]:
        """Give operators by the words they may begin with, those of their own first."""
        for words, kind in labels():
            # "is" alone comes after what begins with it: "is over 5", "is not FR".
            if words != ("is",) or not any(self.sees(*other) for other in after_is()):
                yield words, kind

    def _constants(self, kind: type[Operator]) -> dict[str, Any]:
        op = operator_name(kind)
        ago = self._ago(op)
        if ago is not None:
            return ago
        plain: dict[str, Any] = {"op": op}
        for number, parameter in enumerate(kind.parameters):
            if parameter.kind == "zone" and number:
                plain[parameter.name] = self.zone()
                continue
            if number:
                self.expect("and")
            plain[parameter.name] = self.parameter(parameter, is_last=len(kind.parameters) == 1)
        return self._or_others(plain) if op == "eq" else plain

    def zone(self) -> str:
        """Read a time zone, if one comes next; else it is UTC."""
        return self.name() if self.takes("in", "zone") else "UTC"

    def _or_others(self, plain: dict[str, Any]) -> dict[str, Any]:
        """Read "is FR, DE or AT", each a value alone: one of them."""
        if isinstance(plain["value"], int | float):
            for op, phrases in _OR_MORE.items():
                if self.takes_any(*phrases):
                    return {**plain, "op": op}
        others = self.more(plain["value"])
        return plain if len(others) == 1 else {"op": "in", "values": others}

    def more(self, first: Any, *joints: str) -> list[Any]:
        """Read the values after the first, as long as each is one and no condition."""
        values = [first]
        while any(self.sees(joint) and self._is_alone() for joint in (",", "or", *joints)):
            self.take()
            values.append(self._constant())
        return values

    def _is_alone(self) -> bool:
        """Say whether what comes after the next word is a value by itself: nothing tests it."""
        joint, token, *rest = self.tokens[self.place :]
        while rest and token.kind == "word" and rest[0].kind == "word" and self.goes_on(rest[0]):
            rest = rest[1:]
        after = rest[0].written.lower() if rest else ""
        if not rest or not _is_value(token):
            return False
        if joint.written != ",":
            return after in _ENDS_VALUE
        # After a comma no condition can begin, only a field with its colon, or an operator.
        return after != ":" and (token.kind != "word" or after in _ENDS_VALUE | CONTINUES)

    def _other_words(self) -> dict[str, Any]:
        """Read an operator said otherwise, or say what could be meant."""
        if self.takes_any("is within", "within") and self.sees_number():
            return self._within()
        if self.takes_any("is in (", "in ("):
            values = self.more(self._constant(), "and")
            self.expect(")")
            return {"op": "in", "values": values}
        for words, op in aliases():
            if self.takes(*words):
                return self._constants(operators[op])
        for words, reason in refused():
            if self.sees(*words):
                self.fail(reason)
        written = self.next.written
        near = nearest(written, sorted({words[0] for words, _ in labels()}))
        self.fail(f'expected a test, such as: is at least 3, or: is one of "a", "b"{near}')

    def _ago(self, op: str) -> dict[str, Any] | None:
        """Read "30 days ago" after more or less than."""
        said = {"gt": "more_than_ago", "lt": "within_last"}.get(op)
        if said is None or [token.written.lower() for token in self.tokens[self.place :]][2:3] != [
            "ago"
        ]:
            return None
        days = self.days()
        self.expect("ago")
        return {"op": said, "days": days}

    def _within(self) -> dict[str, Any]:
        """Read "within 20 km of 52.52, 13.405" and "within 7 days of 2026-01-31"."""
        if self.tokens[self.place + 1].written.lower() not in _KILOMETRES:
            days = self.days()
            self.expect("of")
            return {"op": "within_days_of", "value": self._constant(), "days": days}
        km = self.number()
        self.take()
        self.expect("of")
        if not self.sees_number():
            self.fail("say where that lies by latitude and longitude: within 20 km of 52.52, 13.4")
        lat = self.take().value
        self.takes(",")
        if not self.sees_number():
            self.fail("expected the longitude, as in: within 20 km of 52.52, 13.4")
        return {"op": "near", "lat": lat, "lon": self.take().value, "km": km}

    def parameter(self, parameter: Parameter, *, is_last: bool = False) -> Any:
        """Read one constant."""
        if parameter.kind == "days":
            return self.days()
        if parameter.kind == "scalars":
            return self.more(self._constant(), *(("and",) if is_last else ()))
        if parameter.kind == "number" and self.sees_number():
            return self._number()
        return self._constant()

    def _constant(self) -> Any:
        """Read a value that stands by itself, in no list of brackets."""
        day = self._day()
        if day is not None:
            return day
        return self._number() if self.next.kind == "number" else self.value()

    def _number(self) -> Any:
        number = self.number()
        if self.sees("%"):
            self.fail("leave the % out and write what is stored: 20, or 0.2")
        if is_currency(self.next):
            self.fail(
                f"a field has no currency: leave {self.next.written} out, or ask the orders: "
                f"spent more than {number} {self.next.written}"
            )
        return number

    def _day(self) -> str | None:
        """Read a date in words, such as 3 May 2026 or May 3, 2026."""
        ahead = [token for token in self.tokens[self.place :][:4] if token.written != ","][:3]
        if [token.kind for token in ahead] not in (
            ["number", "word", "number"],
            ["word", "number", "number"],
        ):
            return None
        day, month = ahead[:2] if ahead[0].kind == "number" else ahead[1::-1]
        number = MONTHS.get(month.written.lower().removesuffix("."))
        if number is None:
            return None
        self.place = self.tokens.index(ahead[2]) + 1
        return f"{ahead[2].written:0>4}-{number:02d}-{day.written:0>2}"

    def value(self) -> Any:
        """Read a value, of any type of JSON."""
        if self.takes("["):
            return self.list_()
        if self.takes("{"):
            return self.object_()
        for word, constant in (("true", True), ("false", False), ("null", None)):
            if self.takes(word):
                return constant
        token = self.next
        if token.kind in {"text", "number", "date"}:
            return self.take().value
        if token.kind == "word" and token.written.lower() not in KEYWORDS:
            return self.name()
        self.fail("expected a value: a number, a date, or a text in quotes")

    def list_(self) -> list[Any]:
        """Read a list, its bracket already read."""
        found: list[Any] = []
        while not self.takes("]"):
            if found:
                self.expect(",")
            found.append(self.any_value())
        return found

    def object_(self) -> dict[str, Any]:
        """Read an object, its brace already read."""
        found: dict[str, Any] = {}
        while not self.takes("}"):
            if found:
                self.expect(",")
            key = self.key()
            self.expect(":")
            self.set_(found, key, self.any_value())
        return found

    def any_value(self) -> Any:
        """Read what a field of a condition can hold: a value, a rule, a test, an operator."""
        if self.takes("("):
            inner = self.rule()
            self.expect(")")
            return inner
        if self.takes("test"):
            return self.test()
        is_call = self.sees_call(map(operator_name, operators))
        if is_call or any(self.sees(*words) for words, _ in labels()):
            return self.operator()
        return self.value()

    def call(self, kind: Literal["node", "op"]) -> dict[str, Any]:
        """Read a name with its fields in brackets."""
        name = self.take().written
        self.expect("(")
        fields: dict[str, Any] = {}
        while not self.takes(")"):
            if fields:
                self.expect(",")
            key = self.key()
            self.expect(":")
            self.set_(fields, key, self.any_value())
        return {kind: name, **fields}

    def test(self) -> dict[str, Any]:
        """Read a test of one property."""
        return {"property": self.name(), "is": self.operator()}

    def tests(self) -> list[dict[str, Any]]:
        """Read one test, or several in brackets."""
        if not self.takes("("):
            test = self.test()
            self.open_at = self.place
            return [test]
        tests = [self.test()]
        while self.takes("and"):
            tests.append(self.test())
        self.expect(")")
        return tests


def is_currency(token: Token) -> bool:
    """Say whether a token is the code of a currency."""
    is_word = token.written.lower() in KEYWORDS | CONTINUES
    return token.kind in {"word", "text"} and not is_word and bool(CURRENCY.match(str(token.value)))


def _is_value(token: Token) -> bool:
    if token.kind == "word":
        word = token.written.lower()
        # AT is a country, not the word "at".
        ours = KEYWORDS | CONTINUES if token.written.islower() else KEYWORDS
        return word in _CONSTANTS or word not in ours
    return token.kind in {"text", "number", "date"}
