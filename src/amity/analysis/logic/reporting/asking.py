"""Questions as people and programs write them, read into what a report understands.

Everything is text, as in an address: `days=90` or `from=2026-01-01` and `until=2026-03-31` (the
last day, itself in the window), `compare=no`, `segment=7`, `currency=EUR`, `by=week`, and the
report's own parameters. What is left out has its default. One question has one spelling.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from amity.analysis.contracts_reports import Parameter, ParameterKind
from amity.analysis.report import Asked, Granularity, Report, load_reports
from amity.infra.config import settings
from amity.kernel.errors import Invalid, NotFound

MOST_DAYS: Final = 3660
_FIRST: Final = date(1990, 1, 1)
_LAST: Final = date(2200, 1, 1)
_LONGEST_TEXT: Final = 200
_CURRENCY_LENGTH: Final = 3
_BIGGEST: Final = 10**12
_BY: Final[dict[str, Granularity]] = {"day": "day", "week": "week", "month": "month"}
_YES: Final = {"yes": True, "no": False, "on": True, "off": False, "1": True, "0": False}

Value = str | int | float | bool


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A report and what it is asked, checked; ``parameters`` is the one spelling of it."""

    kind: type[Report]
    parameters: dict[str, str]
    asked: Asked
    is_compared: bool

    @property
    def key(self) -> str:
        """The spelling under which an answer is kept."""
        return msgspec.json.encode(self.parameters, order="sorted").decode()


def find_report(name: str) -> type[Report]:
    """Return a report by its name; raise NotFound when there is none."""
    reports = load_reports()
    if name not in reports:
        raise NotFound(f"there is no report {name!r}", code="no_report")
    return reports[name]


def read_question(name: str, given: Mapping[str, str], *, now: datetime) -> Question:
    """Read a question; raise NotFound for an unknown report and Invalid for anything else."""
    kind = find_report(name)
    own = {parameter.name: parameter for parameter in kind.parameters}
    told = {key: value.strip() for key, value in given.items() if value.strip()}
    if unknown := set(told) - common_names(kind) - set(own):
        raise Invalid(
            f"{kind.title} is not asked with {', '.join(sorted(unknown))}", code="bad_parameter"
        )
    from_on, until_on, window = _read_window(kind, told, now)
    choices = {key: _read_own(one, told.get(key, "")) for key, one in own.items()}
    is_compared = "comparison" in kind.uses and _read_flag("compare", told.get("compare", "yes"))
    asked = Asked(
        from_on=from_on,
        until_on=until_on,
        now=now,
        currency=_read_currency(told.get("currency", "")),
        home_currency=settings().currency,
        segment_id=_read_segment(told.get("segment", "")),
        granularity=_read_granularity(kind, told.get("by", ""), (until_on - from_on).days),
        choices=choices,
    )
    kind().check(asked)
    spelled = window | {key: told[key] for key in ("segment", "by") if key in told}
    if "currency" in told and asked.currency != settings().currency:
        spelled["currency"] = asked.currency
    if "comparison" in kind.uses and not is_compared:
        spelled["compare"] = "no"
    spelled |= {
        key: say_choice(value) for key, value in choices.items() if value != own[key].default
    }
    return Question(kind=kind, parameters=spelled, asked=asked, is_compared=is_compared)


def common_names(kind: type[Report]) -> set[str]:
    """Return the names of the common parameters a report heeds."""
    names = {
        "window": {"days", "from", "until"},
        "comparison": {"compare"},
        "segment": {"segment"},
        "currency": {"currency"},
        "granularity": {"by"},
    }
    return set().union(*(names[use] for use in kind.uses))


def say_choice(value: Value) -> str:
    """Write a value as an address has it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _read_window(
    kind: type[Report], told: Mapping[str, str], now: datetime
) -> tuple[date, date, dict[str, str]]:
    """Return the window, half open, and how it is spelled: "" when it is the usual one."""
    tomorrow = now.astimezone(UTC).date() + timedelta(days=1)
    if "from" not in told and "until" not in told:
        days = int(_read_number("days", told.get("days", str(kind.days)), 1, MOST_DAYS))
        spelled = {} if days == kind.days else {"days": str(days)}
        return tomorrow - timedelta(days=days), tomorrow, spelled
    if "days" in told:
        raise Invalid("say either how many days, or from when until when", code="bad_window")
    until_on = tomorrow
    if "until" in told:
        until_on = _read_day("until", told["until"]) + timedelta(days=1)
    from_on = until_on - timedelta(days=kind.days)
    if "from" in told:
        from_on = _read_day("from", told["from"])
    if not 0 < (until_on - from_on).days <= MOST_DAYS:
        raise Invalid(
            f"a window has 1 to {MOST_DAYS} days and begins before it ends", code="bad_window"
        )
    return from_on, until_on, {key: told[key] for key in ("from", "until") if key in told}


def _read_day(name: str, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{name} is a day such as 2026-03-31, not {text!r}", code="bad_day") from None
    if not _FIRST <= day <= _LAST:
        raise Invalid(f"{name} lies from {_FIRST} to {_LAST}", code="bad_day")
    return day


def _read_number(name: str, text: str, least: float | None, most: float | None) -> float:
    try:
        value = float(text)
    except ValueError:
        raise Invalid(f"{name} is a number, not {text!r}", code="bad_parameter") from None
    low = -_BIGGEST if least is None else least
    high = _BIGGEST if most is None else most
    if not low <= value <= high:
        raise Invalid(f"{name} is from {low:g} to {high:g}", code="bad_parameter")
    return value


def _read_whole(one: Parameter, text: str) -> int:
    value = _read_number(one.title, text, one.least, one.most)
    if not value.is_integer():
        raise Invalid(f"{one.title} is a whole number", code="bad_parameter")
    return int(value)


def _read_flag(name: str, text: str) -> bool:
    if text.casefold() not in _YES:
        raise Invalid(f"{name} is yes or no, not {text!r}", code="bad_parameter")
    return _YES[text.casefold()]


def _read_currency(text: str) -> str:
    code = (text or settings().currency).upper()
    if len(code) != _CURRENCY_LENGTH or not (code.isascii() and code.isalpha()):
        raise Invalid("a currency has three letters, such as EUR", code="bad_currency")
    return code


def _read_segment(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and int(text) < _BIGGEST):
        raise Invalid("a segment is told by its number", code="bad_segment")
    return int(text)


def _read_granularity(kind: type[Report], text: str, days: int) -> Granularity:
    """Return what is said, or what suits the length of the window."""
    if text and text not in _BY:
        raise Invalid("by is day, week or month", code="bad_parameter")
    if text or "granularity" not in kind.uses:
        return _BY.get(text, "week")
    return "day" if days <= 31 else "week" if days <= 200 else "month"


def _read_choice(one: Parameter, text: str) -> str:
    if text not in dict(one.choices):
        said = ", ".join(value for value, _ in one.choices)
        raise Invalid(f"{one.title} is one of {said}", code="bad_parameter")
    return text


def _read_text(one: Parameter, text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise Invalid(f"{one.title} is too long", code="bad_parameter")
    return text


_READERS: Final[dict[ParameterKind, Callable[[Parameter, str], Value]]] = {
    "day": lambda one, text: _read_day(one.title, text).isoformat(),
    "whole": _read_whole,
    "number": lambda one, text: _read_number(one.title, text, one.least, one.most),
    "share": lambda one, text: _read_number(one.title, text, one.least or 0.0, one.most or 1.0),
    "text": _read_text,
    "choice": _read_choice,
    "flag": lambda one, text: _read_flag(one.title, text),
    "segment": lambda one, text: _read_segment(text) or 0,
}


def _read_own(one: Parameter, text: str) -> Value:
    return _READERS[one.kind](one, text) if text else one.default
