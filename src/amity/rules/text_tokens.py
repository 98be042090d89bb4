"""The words, numbers, texts and signs a rule in text form is made of."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec

from amity.kernel.errors import Invalid

TokenKind = Literal["word", "text", "number", "date", "sign", "end"]

KEYWORDS: Final = frozenset(
    ["and", "or", "but", "not", "where", "with", "true", "false", "null", "test"]
)
"""Words that mean something by themselves, so that a text or a name that is one needs quotes."""

_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"\\]|\\.)*"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|'[^']*'|‘[^’]*’)
    |(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?)
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\w.])
    |(?P<word>[^\W\d][\w./-]*(?:['’](?!\s|$)[^\W\d]+)?|[€£])
    |(?P<sign><=|>=|!=|<>|==|[()\[\]{}:,=<>≤≥≠%])
    |(?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
WORD: Final = re.compile(r"[^\W\d][\w./-]*\Z")


class Token(msgspec.Struct, frozen=True):
    """One token: what it is, its text as written, what it stands for, where it begins."""

    kind: TokenKind
    written: str
    value: Any
    start: int


def tokenise(text: str) -> list[Token]:
    """Return the tokens of a text, the last of kind "end"; raise Invalid where none can be read."""
    tokens: list[Token] = []
    place = 0
    while not tokens or tokens[-1].kind != "end":
        found = _TOKEN.match(text, place)
        if found is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            # A date or a number of many parts is shown from where it begins.
            start -= len(_DIGITS_BEFORE.search(text[:start])[0])  # type: ignore[index]
            raise unreadable(text, start, _why(text[start:]))
        kind = found.lastgroup
        assert kind is not None, "one of the groups matched"
        tokens.append(_token(kind, found[kind], found.start(kind), text))
        place = found.end()
    return tokens


def _token(kind: str, written: str, start: int, text: str) -> Token:
    value: Any = written
    if kind == "number":
        value = msgspec.json.decode(_plain_number(written))
    elif kind == "text" and written[0] == '"':
        try:
            value = msgspec.json.decode(written)
        except msgspec.DecodeError:
            raise unreadable(text, start, "a text with a wrong \\ in it") from None
    elif kind == "text":
        value = written[1:-1]
    elif written in _MONEY:
        value = written = _MONEY[written]
    return Token(kind, written, value, start)  # type: ignore[arg-type]  # a group of the pattern


_DIGITS_BEFORE: Final = re.compile(r"[0-9./_-]*\Z")
_MONEY: Final = {"€": "EUR", "£": "GBP"}
_REASONS: Final = (
    (r"[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}", "write dates as 2026-01-31, year first"),
    (r"-?[0-9]+(?:[_'’][0-9]+)+", "write numbers without separators, such as 1000"),
    (r"-?[0-9][0-9.]*[^\W\d_]", "put a space between the number and the word"),
    (r"\$", "say which dollar, after the amount: 100 USD"),
    (r"[\"'“„«‘]", "a quote is opened and not closed"),
    (r"[&|+;]", "join conditions by `and` or `or`"),
)


def _why(rest: str) -> str:
    """Say why no token begins here."""
    found = (reason for pattern, reason in _REASONS if re.match(pattern, rest))
    return next(found, "this cannot be read; is a quote missing?")


def _plain_number(written: str) -> str:
    """Take leading zeros away, which JSON does not allow."""
    sign = "-" if written.startswith("-") else ""
    digits = written.removeprefix("-").lstrip("0")
    return sign + (digits if digits[:1].isdigit() else f"0{digits}")


def unreadable(text: str, start: int, reason: str) -> Invalid:
    """Return the error that points at a place of the text."""
    near = text[start : start + 20].strip() or "its end"
    return Invalid(f"the rule at character {start + 1} (“{near}”): {reason}", code="invalid_rule")
