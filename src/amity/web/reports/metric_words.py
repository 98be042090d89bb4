"""How a metric is computed, as facts that people read."""

from typing import Final

from amity.analysis import api_reports as reports
from amity.analysis.contracts_metrics import Counted, Difference, Expression, Ratio

Fact = tuple[str, str, str]
"""What is said, what it says, and the metric it names, if it names one."""

_COUNTED: Final = {
    "rows": "how many there are",
    "customers": "how many customers they are of",
}
_BASES: Final = {
    "order_lines": "lines of orders",
    "newcomers": "customers whose first order is in the time asked for",
    "earlier": "customers who ordered in as long a time before it",
    "sends": "messages",
}
_COMPARED: Final = {
    "is": "is",
    "is_not": "is not",
    "at_least": "is at least",
    "at_most": "is at most",
}


def say_expression(expression: Expression) -> list[Fact]:
    """Return how a metric is computed, a fact a line."""
    if isinstance(expression, Counted):
        return _counted(expression)
    titles = {one.name: one.definition.title for one in reports.list_metrics()}

    def named(lead: str, name: str) -> Fact:
        return lead, titles.get(name, name), name

    match expression:
        case Ratio(of=of, by=by):
            return [named("Take", of), named("Divide it by", by)]
        case Difference(of=of, less=less):
            return [named("Take", of), named("Take off", less)]


def _counted(counted: Counted) -> list[Fact]:
    what = _COUNTED.get(counted.what) or f"the sum of their {_plain(counted.column)}"
    facts = [("Of all", _BASES.get(counted.base, counted.base), ""), ("Take", what, "")]
    for where in counted.where:
        how = _COMPARED.get(where.op, _plain(where.op))
        facts.append(("Only where", f"{_plain(where.column)} {how} “{where.value}”", ""))
    return facts


def _plain(name: str) -> str:
    return name.replace("_", " ")
