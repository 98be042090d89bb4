"""Conditions written in words of their own, where these say all of them; else None."""

from __future__ import annotations

from typing import Any, Final

from amity.rules.text_aliases import CURRENCY
from amity.rules.text_words import bounds, quote, times, when

Node = dict[str, Any]
PRODUCT: Final = ("name", "category", "brand", "product_id", "sku")
_WINDOW: Final = {"within_days", "during"}
_AMOUNTS: Final = {"gt": "more than", "lt": "less than", "gte": "at least", "lte": "at most"}
_MESSAGES: Final = {
    "sent": ("was", "sent an email"),
    "opened": ("", "opened an email"),
    "clicked": ("", "clicked in an email"),
    "bounced": ("", "had an email returned"),
    "held_out": ("was", "held out"),
}
_RUNS: Final = ("campaign", "journey")


def write_message(node: Node) -> str | None:
    """Write what became of messages."""
    helper, done = _MESSAGES[node["what"]]
    runs = [f"of {kind} {node[f'{kind}_id']}" for kind in _RUNS if f"{kind}_id" in node]
    if (node.get("at_least"), node.get("at_most")) == (None, 0):
        return " ".join([f"{helper} never {done}".strip(), *runs, *when(node)])
    return " ".join([f"{helper} {done}".strip(), *runs, *bounds(node), *when(node)])


def write_lives(node: Node, tested: str) -> str:
    """Write where somebody lives; `tested` is the test as text."""
    part, test = node["part"].replace("_", " "), node["is"]
    if test["op"] == "eq" and isinstance(test["value"], str):
        return f"lives in {part} {quote(test['value'])}"
    return f"lives where {part} {tested}"


def write_spent(node: Node) -> str | None:
    """Write what orders brought."""
    if node["measure"] != "net" or set(node) - {"node", "measure", "is", "currency", *_WINDOW}:
        return None
    amount = _amount(node["is"], node["currency"])
    return None if amount is None else " ".join([f"spent {amount}", *when(node)])


def write_bought(node: Node) -> str | None:
    """Write what was bought, where orders are tested by no more than their currency."""
    known = {"node", "measure", "is", "lines", "where", *_WINDOW}
    lines = [_product(test) for test in node.get("lines", ())]
    if set(node) - known or not lines or None in lines:
        return None
    how = _how_much(node)
    if how is None:
        return None
    product = " of ".join(map(str, lines)).removeprefix("name ")
    return " ".join([f"bought {product}{how}", *when(node)])


def _how_much(node: Node) -> str | None:
    """Write the bound of what was bought, with a space before; None when words do not say it."""
    measure, test, where = node["measure"], node["is"], node.get("where", [])
    if measure == "spend" and len(where) == 1:
        amount = _amount(test, _currency(where[0]))
        return None if amount is None else f" for {amount}"
    if where or measure not in {"units", "lines"}:
        return None
    if measure == "units":
        return "" if test == {"op": "gte", "value": 1} and type(test["value"]) is int else None
    return _counted(test)


def _counted(test: Node) -> str | None:
    low = test.get("low") if test["op"] == "between" else test.get("value")
    high = test.get("high", 0)
    if not all(type(each) is int and each >= 0 for each in (low, high)):
        return None
    if test["op"] == "between":
        return f" at least {times(low)} at most {times(high)}"  # type: ignore[arg-type]
    word = {"gte": "at least", "lte": "at most"}.get(test["op"])
    return None if word is None else f" {word} {times(low)}"  # type: ignore[arg-type]


def _product(test: Node) -> str | None:
    """Write which product is meant."""
    op, property_ = test["is"], test["property"]
    if property_ not in PRODUCT:
        return None
    if op["op"] == "eq" and isinstance(op["value"], str):
        return f"{property_} {quote(op['value'])}"
    if op["op"] == "in" and all(isinstance(each, str) for each in op["values"]):
        return f"{property_} one of {', '.join(map(quote, op['values']))}"
    return None


def _currency(test: Node) -> Any:
    is_eq = test["property"] == "currency" and test["is"]["op"] == "eq"
    return test["is"]["value"] if is_eq else None


def _amount(test: Node, currency: Any) -> str | None:
    word = _AMOUNTS.get(test["op"])
    if word is None or not isinstance(currency, str) or not CURRENCY.match(currency):
        return None
    return f"{word} {quote(test['value'])} {currency}"
