"""Writing a template's expressions as Python source: variables, comparisons, filters."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions import logical as lo
from liquid.builtin.expressions import primitive as pr
from markupsafe import Markup

from amity.broadcast.logic.liquid import values
from amity.broadcast.logic.liquid.filters import ARGUMENTS, FILTERS, apply

_ITEM_KEYS: Final = frozenset(("size", "first", "last"))

_JOINED: Final[dict[type, str]] = {lo.LogicalAndExpression: "and", lo.LogicalOrExpression: "or"}
_COMPARE: Final[dict[type, str]] = {
    lo.LtExpression: "less({left}, {right})",
    lo.GtExpression: "less({right}, {left})",
    lo.LeExpression: "at_most({left}, {right})",
    lo.GeExpression: "at_most({right}, {left})",
    lo.ContainsExpression: "contains(budget, {left}, {right})",
}
_WORDS: Final[dict[type, Any]] = {
    pr.TrueLiteral: "True",
    pr.FalseLiteral: "False",
    pr.Nil: "None",
    pr.Empty: values.EMPTY,
    pr.Blank: values.BLANK,
}


class Refused(Exception):
    """Something the template may not say; ``token`` shows where."""

    def __init__(self, words: str, token: Any) -> None:
        super().__init__(words)
        self.words = words
        self.token = token


class Loop:
    """One `for` that is being written."""

    def __init__(
        self, name: str, variable: str, counter: str, length: str, *, is_rows: bool
    ) -> None:
        self.name = name
        self.variable = variable
        self.counter = counter
        self.length = length
        self.is_rows = is_rows
        self.is_counted = False
        """Whether anything asks which round it is."""


class ExpressionWriter:
    """Turns expressions into source; what it looks up in the data is looked up once, at the top."""

    def __init__(self, *, is_html: bool, assigned: Iterable[str]) -> None:
        self._is_html = is_html
        self.scope: dict[str, Any] = {
            name: getattr(values, name)
            for name in ("item", "is_true", "equal", "less", "at_most", "contains", "rows")
        }
        self.scope |= {
            "escape": values.escape_text,
            "text": values.html_text if is_html else values.plain_text,
            "make_range": values.make_range,
            "url_text": values.url_text,
            "url_part": values.url_part,
            "safe_url": values.safe_url,
            "apply": apply,
            "Markup": Markup,
        }
        self._made = 0
        self._loops: list[Loop] = []
        self._hoisted: dict[tuple[Any, ...], str] = {}
        self._head: list[str] = []
        self._constants: dict[tuple[type, Any], str] = {}
        self.paths: set[tuple[str, ...]] = set()
        self._assigned = {name: self._fresh("a") for name in sorted(set(assigned))}
        for name, variable in self._assigned.items():
            self._head.append(f"{variable} = data.get({self._bind(name)})")

    def _fresh(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}{self._made}"

    def _bind(self, constant: Any) -> str:
        """Return the name by which source reaches a constant."""
        # By its text too: -0.0 is equal to 0.0.
        key = (constant.__class__, repr(constant) if isinstance(constant, float) else constant)
        if key not in self._constants:
            self._constants[key] = name = self._fresh("k")
            self.scope[name] = constant
        return self._constants[key]

    # Conditions

    def condition(self, expression: Any) -> str:
        """Return source that is True or False."""
        kind = expression.__class__
        if kind is lo.BooleanExpression:
            return self.condition(expression.expression)
        if kind is lo.LogicalNotExpression:
            return f"(not {self.condition(expression.right)})"
        if kind in _JOINED:
            left, right = self.condition(expression.left), self.condition(expression.right)
            return f"({left} {_JOINED[kind]} {right})"
        if kind is lo.EqExpression:
            return self._equal(expression.left, expression.right)
        if kind is lo.NeExpression:
            return f"(not {self._equal(expression.left, expression.right)})"
        return self._compared(expression)

    def _compared(self, expression: Any) -> str:
        kind = expression.__class__
        if kind not in _COMPARE:
            return f"is_true({self.expression(expression)})"
        left, right = self.expression(expression.left), self.expression(expression.right)
        return _COMPARE[kind].format(left=left, right=right)

    def _equal(self, left: Any, right: Any) -> str:
        if isinstance(right, pr.StringLiteral):
            return f"({self.expression(left)} == {self._bind(right.value)})"
        return f"equal({self.expression(left)}, {self.expression(right)})"

    # Expressions

    def expression(self, said: Any) -> str:
        """Return source that has the value of an expression."""
        kind = said.__class__
        if kind is FilteredExpression:
            source = self.expression(said.left)
            for used in said.filters or ():
                source = self._filtered(source, used)
            return source
        if kind is Path:
            return self._path(said)
        if kind is pr.RangeLiteral:
            return f"make_range({self.expression(said.start)}, {self.expression(said.stop)})"
        return self._literal(said)

    def _literal(self, said: Any) -> str:
        kind = said.__class__
        if kind is pr.StringLiteral:
            # What a template's author wrote is HTML already.
            text = Markup(said.value) if self._is_html else said.value  # noqa: S704
            return self._bind(text)
        if kind in (pr.IntegerLiteral, pr.FloatLiteral):
            if not abs(said.value) < values.LARGEST_NUMBER:
                raise Refused("a number is too large", said.token)
            return self._bind(said.value)
        if kind in _WORDS:
            word = _WORDS[kind]
            return word if isinstance(word, str) else self._bind(word)
        raise Refused("this cannot be said here", said.token)

    def _filtered(self, source: str, used: Any) -> str:
        change = FILTERS[self._is_html].get(used.name)
        if change is None:
            raise Refused(f"there is no filter `{used.name}`", used.token)
        rest = []
        for argument in used.args:
            if getattr(argument, "name", None):
                raise Refused(f"`{used.name}` takes no `{argument.name}:`", used.token)
            rest.append(self.expression(argument.value))
        least, most = ARGUMENTS.get(used.name, (0, 0))
        if not least <= len(rest) <= most:
            wanted = str(most) if least == most else f"{least} to {most}"
            raise Refused(f"`{used.name}` takes {wanted} values after it", used.token)
        if used.name == "date":
            rest.append("now")
        return f"apply({', '.join(['budget', self._bind(change), source, *rest])})"

    def _path(self, said: Path) -> str:
        root, *rest = said.path
        if not isinstance(root, str):
            raise Refused("a variable begins with a name", said.token)
        loop = next((x for x in reversed(self._loops) if x.name == root), None)
        if root == "forloop" and any(x.name for x in self._loops) and loop is None:
            return self._forloop(rest, said)
        if loop is not None:
            return self._steps(loop.variable, rest)
        if root in self._assigned:
            return self._steps(self._assigned[root], rest)
        self.paths.add((root, *(s for s in rest[:1] if isinstance(s, str))))
        flat = tuple(said.path)
        if any(isinstance(step, Path) for step in flat):
            return self._steps(self._hoist((root,)), rest)
        return self._hoist(flat)

    def _hoist(self, flat: tuple[Any, ...]) -> str:
        """Look a value of the data up once, at the beginning."""
        if flat not in self._hoisted:
            if len(flat) == 1:
                source = f"data.get({self._bind(flat[0])})"
            else:
                source = self._steps(self._hoist(flat[:-1]), [flat[-1]])
            self._hoisted[flat] = name = self._fresh("h")
            self._head.append(f"{name} = {source}")
        return self._hoisted[flat]

    def _steps(self, source: str, steps: Sequence[Any]) -> str:
        for step in steps:
            key = self.expression(step) if isinstance(step, Path) else self._bind(step)
            if isinstance(step, str) and step not in _ITEM_KEYS:
                source = (
                    f"(x[{key}] if (x := {source}).__class__ is dict and {key} in x "
                    f"else item(x, {key}))"
                )
            else:
                source = f"item({source}, {key})"
        return source

    def _forloop(self, rest: Sequence[Any], said: Path) -> str:
        loops = [x for x in self._loops if x.name]
        depth = len(loops) - 1
        steps = list(rest)
        while steps and steps[0] == "parentloop" and depth:
            depth -= 1
            steps.pop(0)
        loop = loops[depth]
        loop.is_counted = True
        parts = {
            "index": f"({loop.counter} + 1)",
            "index0": loop.counter,
            "rindex": f"({loop.length} - {loop.counter})",
            "rindex0": f"({loop.length} - {loop.counter} - 1)",
            "first": f"({loop.counter} == 0)",
            "last": f"({loop.counter} == {loop.length} - 1)",
            "length": loop.length,
        }
        if len(steps) != 1 or steps[0] not in parts:
            raise Refused(f"`forloop` has only {', '.join(parts)}", said.token)
        return parts[steps[0]]
