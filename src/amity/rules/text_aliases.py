"""Other words in which people say an operator, and those that can be meant in two ways."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from amity.rules.text_tokens import tokenise

_SAID: Final = {
    "gt": "more than|over|above|greater than|higher than|bigger than|larger than|>",
    "lt": "less than|under|below|lower than|smaller than|fewer than|<",
    "gte": "at least|>=|≥|no less than|not less than|no fewer than",
    "lte": "at most|<=|≤|no more than|not more than|up to",
    "eq": "=|==|equal to|exactly",
    "in": "one of|any of",
    "between": "between",
    "within_last": "in the last|in last|in the past|within the last|within the past",
    "within_next": "in the next|within the next|during the next",
    "before": "before|earlier than",
    "after": "on or after|not before|since",
    "more_than_ago": "longer ago than",
    "missing": "unknown|missing|not set|not there|not present",
}
_VERBS: Final = {
    "eq": "equals",
    "exists": "exists|is set|is there|is present",
    "contains": "includes|include|contain|has",
    "starts_with": "begins with|begin with|start with",
    "ends_with": "end with|ends in",
}
_NOT: Final = (
    "those of whom it is not known: are they meant too? With them: `not country is FR`; "
    "without: `country is known and not FR`"
)
_AFTER: Final = "does that day itself count? Write: is on or after 2026-01-31"
_ON: Final = "write a span: is on or after 2026-01-31 and then: is before 2026-02-01"
_EMPTY: Final = 'write `is not known` for what is not there, or `is ""` for an empty text'
_REFUSED: Final = {
    **dict.fromkeys(("is not", "is none of", "!=", "<>", "≠", "not in", "not"), _NOT),
    **dict.fromkeys(("is after", "after", "is later than"), _AFTER),
    **dict.fromkeys(("is on", "on"), _ON),
    **dict.fromkeys(("is empty", "is blank"), _EMPTY),
    **dict.fromkeys(
        ("is like", "like", "matches"), "write: fits the pattern, with * and ?, or: contains"
    ),
    **dict.fromkeys(
        ("is older than", "older than"),
        "write: is more than 65 for a number, is longer ago than 30 days for a date",
    ),
}

_MONTHS: Final = (
    "january february march april may june july august september october november december"
)
MONTHS: Final = {
    name[:length]: number
    for number, name in enumerate(_MONTHS.split(), 1)
    for length in (3, len(name))
}
_FIRST_WORDS: Final = (
    "did never is in allows last trait profile viewed bought score label value percentile said "
    "metric looked ordered purchased placed made spent visited opened clicked was were received "
    "sent had has have bounced held agreed consented subscribed opted lives live seen been done "
    "hasn't haven't hadn't didn't wasn't weren't don't doesn't do does birthday no without with "
    "who that they at up more less fewer not exactly just only over under customers people "
    "everyone everybody those all member members belongs are"
)
FIRST_WORDS: Final = frozenset(_FIRST_WORDS.split())
"""Words a condition of its own begins with, so that a trait called by one says that it is one."""
HINTS: Final = {
    "unsubscribed": ": write: not said yes to, and the purpose",
    "inactive": ": write: last seen is longer ago than 90 days, or: no order for 90 days",
    "active": ": write: last seen is in the last 30 days, or: at least 1 order in the last 30 days",
    "new": ": write: first seen is in the last 30 days, or: first order is in the last 30 days",
    "average": ': write it by fields, such as: ordered(measure: "net", average: true, '
    'is: is more than 50, currency: "EUR")',
    "either": ": leave `either` out and join the conditions by `or`",
    "neither": ": write `not` before each and join them by `and`",
    "all": ": say which customers, such as: customers who bought Bread",
    "top": ": write: in the top 20 % by clv",
    "contacted": ": write: did, and the event as it is recorded, in quotes",
    "aged": ": write: age is between 18 and 30",
    "male": ": write: gender is male, with the trait and the value as they are stored",
    "female": ": write: gender is female, with the trait and the value as they are stored",
    "segment": ": write: in segment, and its name",
    "from": ": write: lives in country DE, or the trait: country is DE",
    "women": ": write: gender is female, with the trait and the value as they are stored",
    "men": ": write: gender is male, with the trait and the value as they are stored",
}
"""What to write instead, by the word somebody begins with."""
CURRENCY: Final = re.compile(r"[A-Z]{3}\Z")

Phrase = tuple[str, ...]


@cache
def aliases() -> list[tuple[Phrase, str]]:
    """Return other words of operators, the longest first, each with the operator's name."""
    found = [
        (_split(f"{prefix}{phrase}"), op)
        for op, phrases in _SAID.items()
        for phrase in phrases.split("|")
        for prefix in ("", "is ")
    ]
    found += [(_split(each), op) for op, phrases in _VERBS.items() for each in phrases.split("|")]
    return sorted(found, key=lambda pair: -len(pair[0]))


@cache
def refused() -> list[tuple[Phrase, str]]:
    """Return words that can be meant in two ways, the longest first, with what to say of them."""
    found = [(_split(phrase), reason) for phrase, reason in _REFUSED.items()]
    return sorted(found, key=lambda pair: -len(pair[0]))


@cache
def after_is() -> frozenset[Phrase]:
    """Return the phrases that begin with "is", which therefore is no "is" by itself."""
    both = (*aliases(), *refused())
    found = {words for words, _ in both if words[0] == "is" and len(words) > 1}
    return frozenset(found | {("is", "within"), ("is", "in", "(")})


def _split(phrase: str) -> Phrase:
    return tuple(token.written for token in tokenise(phrase)[:-1])
