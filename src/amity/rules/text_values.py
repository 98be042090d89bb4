"""Reading what stands in a condition: operators with their constants, tests, lists, fields."""

from __future__ import annotations

from typing import Any, Literal

from amity.rules.operator import Parameter, operators
from amity.rules.operator import name_of as operator_name
from amity.rules.text_cursor import Cursor
from amity.rules.text_tokens import KEYWORDS
from amity.rules.text_writing import labels


class ValueReader(Cursor):
    """Reads values; whole rules within them are for whoever extends it."""

    def rule(self) -> dict[str, Any]:
        """Read a whole rule."""
        raise NotImplementedError

    def operator(self) -> dict[str, Any]:
        """Read an operator with its constants."""
        if self.sees_call(map(operator_name, operators)):
            return self.call("op")
        for words, kind in labels():
            # No value begins with a bracket: "is known and not (…)" is two conditions.
            if not (kind.parameters and self.sees(*words, "(")) and self.takes(*words):
                plain: dict[str, Any] = {"op": operator_name(kind)}
                for number, parameter in enumerate(kind.parameters):
                    if number:
                        self.expect("and")
                    plain[parameter.name] = self.parameter(parameter)
                return plain
        self.fail('expected a test, such as: is at least 3, or: is one of "a", "b"')

    def parameter(self, parameter: Parameter) -> Any:
        """Read one constant."""
        if parameter.kind == "days":
            return self.days()
        if parameter.kind == "scalars":
            values = [self.value()]
            while self.takes(","):
                values.append(self.value())
            return values
        return self.value()

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
            return self.take().written
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
            return [self.test()]
        tests = [self.test()]
        while self.takes("and"):
            tests.append(self.test())
        self.expect(")")
        return tests
