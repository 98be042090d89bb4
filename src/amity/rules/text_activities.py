"""Reading what people did in words of their own: no order for 90 days, opened an email.

Each becomes a condition the language has anyway, so that whoever reads the rule sees which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from amity.rules.text_cursor import nearest
from amity.rules.text_events import ORDERED, PAGE, EventReader, Node

_NOTS: Final = tuple(
    f"{helper} {word}"
    for helper in ("has", "have", "had", "did", "was", "were", "do", "does")
    for word in ("not", "never")
) + tuple(
    f"{helper}n{quote}t"
    for helper in ("has", "have", "had", "did", "was", "were", "do", "does")
    for quote in "'’"
)
_HELPERS: Final = ("has", "have", "had", "was", "were")
_MAILS: Final = (
    *("emails", "email", "e-mails", "e-mail", "mails", "mail", "messages", "message"),
    *("newsletters", "newsletter"),
)
_PLACES: Final = {
    "country": "country",
    "city": "city",
    "town": "city",
    "region": "region",
    "state": "region",
    "postal code": "postal_code",
    "zip code": "postal_code",
    "postcode": "postal_code",
}
_DAYS: Final = {"next": "anniversary_next", "last": "anniversary_last"}
_NONE: Final = (
    *("has no", "have no", "with no", "no", "without any", "without an", "without a", "without"),
)
_SCORES: Final = {
    "lifetime value": "clv",
    "customer lifetime value": "clv",
    "churn risk": "churn",
    "probability to be active": "p_alive",
}


class ActivityReader(EventReader):
    """Reads conditions that begin with a verb, or say "at least 3 orders"."""

    def activity(self) -> Node | None:
        """Read a condition in words of its own; None when none comes next."""
        before, was_not = self.place, self.is_not
        is_not = self.takes_any(*_NOTS, "never")
        read = self._verb(is_base=is_not)
        if read is None and self.takes_any(*_HELPERS):
            read = self._verb(is_base=False)
        # A trait can be called so: opened is true.
        is_trait = not is_not and self.place == before + 1 and self.sees("is")
        if read is None or is_trait:
            self.place = before
            return self._counted_orders() or self._has_field()
        self.is_not = is_not or was_not
        node = read(self)
        self.is_not = was_not
        return _negate(node) if is_not else node

    def _verb(self, *, is_base: bool) -> Callable[[ActivityReader], Node] | None:
        """Read a verb, in its base form too where that can stand; return what reads on."""
        for phrase, read, needs_not in _VERBS:
            if (is_base or not needs_not) and self.takes(*phrase.split()):
                return read
        return None

    def _has_field(self) -> Node | None:
        """Read "has an email": it is known."""
        before = self.place
        if self.takes_any("has", "have"):
            self.takes_any("an", "a")
            for field in ("email", "phone", "name"):
                if self.takes(field):
                    return {"node": "check", "field": f"profile.{field}", "is": {"op": "exists"}}
        self.place = before
        return None

    def _counted_orders(self) -> Node | None:
        """Read "at least 3 orders in the last 30 days" and "no order for 90 days"."""
        nouns = ("orders", "order", "purchases", "purchase")
        before, was_not = self.place, self.is_not
        bounds = self.counted(*nouns) or self._trailing(*nouns)
        if bounds is None:
            if not self.takes_any(*_NONE):
                return None
            bounds = {"at_most": 0}
            if not self.takes_any(*nouns):
                self.place = before
                return None
            self.is_not = True
            if self.takes("since"):
                return self._not_since({"node": "not_since", "event": ORDERED})
        node = self.how_often({"node": "did", "event": ORDERED, **bounds})
        self.is_not = was_not
        return node

    def _trailing(self, *nouns: str) -> dict[str, int] | None:
        """Read "3 or more orders"."""
        before = self.place
        if self.sees_number():
            count = self.next.value if self.next.kind == "number" else self.number()
            self.place = before + 1
            for bound, phrase in (("at_least", "or more"), ("at_most", "or fewer")):
                if type(count) is int and self.takes_any(phrase) and self.takes_any(*nouns):
                    return {bound: count}
        self.place = before
        return None

    def _not_done(self) -> Node:
        """Read `"Login" since the last "Logout"`, after: has not done."""
        if not self.is_not:
            self.fail("write: did, and the event in quotes")
        node: Node = {"node": "not_since", "event": self.name()}
        if self.takes("where"):
            node["where"] = self.tests()
        self.expect("since")
        return self._not_since(node)

    def _not_since(self, node: Node) -> Node:
        if self.next.kind in {"date", "number"}:
            self.fail("give a window for a time (in the last 90 days), or name another event")
        if self.takes_any("the first", "first"):
            node["which"] = "first"
        else:
            self.takes_any("the last", "last", "the")
        return {**node, "since": self.step()}

    def _visited(self) -> Node:
        self.takes_any("the site", "the shop", "the website", "the store")
        if self.takes_any("and then", "then"):
            return self.sequence({"event": PAGE})
        node = self.how_often({"node": "did", "event": PAGE})
        if node["node"] == "did" and {"at_least", "at_most"} & set(node):
            self.fail(
                "are visits meant or pages? Write: visited on at least 3 days, or: viewed at "
                "least 3 pages"
            )
        return node

    def _message(self, what: Literal["opened", "clicked", "sent", "bounced", "held_out"]) -> Node:
        node: Node = {"node": "message", "what": what}
        self.takes_any("on a link in", "a link in", "links in")
        if not (self.sees("in", "campaign") or self.sees("in", "journey")) and not (
            self.sees_window()
        ):
            self.takes_any("in", "on")
        bounds = self.counted(*_MAILS)
        if bounds is None and self.takes_any("an", "any", "a"):
            if not self.takes_any(*_MAILS):
                self.fail(f"expected `email`{nearest(self.next.written, _MAILS)}")
        elif bounds is None:
            self.takes_any(*_MAILS)
        node |= bounds or {}
        self.takes("returned")
        for kind in ("campaign", "journey"):
            if self.takes_any(f"of {kind}", f"from {kind}", f"in {kind}"):
                if self.next.kind != "number":
                    self.fail(f"name the {kind} by its number, as its address has it: {kind} 3")
                node[f"{kind}_id"] = self.whole()
        return self.how_often(node)

    def _said_yes(self) -> Node:
        return {"node": "said_yes", "purpose": self.name()}

    def _seen(self) -> Node:
        if self.sees("for"):
            self.fail("write: last seen is longer ago than 90 days")
        return {"node": "check", "field": "profile.last_seen_at", "is": self.operator()}

    def _lives(self) -> Node:
        if self.takes("where"):
            return {"node": "lives", "part": self._part(), "is": self.operator()}
        if self.sees("within") or self.sees("near"):
            self.fail(
                "say which trait holds the place, and the point by latitude and longitude: "
                "location is within 20 km of 52.52, 13.4"
            )
        self.expect("in")
        self.takes("the")
        place = self.next.written
        part = self._find_part()
        if part is None:
            self.fail(
                f"a town, a region or a country? Write: lives in city {place}, lives in region "
                f"{place} or lives in country {place} (as it is stored, such as DE)"
            )
        self.takes("of")
        is_any = self.takes_any("one of", "any of")
        if self.next.kind == "number":
            # Postal codes are texts, with any zeros they begin with.
            names: list[Any] = [self.take().written]
        else:
            names = self.more(self.value(), "or")
        plain: Node = {"op": "eq", "value": names[0]}
        if is_any or len(names) > 1:
            plain = {"op": "in", "values": names}
        return {"node": "lives", "part": part, "is": plain}

    def _find_part(self) -> str | None:
        return next((part for words, part in _PLACES.items() if self.takes(*words.split())), None)

    def _part(self) -> str:
        part = self._find_part()
        if part is None:
            self.fail(f"expected one of: {', '.join(_PLACES)}")
        return part

    def _ranked(self, *, is_top: bool) -> Node:
        """Read "20 % by lifetime value"; the best have the most."""
        if not self.sees_number():
            self.fail("expected a share, such as: in the top 20 % by clv")
        share = self.number()
        if not self.takes_any("%", "percent"):
            self.fail("expected `%`: ranks are shares of all who have the score")
        self.takes_any("of customers", "of all customers", "of all")
        if not self.takes_any("by", "of"):
            self.fail("say by which score: in the top 20 % by clv")
        self.takes("score")
        named = self.known(_SCORES)
        score = _SCORES[named] if named else self.name()
        if score.lower() in {"revenue", "orders", "spend", "number"}:
            self.fail(f"{score} is no score, and only scores have ranks; clv is one")
        bound: Any = (
            {"op": "gte", "value": 100 - share} if is_top else {"op": "lte", "value": share}
        )
        return {"node": "score", "score": score, "is": bound, "by": "percentile"}

    def birthday(self) -> Node:
        """Read "birthday is today" and "birthday in the next 7 days" of the trait of that name."""
        node: Node = {"node": "check", "field": "trait.birthday"}
        before = self.place
        self.takes_any("is")
        if self.takes("today"):
            return {**node, "is": {"op": "anniversary", "zone": self.zone()}}
        for word, op in _DAYS.items():
            if self.takes_any(f"in the {word}", f"within the {word}", f"in {word}"):
                days = self.days()
                return {**node, "is": {"op": op, "days": days, "zone": self.zone()}}
        if self.sees("tomorrow") or self.sees("this") or self.sees("in", "this"):
            self.fail("write: birthday in the next 7 days (today is one of them)")
        if self.takes("within"):
            self.fail("before or after today? Write: birthday in the next 7 days")
        self.place = before
        return {**node, "is": self.operator()}


def _negate(node: Node) -> Node:
    """Return the contrary, as "at most 0 times" where nothing is said of how often."""
    counts = node["node"] in {"did", "message", "active_days"}
    if counts and not {"at_least", "at_most"} & set(node):
        return {**node, "at_most": 0}
    return node if node["node"] == "not_since" else {"node": "not", "of": node}


def _message(
    what: Literal["opened", "clicked", "sent", "bounced", "held_out"],
) -> Callable[[ActivityReader], Node]:
    return lambda reader: reader._message(what)


def _verbs(
    read: Callable[[ActivityReader], Node], said: str, base: str = ""
) -> list[tuple[str, Callable[[ActivityReader], Node], bool]]:
    """Give the phrases of a verb; a base form, as in "did not buy", begins no condition."""
    found = [(phrase, read, False) for phrase in said.split("|")]
    return found + [(phrase, read, True) for phrase in base.split("|") if phrase]


_VERBS: Final = sorted(
    [
        *_verbs(EventReader.viewed, "viewed|looked at", "view|look at"),
        *_verbs(EventReader.ordered, "bought|ordered|purchased", "buy|order|purchase"),
        *_verbs(
            EventReader.ordered,
            "placed an order|placed any order|made a purchase|made an order",
            "place an order|make a purchase|place any order",
        ),
        *_verbs(EventReader.spent, "spent", "spend"),
        *_verbs(ActivityReader._visited, "visited", "visit"),
        *_verbs(_message("opened"), "opened", "open"),
        *_verbs(_message("clicked"), "clicked", "click"),
        *_verbs(_message("sent"), "was sent|were sent|received|sent", "receive|get"),
        *_verbs(_message("bounced"), "had an email returned|bounced"),
        *_verbs(_message("held_out"), "was held out|held out"),
        *_verbs(
            ActivityReader._said_yes,
            "agreed to|consented to|subscribed to|opted in to",
            "agree to|consent to|subscribe to",
        ),
        *_verbs(ActivityReader._lives, "lives|live", "live"),
        *_verbs(ActivityReader._seen, "seen|been seen"),
        *_verbs(ActivityReader._not_done, "done"),
        *_verbs(lambda reader: reader._ranked(is_top=True), "is in the top|in the top|in the best"),
        *_verbs(lambda reader: reader._ranked(is_top=False), "is in the bottom|in the bottom"),
    ],
    key=lambda verb: -len(verb[0]),
)
