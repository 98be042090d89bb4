"""The filters a template may use. Each is given and gives plain values, and bounded ones."""

import html
import re
import urllib.parse
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from markupsafe import Markup, escape

from amity.broadcast.logic.liquid.values import (
    LARGEST_NUMBER,
    LONGEST_VALUE,
    Budget,
    RenderFailed,
    item,
    plain_str,
    whole,
)
from amity.kernel.money import exponent_of

_DIRECTIVES: Final = re.compile(r"%(-?[aAbBcdHIjmMpSUwWxXyYZzefF%]|.|$)", re.DOTALL)
_KNOWN: Final = frozenset("aAbBcdHIjmMpSUwWxXyYZzeF%")
_SYMBOLS: Final = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "INR": "₹", "CHF": "CHF "}
Number = int | float


def apply(budget: Budget, change: Callable[..., Any], value: Any, *rest: Any) -> Any:
    """Use a filter, counting what it costs; raises RenderFailed for what it cannot take."""
    if isinstance(value, str | list):
        budget.spend(2 + (len(value) >> 6))
    else:
        budget.spend(2)
    try:
        result = change(value, *rest)
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise RenderFailed(f"a filter cannot do this: {str(error)[:100]}") from error
    if isinstance(result, str) and len(result) > LONGEST_VALUE:
        raise RenderFailed("a value becomes longer than 65,536 characters")
    if isinstance(result, int) and not -LARGEST_NUMBER < result < LARGEST_NUMBER:
        raise RenderFailed("a number becomes too large")
    return result


def _number(value: Any) -> Number:
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and len(value) <= 30:
        try:
            return int(value)
        except ValueError:
            pass
        try:
            return float(value)
        except ValueError:
            pass
    return 0


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, range):
        return list(value)
    if not isinstance(value, list | tuple):
        return [value]
    return list(_flatten(value, 5))


def _flatten(values: Iterable[Any], depth: int) -> Iterable[Any]:
    for value in values:
        if depth and isinstance(value, list | tuple):
            yield from _flatten(value, depth - 1)
        else:
            yield value


def _default(value: Any, other: Any = "") -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    is_empty = isinstance(value, list | dict | str) and not value
    return other if value is None or value is False or is_empty else value


def _replace(value: Any, old: Any, new: Any = "", *, count: int = -1) -> str:
    text, old, new = plain_str(value), plain_str(old), plain_str(new)
    found = len(text) + 1 if not old else text.count(old)
    if len(text) + min(found, count if count >= 0 else found) * len(new) > 6 * LONGEST_VALUE:
        raise RenderFailed("a value becomes longer than 65,536 characters")
    return text.replace(old, new, count)


def _remove(value: Any, old: Any) -> str:
    return plain_str(value).replace(plain_str(old), "")


def _split(value: Any, by: Any) -> list[str]:
    text, by = plain_str(value), plain_str(by)
    if by == "":
        return list(text)
    if not text or text == by:
        return []
    return text.split(None if by == " " else by)


def _join(value: Any, by: Any = " ") -> str:
    by = plain_str(by)
    texts: list[str] = [v if isinstance(v, str) else str(v) for v in _list(value)]
    if sum(map(len, texts)) + len(by) * len(texts) > LONGEST_VALUE:
        raise RenderFailed("a value becomes longer than 65,536 characters")
    # Where HTML is written the separator is Markup, and escapes what it joins.
    joined: str = by.join(texts)
    return joined


def _first(value: Any) -> Any:
    return (
        None
        if isinstance(value, str)
        else item(value, 0 if not isinstance(value, dict) else "first")
    )


def _last(value: Any) -> Any:
    return None if isinstance(value, str | dict) else item(value, -1)


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | list | dict | tuple | range) else 0


def _truncate(value: Any, length: Any = 50, end: Any = "...") -> str:
    text, length, end = plain_str(value), whole(length), str(end)
    return text if len(text) < length else f"{text[: length - len(end)]}{end}"


def _truncate_words(value: Any, count: Any = 15, end: Any = "...") -> str:
    text, count = plain_str(value), max(1, whole(count))
    if count >= (1 << 31) - 1:
        return text
    words = text.split()
    return " ".join(words) if len(words) < count else " ".join(words[:count]) + str(end)


def _exactly(left: Any, right: Any, operate: Callable[[Any, Any], Any]) -> Number:
    left, right = _number(left), _number(right)
    if isinstance(left, int) and isinstance(right, int):
        return int(operate(left, right))
    return float(operate(Decimal(str(left)), Decimal(str(right))))


def _divided_by(value: Any, by: Any) -> Number:
    left, right = _number(value), _number(by)
    return left // right if isinstance(left, int) and isinstance(right, int) else left / right


def _round(value: Any, digits: Any = None) -> Number:
    number = _number(value)
    if digits is None:
        return round(number)
    places = min(int(_number(digits)), 15)
    return 0 if places < 0 else round(number, places or None)


def _date(value: Any, shape: Any, now: Any) -> str:
    """Write a moment or a day by `strftime`; what is no date stays as it is."""
    if value is None or value == "":
        return ""
    moment = now if value in ("now", "today") else _moment(value)
    if moment is None:
        return str(plain_str(value))
    text = _DIRECTIVES.sub(_directive, plain_str(shape))[:200]
    written = moment.strftime(text.encode("utf-8", "replace").decode())
    return Markup(written) if shape.__class__ is Markup else written  # noqa: S704  # a literal


def _directive(found: "re.Match[str]") -> str:
    return found[0] if found[1].lstrip("-") in _KNOWN else ""


def _moment(value: Any) -> datetime | None:
    try:
        if isinstance(value, datetime):
            return value
        if isinstance(value, int) or (isinstance(value, str) and value.isdigit()):
            return datetime.fromtimestamp(int(value), UTC)
        return datetime.fromisoformat(plain_str(value))
    except (ValueError, OverflowError, OSError):
        return None


def _money(value: Any, currency: Any = "") -> str:
    """Write an amount with its currency: `12.5 | money: "EUR"` is €12.50."""
    number, code = _number(value), plain_str(currency).upper()[:8]
    digits = f"{abs(number):,.{exponent_of(code)}f}"
    sign = "-" if number < 0 else ""
    return (
        f"{sign}{_SYMBOLS[code]}{digits}" if code in _SYMBOLS else f"{sign}{digits} {code}".strip()
    )


def _escape(value: Any) -> str:
    return html.escape(plain_str(value))


def _url_encode(value: Any) -> str:
    return urllib.parse.quote_plus(plain_str(value), errors="replace")


def _lines(value: Any) -> str:
    return re.sub(r"\r?\n", "<br />\n", plain_str(value))


def _modulo(value: Any, by: Any) -> Number:
    left, right = _number(value), _number(by)
    if isinstance(left, int) and isinstance(right, int):
        return left % right
    return float(Decimal(str(left)) % Decimal(str(right)))


_COMMON: Final[dict[str, Callable[..., Any]]] = {
    "abs": lambda value: abs(_number(value)),
    "append": lambda value, more: plain_str(value) + plain_str(more),
    "at_least": lambda value, other: max(_number(value), _number(other)),
    "at_most": lambda value, other: min(_number(value), _number(other)),
    "capitalize": lambda value: plain_str(value).capitalize(),
    "ceil": lambda value: -int(-_number(value) // 1),
    "date": _date,
    "default": _default,
    "divided_by": _divided_by,
    "downcase": lambda value: plain_str(value).lower(),
    "first": _first,
    "floor": lambda value: int(_number(value) // 1),
    "join": _join,
    "last": _last,
    "lstrip": lambda value: plain_str(value).lstrip(),
    "minus": lambda value, other: _exactly(value, other, lambda a, b: a - b),
    "modulo": _modulo,
    "money": _money,
    "plus": lambda value, other: _exactly(value, other, lambda a, b: a + b),
    "prepend": lambda value, more: plain_str(more) + plain_str(value),
    "remove": _remove,
    "replace": _replace,
    "replace_first": lambda value, old, new="": _replace(value, old, new, count=1),
    "reverse": lambda value: _list(value)[::-1],
    "round": _round,
    "rstrip": lambda value: plain_str(value).rstrip(),
    "size": _size,
    "split": _split,
    "strip": lambda value: plain_str(value).strip(),
    "times": lambda value, other: _exactly(value, other, lambda a, b: a * b),
    "truncate": _truncate,
    "truncatewords": _truncate_words,
    "upcase": lambda value: plain_str(value).upper(),
}


_SPACE: Final = Markup(" ")
_TEXT: Final[dict[str, Callable[..., Any]]] = {
    "escape": _escape,
    "newline_to_br": _lines,
    "url_encode": _url_encode,
}
# What these make is HTML already, and is not escaped again. Each escapes what it is given.
_HTML: Final[dict[str, Callable[..., Any]]] = {
    "escape": lambda value: escape(str(plain_str(value))),
    "join": lambda value, by=_SPACE: _join(value, by),
    "newline_to_br": lambda value: Markup(_lines(escape(plain_str(value)))),  # noqa: S704
    "url_encode": lambda value: Markup(_url_encode(value)),  # noqa: S704
}
FILTERS: Final[dict[bool, dict[str, Callable[..., Any]]]] = {
    False: _COMMON | _TEXT,
    True: _COMMON | _HTML,
}
"""By whether HTML is written."""
ARGUMENTS: Final[dict[str, tuple[int, int]]] = {
    **dict.fromkeys(
        ("append", "at_least", "at_most", "divided_by", "minus", "modulo", "plus", "prepend"),
        (1, 1),
    ),
    **dict.fromkeys(("remove", "split", "times", "date"), (1, 1)),
    **dict.fromkeys(("default", "join", "money", "round"), (0, 1)),
    **dict.fromkeys(("replace", "replace_first"), (1, 2)),
    **dict.fromkeys(("truncate", "truncatewords"), (0, 2)),
}
"""How many a filter takes at least and at most; those not named take none."""
