"""Going through the text of a rule: what comes next, and the small things that are read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NoReturn

from amity.rules.text_tokens import KEYWORDS, Token, tokenise, unreadable

_UNITS: Final = {"day": 1.0, "hour": 24.0, "minute": 1440.0, "week": 1 / 7}


class Cursor:
    """A place in a text; what is read moves it on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenise(text)
        self.place = 0

    @property
    def next(self) -> Token:
        """The token to be read next."""
        return self.tokens[self.place]

    def fail(self, reason: str) -> NoReturn:
        """Raise Invalid that points here."""
        raise unreadable(self.text, self.next.start, reason)

    def sees(self, *words: str) -> bool:
        """Say whether these words or signs come next."""
        ahead = self.tokens[self.place : self.place + len(words)]
        return len(ahead) == len(words) and all(
            token.kind in {"word", "sign"} and token.written.lower() == word
            for token, word in zip(ahead, words, strict=True)
        )

    def takes(self, *words: str) -> bool:
        """Read these words if they come next."""
        if not self.sees(*words):
            return False
        self.place += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Read these words, or say that they are missing."""
        if not self.takes(*words):
            self.fail(f"expected `{' '.join(words)}`")

    def take(self) -> Token:
        """Read the next token, whatever it is."""
        token = self.next
        self.place += 1
        return token

    def sees_call(self, names: Iterable[str]) -> bool:
        """Say whether one of these names comes next, with its fields in brackets."""
        return self.next.written in names and self.sees(self.next.written, "(")

    def name(self) -> str:
        """Read a name: a word that means nothing by itself, or a text in quotes."""
        token = self.next
        if token.kind == "text" or (token.kind == "word" and token.written.lower() not in KEYWORDS):
            return str(self.take().value)
        self.fail("expected a name; put it in quotes")

    def key(self) -> str:
        """Read the name of a field, before its colon, which can be a word of the language."""
        return self.take().written if self.next.kind == "word" else self.name()

    def set_(self, node: dict[str, Any], key: str, value: Any) -> None:
        """Note what was read; raise Invalid when it was said before."""
        if key in node:
            self.fail(f"this is said twice: {key.replace('_', ' ')}")
        node[key] = value

    def whole(self) -> int:
        """Read a whole number."""
        if self.next.kind == "number" and isinstance(self.next.value, int):
            return int(self.take().value)
        self.fail("expected a whole number")

    def times(self) -> int:
        """Read how often."""
        count = self.whole()
        if not (self.takes("times") or self.takes("time")):
            self.fail("expected `times`")
        return count

    def days(self) -> float:
        """Read a length of time, in days."""
        if self.next.kind != "number":
            self.fail("expected a length of time, such as 30 days or 6 hours")
        count = self.take().value
        for unit, per_day in _UNITS.items():
            if self.takes(unit) or self.takes(unit + "s"):
                days: float = count / per_day if per_day != 1 else count
                return days
        self.fail("expected days, weeks, hours or minutes")

    def sees_period(self) -> bool:
        """Say whether a time of the calendar comes next, such as "in this month"."""
        if self.sees("in", "this"):
            return True
        for words in (("in", "the", "last"), ("in", "last")):
            if self.sees(*words):
                after = self.tokens[self.place + len(words) :][:2]
                return after[0].kind == "word" or after[-1].written.lower() == "whole"
        return False

    def period(self) -> dict[str, Any]:
        """Read a time of the calendar, as the JSON of a `Period`."""
        self.takes("in")
        period: dict[str, Any] = {}
        if not self.takes("this"):
            self.takes("the")
            self.expect("last")
            period["which"] = "last"
            if self.next.kind == "number" and (count := self.whole()) != 1:
                period["count"] = count
            self.takes("whole")
        unit = self.name().lower().removesuffix("s")
        if self.takes("in", "zone"):
            period["zone"] = self.name()
        return {"unit": unit, **period}
