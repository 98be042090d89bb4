"""Reading what people did with products and orders: how often, when, which ones, for how much."""

from __future__ import annotations

from typing import Any, Final

from amity.rules.text_cursor import CONTINUES
from amity.rules.text_phrases import PRODUCT
from amity.rules.text_tokens import KEYWORDS
from amity.rules.text_values import ValueReader, is_currency

Node = dict[str, Any]
ORDERED: Final = "Order Completed"
VIEWED: Final = "Product Viewed"
PAGE: Final = "Page Viewed"
_BEFORE_PRODUCT: Final = ("the", "a", "any", "something", "anything", "products", "product")
_AMOUNTS: Final = {"at_least": "gte", "at_most": "lte", "above": "gt", "below": "lt"}


class EventReader(ValueReader):
    """Reads counts, windows and tests of events, products, and money spent."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._spoken: Node | None = None
        self.is_not = False
        """Whether what is read is what was not done, so that "for 30 days" is a window."""

    def how_often(self, node: Node) -> Node:
        """Read how often, in what window and where, in any order, each once at most."""
        while self._takes_more(node):
            pass
        return node

    def _takes_more(self, node: Node) -> bool:
        if self.takes("where"):
            self.set_(node, "where", self.tests())
            return True
        if node["node"] == "did" and self.sees("on"):
            return self._takes_days(node)
        return self.takes_bound(node) or self.takes_when(node, is_absence=self.is_not)

    def _takes_days(self, node: Node) -> bool:
        """Read "on at least 3 days": how many different days are counted then."""
        before = self.place
        self.take()
        count = self.counted("different days", "days", "day")
        if count is None:
            self.place = before
            return False
        for key, value in count.items():
            self.set_(node, key, value)
        node["node"] = "active_days"
        return True

    def counted(self, *nouns: str) -> dict[str, int] | None:
        """Read "at least 3 pages", as bounds; None when that does not come next."""
        before, bound = self.place, self.bound()
        if bound is not None and self.sees_number():
            node: dict[str, int] = {}
            self.set_bound(node, bound, self.whole())
            if self.takes_any(*nouns):
                return node
        self.place = before
        return None

    def viewed(self) -> Node:
        """Read which product was viewed, or how many pages."""
        pages = self.counted("pages", "page")
        if pages is not None:
            return self.how_often({"node": "did", "event": PAGE, **pages})
        test = self.product()
        if self.takes_any("and then", "then"):
            return self.sequence({"event": VIEWED, "where": [test]})
        node = self.how_often({"node": "did", "event": VIEWED})
        return node | {"where": [test, *node.get("where", ())]}

    def ordered(self) -> Node:
        """Read an order, or what was bought by it."""
        if self.names_product():
            return self._bought()
        if self.takes("nothing"):
            self.is_not = True
            return self.how_often({"node": "did", "event": ORDERED, "at_most": 0})
        self.takes_any("something", "anything")
        if self.takes_any("and then", "then"):
            return self.sequence({"event": ORDERED})
        if self.sees("for") and not (self.sees_number(1) or self.sees("for", "a")):
            self.fail("say what was spent: spent more than 100 EUR in the last 90 days")
        return self.how_often({"node": "did", "event": ORDERED})

    def _bought(self) -> Node:
        node: Node = {"node": "bought"}
        units = self.counted("units of", "pieces of", "units", "pieces")
        lines = [self.product()]
        while True:
            if self.sees("for") and not (self.sees_number(1) or self.sees("for", "a")):
                self.take()
                self.set_(node, "measure", "spend")
                node["is"], node["where"] = self._money()
            elif self._sees_more_of_it():
                lines.append(self.product())
            elif not self._takes_more(node):
                break
        self._refuse_then()
        low, high = node.pop("at_least", None), node.pop("at_most", None)
        if units is not None:
            node["measure"] = "units"
            low, high = units.get("at_least"), units.get("at_most")
        if "is" not in node:
            # A time is a line of an order; where nobody counts, a unit is enough.
            counts = low is not None or high is not None
            node = {"measure": "lines" if counts else "units", **node, "is": _between(low, high)}
        return {**node, "lines": lines}

    def _refuse_then(self) -> None:
        if self.sees("then") or self.sees("and", "then"):
            self.fail(
                "the lines of an order cannot be asked in a sequence: write `ordered then …`, or "
                "two conditions joined by `and`"
            )

    def _sees_more_of_it(self) -> bool:
        """Say whether another word about the product comes: in category Wine."""
        return any(
            self.sees(*joint, each)
            for joint in (("in",), ("from",), ("of",), ("in", "the"), ("from", "the"))
            for each in PRODUCT
        )

    def product(self) -> Node:
        """Read what a product is called, or "it": the one spoken of last."""
        if self._spoken is not None and self.takes("it"):
            return self._spoken
        self._skip_article()
        self.takes_any("in the", "from the", "of the", "in", "from", "of")
        property_ = next((each for each in PRODUCT if self.takes(each)), "name")
        is_any = self.takes_any("one of", "any of")
        word = self.next.written.lower()
        if self.next.kind == "word" and word in CONTINUES:
            self.fail("expected the name of a product; a name that is a word of ours needs quotes")
        names = self.more(self.name(), "or") if is_any else [self.name()]
        test = {"op": "in", "values": names} if is_any else {"op": "eq", "value": names[0]}
        self._spoken = {"property": property_, "is": test}
        return self._spoken

    def _skip_article(self) -> None:
        while not self.sees("any", "of") and self.takes_any(*_BEFORE_PRODUCT):
            pass

    def names_product(self) -> bool:
        """Say whether a product comes next, and not how often or when."""
        if self.next.kind == "text" or self.sees("it"):
            return True
        before = self.place
        if self.counted("units of", "pieces of", "units", "pieces") is not None:
            self.place = before
            return True
        self._skip_article()
        is_bare = self.place == before
        self.takes_any("in the", "from the", "of the", "in", "from", "of")
        token = self.next
        word = token.written.lower()
        self.place = before
        if word in PRODUCT or (word in {"one", "any"} and self.sees(word, "of")):
            return True
        is_name = token.kind == "word" and word not in CONTINUES | KEYWORDS
        return is_name and (is_bare or self.sees("the")) and not self.sees("in")

    def spent(self) -> Node:
        """Read how much was spent, on what and when."""
        bound, money = self._money()
        if self.takes("on"):
            node: Node = {"node": "bought", "measure": "spend", "is": bound, "where": money}
            return self._windowed({**node, "lines": [self.product()]})
        currency = money[0]["is"]["value"]
        return self._windowed(
            {"node": "ordered", "measure": "net", "is": bound, "currency": currency}
        )

    def _windowed(self, node: Node) -> Node:
        while self.takes_when(node, is_absence=self.is_not):
            pass
        return node

    def _money(self) -> tuple[Node, list[Node]]:
        """Read "more than 100 EUR": the bound, and the test that orders are in that currency."""
        bound = self.bound()
        currency = self._currency()
        if bound not in _AMOUNTS or not self.sees_number():
            self.fail("expected an amount, such as: more than 100 EUR")
        number = self.number()
        currency = currency or self._currency()
        if currency is None:
            self.fail(f"in which currency? Write it after the amount, such as: {number} EUR")
        is_in = {"property": "currency", "is": {"op": "eq", "value": currency}}
        return {"op": _AMOUNTS[bound], "value": number}, [is_in]

    def _currency(self) -> str | None:
        if self.takes_any("euros", "euro"):
            return "EUR"
        return str(self.take().value) if is_currency(self.next) else None

    def step(self) -> Node:
        """Read one event of several, said by a verb or by its name."""
        if not self.next.written.islower():
            return self.named_step()
        if self.takes_any("viewed", "looked at"):
            return {"event": VIEWED, "where": [self.product()]}
        if self.takes_any("visited the shop", "visited the site", "visited"):
            return {"event": PAGE}
        before = self.place
        if self.takes_any("placed an order", "ordered", "bought", "purchased"):
            if not self.names_product():
                return {"event": ORDERED}
            self.place = before
            self.fail(
                "the lines of an order cannot be asked in a sequence: write `then ordered`, or "
                "two conditions: viewed Bread and bought it"
            )
        self.takes("did")
        if self.next.kind == "word" and self.next.written.endswith("ing"):
            self.fail("name the event as it is recorded, in quotes")
        return self.named_step()

    def named_step(self) -> Node:
        """Read the name of an event and what it must be like."""
        step: Node = {"event": self.name()}
        return {**step, "where": self.tests()} if self.takes("where") else step

    def sequence(self, first: Node) -> Node:
        """Read what came after a first step, and what lies between them."""
        node: Node = {"node": "sequence", "first": first, "then": self.step()}
        while True:
            if self.takes("within"):
                self.set_(node, "apart_days", self.days())
            elif self.takes("without"):
                self.set_(node, "without", self.step())
                self.takes_any("in between", "between")
            elif not self.takes_when(node):
                return node


def _between(low: int | None, high: int | None) -> Node:
    if high is None:
        return {"op": "gte", "value": 1 if low is None else low}
    if low is None:
        return {"op": "lte", "value": high}
    return {"op": "between", "low": low, "high": high}
