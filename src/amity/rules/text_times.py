"""Reading how often and when: counts, lengths of time, windows, periods of the calendar."""

from __future__ import annotations

from typing import Any, Final

from amity.rules.text_cursor import Cursor, nearest

_UNITS: Final = {"day": 1.0, "hour": 24.0, "minute": 1440.0, "week": 1 / 7}
_PERIODS: Final = ("day", "week", "month", "quarter", "year")
_NUMBERS: Final = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
}
_THOUSAND: Final = 3


class TimeReader(Cursor):
    """Reads counts, lengths of time and windows."""

    def sees_number(self, after: int = 0) -> bool:
        """Say whether a number comes next, in digits or as a word."""
        ahead = self.tokens[self.place + after : self.place + after + 1]
        return bool(ahead) and (
            ahead[0].kind == "number"
            or (ahead[0].kind == "word" and ahead[0].written.lower() in _NUMBERS)
        )

    def number(self) -> Any:
        """Read a number that comes next; refuse one that can be read in two ways."""
        token = self.take()
        if token.kind == "word":
            return _NUMBERS[token.written.lower()]
        whole, _, rest = token.written.partition(".")
        if whole.lstrip("-")[:1] == "0" and len(whole.lstrip("-")) > 1:
            self.place -= 1
            self.fail(f'put it in quotes if it is a text: "{token.written}"')
        parts_thousands = len(rest) == _THOUSAND and rest[-1] == "0"
        if (parts_thousands or self._sees_thousands()) and len(whole.lstrip("-")) <= _THOUSAND:
            self.place -= 1
            self.fail(
                "this number can be read in two ways: leave out what parts thousands (1000), "
                "write decimals with a point and no zeros behind (1.5), parts of a list with a "
                "space after the comma"
            )
        return token.value

    def _sees_thousands(self) -> bool:
        comma, *after = self.tokens[self.place : self.place + 2]
        end = self.tokens[self.place - 1]
        return (
            comma.written == ","
            and comma.start == end.start + len(end.written)
            and bool(after)
            and after[0].kind == "number"
            and after[0].start == comma.start + 1
        )

    def whole(self) -> int:
        """Read a whole number."""
        if self.sees_number():
            count = self.number()
            if isinstance(count, int):
                return count
            self.place -= 1
        self.fail("expected a whole number")

    def times(self) -> int:
        """Read how often."""
        for words, count in (("once", 1), ("twice", 2)):
            if self.takes(words):
                return count
        count = self.whole()
        if not self.takes_any("times", "time"):
            self.fail("expected `times`")
        return count

    def takes_bound(self, node: dict[str, Any]) -> bool:
        """Read how often something must be, if that comes next."""
        before = self.place
        bound = self.bound()
        if bound is None:
            if self.sees_number() or self.sees("once") or self.sees("twice"):
                return self._trailing_bound(node)
            return False
        if not (self.sees_number() or self.sees("once") or self.sees("twice")):
            self.place = before
            return False
        self.set_bound(node, bound, self.times())
        return True

    def bound(self) -> str | None:
        """Read the words before a count; return which bound they make."""
        for bound, phrases in _BOUNDS.items():
            if self.takes_any(*phrases):
                return bound
        return None

    def _trailing_bound(self, node: dict[str, Any]) -> bool:
        """Read "3 or more times" and "3 times or more"; refuse a count without a bound."""
        before = self.place
        if self.sees_number():
            count = self.number()
            is_times = self.takes_any("times", "time")
        else:
            count, is_times = self.times(), True
        for bound, phrases in _TRAILING.items():
            if self.takes_any(*phrases) and (is_times or self.takes_any("times", "time")):
                self.set_bound(node, bound, count)
                return True
        self.place = before
        if is_times:
            said = "once" if count == 1 else f"{count} times"
            self.fail(f"say `at least {said}`, `exactly {said}` or `at most {said}`")
        return False

    def set_bound(self, node: dict[str, Any], bound: str, count: int) -> None:
        """Note a bound of a count, as the fields `at_least` and `at_most`."""
        if bound in {"at_least", "exactly", "above"}:
            self.set_(node, "at_least", count + (bound == "above"))
        if bound in {"at_most", "exactly", "below"}:
            self.set_(node, "at_most", count - (bound == "below"))

    def days(self) -> float:
        """Read a length of time, in days."""
        count: Any
        if self.sees_number():
            count = self.number()
        elif self.takes_any("a", "an"):
            count = 1
        else:
            self.fail("expected a length of time, such as 30 days or 6 hours")
        for unit, per_day in _UNITS.items():
            if self.takes_any(unit, unit + "s"):
                days: float = count / per_day if per_day != 1 else count
                return days
        if self.takes_any("month", "months", "year", "years", "quarter", "quarters"):
            self.place -= 1
            self.fail(
                "months and years are not all as long: write days (in the last 90 days), or "
                "whole ones of the calendar (in the last 3 whole months)"
            )
        near = nearest(self.next.written, (*_UNITS, *(f"{unit}s" for unit in _UNITS)))
        self.fail("expected days, weeks, hours or minutes" + near)

    def takes_when(self, node: dict[str, Any], *, is_absence: bool = False) -> bool:
        """Read a window, or a period of the calendar, if one comes next."""
        if self.takes_any("ever", "so far", "yet"):
            return True
        period = self._period()
        if period is not None:
            self.set_(node, "during", period)
        elif self._begins_window():
            self.set_(node, "within_days", self.days())
        elif self.sees("for") and (self.sees_number(1) or self.sees("for", "a")):
            if not is_absence:
                self.fail("`for` goes with what was not done; else write: in the last 30 days")
            self.takes("for")
            self.set_(node, "within_days", self.days())
        else:
            return False
        return True

    def sees_window(self) -> bool:
        """Say whether a window or a period of the calendar comes next."""
        before = self.place
        is_window = self._begins_window()
        self.place = before
        return is_window or any(
            self.sees(*words) for words in (("in", "this"), ("in", "the"), ("in", "last"))
        )

    def _sees_one(self) -> bool:
        """Say whether "a week" and the like comes next."""
        return any(self.sees(*article, unit) for article in (("a",), ("an",)) for unit in _UNITS)

    def _begins_window(self) -> bool:
        """Read what stands before a rolling window's length, if a length comes then."""
        before = self.place
        is_in = self.takes_any("in", "within", "during", "over")
        is_last = self.takes_any("the last", "last", "the past", "past")
        if (is_in or is_last) and (self.sees_number() or self._sees_one()):
            return True
        self.place = before
        return False

    def _period(self) -> dict[str, Any] | None:
        """Read a time of the calendar, as the JSON of a `Period`; None when none comes next."""
        before = self.place
        period: dict[str, Any] | None = None
        if self.takes("today"):
            period = {"unit": "day"}
        elif self.takes("yesterday"):
            period = {"unit": "day", "which": "last"}
        else:
            self.takes_any("in", "during")
            if self.takes("this"):
                period = {"unit": self._unit()}
            else:
                has_article = self.takes("the")
                if self.takes_any("last", "previous"):
                    period = self._last(has_article=has_article)
        if period is None:
            self.place = before
            return None
        if self.takes("in", "zone"):
            period["zone"] = self.name()
        return period

    def _last(self, *, has_article: bool) -> dict[str, Any] | None:
        """Read the last whole period, or several."""
        count = self.number() if self.sees_number() else None
        is_whole = self.takes("whole")
        if count is not None and not is_whole:
            return None
        unit = self._unit()
        if count is None and has_article and not is_whole and unit != "day":
            self.fail(
                f"this can be meant in two ways: write `in last {unit}` for the {unit} of the "
                f"calendar before this one, or a number of days (in the last 30 days)"
            )
        count = {} if count in {None, 1} else {"count": count}
        return {"unit": unit, "which": "last", **count}

    def _unit(self) -> str:
        unit = self.next.written.lower().removesuffix("s")
        if unit not in _PERIODS:
            self.fail(f"expected one of: {', '.join(_PERIODS)}{nearest(unit, _PERIODS)}")
        self.take()
        return unit


_BOUNDS: Final = {
    "at_least": ("at least", "no less than", "no fewer than", "not less than", ">=", "≥"),
    "at_most": ("at most", "no more than", "not more than", "up to", "<=", "≤"),
    "exactly": ("exactly", "just", "only"),
    "above": ("more than", "over", ">"),
    "below": ("less than", "fewer than", "under", "<"),
}
_TRAILING: Final = {
    "at_least": ("or more", "or more often", "and more", "at least"),
    "at_most": ("or less", "or fewer", "at most"),
}
