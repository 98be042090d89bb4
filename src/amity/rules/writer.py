"""Writing a rule as Python source: constants are bound to generated names, never written out."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from amity.rules.operator import Operator

_GETTERS: Final = {"trait": "subject.traits", "field": "subject.fields"}


class Writer:
    """Collects the constants and helper functions of one compiled rule.

    Only names made here, and the text operators give for them, become source, so nothing that a
    person typed can.
    """

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {}
        self._made = 0
        self._used: set[str] = set()

    def _fresh(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}{self._made}"

    def bind(self, constant: object) -> str:
        """Return a new name for a constant."""
        name = self._fresh("c")
        self.namespace[name] = constant
        return name

    def _test(self, operator: Operator, getter: str, key: str) -> str:
        x = self._fresh("x")
        found = f"({x} := {getter}({self.bind(key)}))"
        inner = operator.source(x, self.bind)
        if inner == "True":
            return f"{found} is not None"
        if inner == "False":
            return f"{found} is None" if operator.matches_missing else "False"
        if operator.matches_missing:
            return f"({found} is None or {inner})"
        return f"{found} is not None and {inner}"

    def test(self, operator: Operator, kind: Literal["trait", "field"], name: str) -> str:
        """Return an expression that tests one field of the subject."""
        self._used.add(kind)
        return self._test(operator, kind, name)

    def contains(self, attribute: Literal["segments", "consents"], member: object) -> str:
        """Return an expression that looks a constant up in one of the subject's sets."""
        return f"{self.bind(member)} in subject.{attribute}"

    def count(
        self,
        event: str,
        tests: list[tuple[Operator, str]],
        *,
        bounds: tuple[int, int | None],
        within_days: float | None,
    ) -> str:
        """Return an expression that counts events, by a helper function written for it."""
        helper = self._count_helper(tests, bounds, within_days)
        happened = self._fresh("x")
        look_up = f"({happened} := subject.history.get({self.bind(event)}))"
        if bounds[0] == 0:
            return f"({look_up} is None or {helper}({happened}, now))"
        return f"({look_up} is not None and {helper}({happened}, now))"

    def _count_helper(
        self,
        tests: list[tuple[Operator, str]],
        bounds: tuple[int, int | None],
        within_days: float | None,
    ) -> str:
        low, high = bounds
        conditions = ["at <= now"]
        lines = ["def helper(happened, now):", " n = 0"]
        if within_days is not None:
            lines.append(f" since = now - {self.bind(timedelta(days=within_days))}")
            conditions = ["since < at <= now"]
        conditions += [f"({self._test(op, 'properties.get', key)})" for op, key in tests]
        lines += [
            " for at, properties in happened:",
            f"  if {' and '.join(conditions)}:",
            "   n += 1",
            # Stop as soon as more events cannot change the answer.
            f"   if n >= {low}: return True" if high is None else f"   if n > {high}: return False",
            " return False" if high is None else f" return n >= {low}",
        ]
        name = self._fresh("f")
        scope = self.namespace
        exec(compile("\n".join(lines), "<rule>", "exec"), scope)  # noqa: S102  # see the class
        scope[name] = scope.pop("helper")
        return name

    def finish(self, expression: str) -> Callable[[Any, datetime], bool]:
        """Return the function of subject and now whose answer is ``expression``."""
        lines = ["def matches(subject, now):"]
        lines += [f" {kind} = {_GETTERS[kind]}.get" for kind in sorted(self._used)]
        lines.append(f" return {expression}")
        exec(compile("\n".join(lines), "<rule>", "exec"), self.namespace)  # noqa: S102
        compiled: Callable[[Any, datetime], bool] = self.namespace["matches"]
        return compiled


def compile_properties(tests: list[tuple[Operator, str]]) -> Callable[[Any, datetime], bool]:
    """Return a function of an event's properties and now: whether all the tests pass."""
    writer = Writer()
    inner = " and ".join(f"({writer._test(op, 'get', key)})" for op, key in tests)
    text = f"def matches(properties, now):\n get = properties.get\n return {inner or 'True'}"
    exec(compile(text, "<rule>", "exec"), writer.namespace)  # noqa: S102
    compiled: Callable[[Any, datetime], bool] = writer.namespace["matches"]
    return compiled
