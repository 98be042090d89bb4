"""A rule's SQL, written for PostgreSQL, said anew for another engine.

What PostgreSQL says of jsonb becomes functions of our own (`amity_get`, `amity_type` …), which each
engine makes of its own words (`engines`); the rest is sqlglot's. What is not known here is refused:
no rule is answered half understood.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import sqlglot
from sqlglot import exp

from amity.analysis.logic.batch import constants
from amity.analysis.logic.batch.engines import Engine
from amity.kernel.errors import Invalid
from amity.rules import Fragment

_COLUMNS: Final = frozenset({"traits", "consents", "properties"})
"""The columns that hold JSON; besides them there is what is taken apart in the query itself."""

_JSON_CALLS: Final = frozenset({"amity_get"})
_COMPARISONS: Final = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)


def translate(query: Fragment, engine: Engine) -> str:
    """Return a rule's query for an engine, its constants written out and quoted by that engine.

    Raises Invalid for what has no equal there.
    """
    return _Translation(query, engine).finish()


class _Translation:
    """One query on its way."""

    def __init__(self, query: Fragment, engine: Engine) -> None:
        self._engine = engine
        self._params = query.params
        text = _number_placeholders(query.text)
        try:
            self._tree = sqlglot.parse_one(text, read="postgres")
        except sqlglot.errors.SqlglotError as error:
            raise Invalid(f"the rule cannot be said anew: {error}", code="no_batch") from error

    def finish(self) -> str:
        self._json_columns = _COLUMNS | {
            column.name
            for lateral in self._tree.find_all(exp.Lateral)
            for column in lateral.args["alias"].args.get("columns", [])
        }
        # Inner parts first, so that each sees its parts as they will be.
        for node in list(_inside_out(self._tree)):
            self._rewrite(node)
        return self._tree.sql(self._engine.name)

    def _rewrite(self, node: exp.Expr) -> None:
        for kind, method in _REWRITES:
            if isinstance(node, kind):
                made = method(self, node)
                if made is not None:
                    node.replace(made)
                return

    def _bind(self, node: exp.Placeholder) -> exp.Expr:
        return constants.literal(self._params[int(str(node.this)[1:])])

    def _get(self, node: exp.Expr) -> exp.Expr:
        """`json -> key`, by name or by place in a list."""
        return self._getting(node.this, self._key_of(node.expression))

    def _get_text(self, node: exp.Expr) -> exp.Expr:
        """`json ->> key`."""
        return _call("amity_as_text", self._get(node))

    def _path_text(self, node: exp.Expr) -> exp.Expr:
        """`json #>> path`."""
        found = node.this
        for key in self._keys_of(node.expression):
            found = self._getting(found, key)
        return _call("amity_as_text", found)

    def _getting(self, json: exp.Expr, key: str) -> exp.Expr:
        return _call("amity_get", json, exp.Literal.string(self._engine.key(key)))

    def _key_of(self, node: exp.Expr) -> str:
        if isinstance(node, exp.JSONPath):
            keys = [part for part in node.expressions if not isinstance(part, exp.JSONPathRoot)]
            if len(keys) == 1 and isinstance(keys[0], exp.JSONPathKey):
                return str(keys[0].this)
        node = node.unnest()
        while isinstance(node, exp.Cast):
            node = node.this.unnest()
        if isinstance(node, exp.Literal) and node.is_string:
            return str(node.this)
        raise Invalid("a property is looked up by what is no constant", code="no_batch")

    def _keys_of(self, node: exp.Expr) -> list[str]:
        node = node.unnest()
        while isinstance(node, exp.Cast):
            node = node.this.unnest()
        if isinstance(node, exp.Array):
            return [self._key_of(each) for each in node.expressions]
        raise Invalid("a property is looked up by what is no constant", code="no_batch")

    def _cast(self, node: exp.Cast) -> exp.Expr | None:
        to, inner = node.to, node.this
        if to.is_type(exp.DataType.Type.JSONB):
            return exp.paren(inner.copy())
        if self._is_json(inner) and to.is_type(exp.DataType.Type.DECIMAL):
            return _call("amity_decimal", inner)
        if to.is_type(exp.DataType.Type.DECIMAL) and not to.expressions:
            return exp.cast(inner.copy(), "DECIMAL(38, 9)", dialect="duckdb")
        return None

    def _is_json(self, node: exp.Expr) -> bool:
        node = node.unnest()
        if isinstance(node, exp.Nullif):
            return self._is_json(node.this)
        if isinstance(node, exp.Anonymous):
            return node.this in _JSON_CALLS
        return isinstance(node, exp.Column) and node.name in self._json_columns

    def _multiply(self, node: exp.Mul) -> None:
        """Leave room for the product: each factor has half of its decimals."""
        for found in node.find_all(exp.Anonymous):
            if found.this == "amity_decimal":
                found.set("this", "amity_factor")

    def _extract(self, node: exp.Extract) -> exp.Expr | None:
        word = self._engine.parts.get(node.name.upper())
        return None if word is None else exp.Extract(this=exp.var(word), expression=node.expression)

    def _join(self, node: exp.Join) -> None:
        """Ask of what was taken apart in WHERE, as Spark joins it without a condition of ours."""
        wanted, select = node.args.get("on"), node.parent_select
        if isinstance(node.this, exp.Lateral) and wanted is not None and select is not None:
            node.set("on", exp.true())
            select.where(wanted, copy=False)

    def _take_apart(self, node: exp.Lateral) -> exp.Expr | None:
        """`LATERAL jsonb_array_elements(json) AS l(line)`."""
        call = node.this
        if not isinstance(call, exp.Anonymous) or call.this != "amity_items":
            return None
        column = node.args["alias"].args["columns"][0]
        # Spark takes apart what is a column, not what a function of ours returns.
        items = exp.select(exp.alias_(call.copy(), "items")).subquery("i")
        rows = exp.select(exp.alias_(exp.Explode(this=exp.column("items", "i")), column.name))
        rows = rows.from_(items)
        alias = exp.TableAlias(this=node.args["alias"].this.copy())
        return exp.Lateral(this=rows.subquery(), alias=alias)

    def _call(self, node: exp.Anonymous) -> exp.Expr | None:
        name = str(node.this).lower()
        made = _CALLS.get(name)
        if made is not None:
            return made(*node.expressions)
        if name.startswith("amity_"):
            return _call(name, *node.expressions)
        raise Invalid(f"the warehouse has no word for {name}", code="no_batch")

    def _contains(self, node: exp.Expr) -> exp.Expr:
        """`json @> to_jsonb(constant)`: the one kind of containment that rules ask for."""
        wanted = node.expression
        if constants.value_of(wanted) is None:
            return _call("amity_has", node.this, wanted)
        return _call("amity_has_number", node.this, self._order(wanted))

    def _like(self, node: exp.Like) -> exp.Expr | None:
        """`\\` keeps a sign from being a pattern in PostgreSQL without a word."""
        if not self._engine.escapes_like or isinstance(node.parent, exp.Escape):
            return None
        return exp.Escape(this=node.copy(), expression=exp.Literal.string("\\"))

    def _compare(self, node: exp.Expr) -> exp.Expr | None:
        """Compare with `= ANY (list)` as with IN, and numbers of JSON in full."""
        left, right = node.this, node.expression
        if isinstance(right, exp.Any):
            items = _items_of(right.this)
            if isinstance(node, exp.EQ):
                made: exp.Expr = exp.In(this=left.copy(), expressions=items)
                return self._in(made) or made
            raise Invalid("the warehouse only knows = ANY", code="no_batch")
        if _asks_exactly(left, right):
            compared = type(node)(this=self._order(left), expression=self._order(right))
            return _call("amity_truth", compared)
        if any(each.find(exp.Sum, exp.Count) for each in (left, right)):
            return None
        return type(node)(this=_as_float(left), expression=_as_float(right))

    def _between(self, node: exp.Between) -> exp.Expr | None:
        low, high = node.args["low"], node.args["high"]
        if not _asks_exactly(node.this, low, high):
            return None
        return exp.Between(
            this=self._order(node.this), low=self._order(low), high=self._order(high)
        )

    def _in(self, node: exp.Expr) -> exp.Expr | None:
        query = node.args.get("query")
        if query is not None:
            listed = _unnested(query)
            if listed is None:
                return None
            return exp.In(this=node.this.copy(), expressions=listed)
        if not _asks_exactly(node.this, *node.expressions):
            return None
        items = [self._order(each) for each in node.expressions]
        return exp.In(this=self._order(node.this), expressions=items)

    def _order(self, node: exp.Expr) -> exp.Expr:
        """Return a number as a pair that orders as numbers do in memory."""
        constant = constants.value_of(node)
        if constant is not None:
            whole = constants.number(constants.floor_of(constant))
            # As text: a decimal of many digits would be rounded twice on its way to a float.
            return _call("amity_pair", whole, exp.Literal.string(f"{constant:f}"))
        made = node.copy()
        if not _is_decimal(node):
            return _call("amity_order_of", made)
        for found in list(made.find_all(exp.Anonymous)):
            if found.this == "amity_decimal":
                ordered = _call("amity_order", *found.expressions)
                if found is made:
                    return ordered
                found.replace(ordered)
        return made


def _number_placeholders(text: str) -> str:
    """Give each `%s` a name; `%%` is a percent sign."""
    pieces = text.split("%s")
    named = "".join(f"{piece}:p{i}" for i, piece in enumerate(pieces[:-1])) + pieces[-1]
    return named.replace("%%", "%")


def _inside_out(tree: exp.Expr) -> Iterator[exp.Expr]:
    yield from reversed(list(tree.bfs()))


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[each.copy() for each in arguments])


def _is_decimal(node: exp.Expr) -> bool:
    """Say whether an expression is a number that comes straight out of JSON."""
    node = node.unnest()
    if isinstance(node, exp.Min | exp.Max):
        return _is_decimal(node.this)
    if isinstance(node, exp.Case):
        found = [each.args["true"] for each in node.args["ifs"]]
        return bool(found) and all(map(_is_decimal, found))
    return isinstance(node, exp.Anonymous) and node.this == "amity_decimal"


def _asks_exactly(*compared: exp.Expr) -> bool:
    """Say whether one of them is a number of JSON, which can have more digits than a float."""
    return any(map(_is_decimal, compared))


def _as_float(node: exp.Expr) -> exp.Expr:
    """Return a constant that is no whole number as the nearest float, and all else as it is.

    From its text: a decimal of many digits would be rounded twice on its way.
    """
    value = constants.value_of(node)
    if value is None or isinstance(value, int):
        return node.copy()
    return exp.cast(exp.Literal.string(f"{value:f}"), exp.DataType.Type.DOUBLE)


def _items_of(node: exp.Expr) -> list[exp.Expr]:
    node = node.unnest()
    while isinstance(node, exp.Cast):
        node = node.this.unnest()
    if isinstance(node, exp.Array):
        return [each.copy() for each in node.expressions]
    raise Invalid("a list in a rule is no constant", code="no_batch")


def _unnested(query: exp.Expr) -> list[exp.Expr] | None:
    """Return the items of `(SELECT to_jsonb(unnest(list)))`; None when it is another query."""
    select = query.unnest()
    if (
        not isinstance(select, exp.Select)
        or len(select.expressions) != 1
        or select.args.get("from_")
    ):
        return None
    item = select.expressions[0]
    return _items_of(item.this) if isinstance(item, exp.Explode) else None


def _to_json(value: exp.Expr) -> exp.Expr:
    """Return a constant, or the items of a list of truths, as JSON; numbers as they are."""
    plain = value.unnest()
    while isinstance(plain, exp.Cast):
        plain = plain.this.unnest()
    if isinstance(plain, exp.Explode):
        return exp.Explode(this=exp.Array(expressions=list(map(_to_json, _items_of(plain.this)))))
    if isinstance(plain, exp.Boolean):
        return exp.Literal.string("true" if plain.this else "false")
    if isinstance(plain, exp.Literal) and plain.is_string:
        return _call("amity_quoted", plain)
    if constants.value_of(plain) is not None:
        return plain.copy()
    raise Invalid("what is made JSON in a rule is no constant", code="no_batch")


_CALLS: Final[dict[str, Callable[..., exp.Expr]]] = {
    "jsonb_typeof": lambda json: _call("amity_type", json),
    "to_jsonb": _to_json,
    "jsonb_array_elements": lambda json: _call("amity_items", json),
    "jsonb_array_length": lambda json: _call("amity_length", json),
}
_REWRITES: Final[list[tuple[Any, Callable[..., exp.Expr | None]]]] = [
    (exp.Placeholder, _Translation._bind),
    (exp.JSONExtract, _Translation._get),
    (exp.JSONExtractScalar, _Translation._get_text),
    (exp.JSONBExtractScalar, _Translation._path_text),
    (exp.ArrayContainsAll, _Translation._contains),
    (exp.Cast, _Translation._cast),
    (exp.Anonymous, _Translation._call),
    (exp.Lateral, _Translation._take_apart),
    (exp.Join, _Translation._join),
    (exp.Mul, _Translation._multiply),
    (exp.Extract, _Translation._extract),
    (exp.Like, _Translation._like),
    (exp.Between, _Translation._between),
    (exp.In, _Translation._in),
    (_COMPARISONS, _Translation._compare),
]
