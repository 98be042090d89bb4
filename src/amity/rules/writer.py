"""Writing a rule as Python source: constants are bound to generated names, never written out."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from amity.rules.operator import Operator
from amity.rules.period import Period

_MARK: Final = "\N{SECTION SIGN}"
_SOURCES: Final = {"trait": "subject.traits", "field": "subject.fields"}


class Writer:
    """Collects the constants and helper functions of one compiled rule.

    Only names made here, and the text operators give for them, become source, so nothing that a
    person typed can.

    With ``is_bold`` it expects every field to be there and takes it by subscript, which costs
    half of a call of `get`; what it writes then raises KeyError when one is missing.
    """

    def __init__(self, *, is_bold: bool = False) -> None:
        self._is_bold = is_bold
        self.namespace: dict[str, Any] = {}
        self._constants: dict[str, object] = {}
        self._made = 0
        self._used: set[str] = set()

    def _fresh(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}{self._made}"

    def bind(self, constant: object) -> str:
        """Return the text by which source reaches a constant.

        What can be called gets a name; anything else a mark, in whose place the constant itself
        is put once the source is compiled, as that is the fastest to reach.
        """
        if constant is True or constant is False:
            return repr(constant)
        name = self._fresh("c")
        if callable(constant):
            self.namespace[name] = constant
            return name
        self._constants[_MARK + name] = constant
        return repr(_MARK + name)

    def _define(self, name: str, lines: list[str]) -> Any:
        """Compile a function and put the constants in the place of their marks."""
        exec(compile("\n".join(lines), "<rule>", "exec"), self.namespace)  # noqa: S102
        function = self.namespace[name]
        code = function.__code__
        function.__code__ = code.replace(
            co_consts=tuple(
                self._constants.get(value, value) if isinstance(value, str) else value
                for value in code.co_consts
            )
        )
        return function

    def _test(self, operator: Operator, found: str) -> str:
        x = self._fresh("x")
        found = f"({x} := {found})"
        inner = operator.source(x, self.bind)
        if inner == "True":
            return f"{found} is not None"
        if inner == "False":
            return f"{found} is None" if operator.matches_missing else "False"
        if operator.matches_missing:
            return f"({found} is None or {inner})"
        if operator.refuses_none:
            return inner.replace(x, found, 1)
        return f"{found} is not None and {inner}"

    def test(self, operator: Operator, kind: Literal["trait", "field"], name: str) -> str:
        """Return an expression that tests one field of the subject."""
        self._used.add(kind)
        key = self.bind(name)
        if self._is_bold and not operator.matches_missing:
            return self._test(operator, f"{kind}[{key}]")
        return self._test(operator, f"{kind}.get({key})")

    def ask(self, answer: Callable[[Any, datetime], bool]) -> str:
        """Return an expression that asks a function of subject and now."""
        return f"{self.bind(answer)}(subject, now)"

    def contains(self, attribute: Literal["segments", "consents"], member: object) -> str:
        """Return an expression that looks a constant up in one of the subject's sets."""
        return f"{self.bind(member)} in subject.{attribute}"

    def window(self, attribute: Literal["allowed"], name: str) -> str:
        """Return an expression that says whether now lies in one of the subject's windows."""
        found = self._fresh("x")
        look_up = f"({found} := subject.{attribute}.get({self.bind(name)}))"
        return f"({look_up} is not None and {found}.holds(now))"

    def count(
        self,
        event: str,
        tests: list[tuple[Operator, str]],
        *,
        bounds: tuple[int, int | None],
        within_days: float | None,
        during: Period | None = None,
    ) -> str:
        """Return an expression that counts events, by a helper function written for it."""
        helper = self._count_helper(tests, bounds, within_days, during)
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
        during: Period | None,
    ) -> str:
        low, high = bounds
        conditions = ["at <= now"]
        lines = ["", " n = 0"]
        if within_days is not None:
            lines.append(f" since = now - {self.bind(timedelta(days=within_days))}")
            conditions = ["since < at <= now"]
        if during is not None:
            lines.append(f" begin, end = {self.bind(during.bounds)}(now)")
            conditions = ["begin <= at < end and at <= now"]
        conditions += [
            f"({self._test(op, f'properties.get({self.bind(key)})')})" for op, key in tests
        ]
        lines += [
            " for at, properties in happened:",
            f"  if {' and '.join(conditions)}:",
            "   n += 1",
            # Stop as soon as more events cannot change the answer.
            f"   if n >= {low}: return True" if high is None else f"   if n > {high}: return False",
            " return False" if high is None else f" return n >= {low}",
        ]
        name = self._fresh("f")
        lines[0] = f"def {name}(happened, now):"
        self._define(name, lines)
        return name

    def finish(
        self, expression: str, otherwise: Callable[[Any, datetime], bool] | None = None
    ) -> Callable[[Any, datetime], bool]:
        """Return the function of subject and now whose answer is ``expression``.

        When that finds a field missing, ``otherwise`` is asked.
        """
        lines = ["def matches(subject, now):"]
        lines += [f" {kind} = {_SOURCES[kind]}" for kind in sorted(self._used)]
        if otherwise is None:
            lines.append(f" return {expression}")
        else:
            # Entering a `try` costs nothing; only leaving it by an error does.
            lines += [" try:", f"  return {expression}"]
            lines += [" except KeyError:", f"  return {self.bind(otherwise)}(subject, now)"]
        compiled: Callable[[Any, datetime], bool] = self._define("matches", lines)
        return compiled
