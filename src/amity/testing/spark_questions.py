"""What the comparison of DuckDB and Spark asks: all of every report, and every kind of rule.

The registries say what there is, so a new report, operator or condition is asked about as it is.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import ibis
import msgspec
import pyarrow as pa

from amity.analysis.logic.batch.finding import Question
from amity.analysis.logic.reporting.answering import to_rows
from amity.analysis.report import Asked, Report, load_reports
from amity.rules import Check, Rule, conditions, mentions
from amity.rules.operator import operators
from amity.testing.reports_kit import ASKED, complete
from amity.testing.reports_town import NOW, expressions, random_town

TOLERANCE: Final = 1e-9
"""How far two floats may be apart, as a share of the larger or by itself; all else is equal."""
_TRAITS: Final = (
    *('"FR"', "5", "1.0", "true", "null", "[]", '["FR", 1]', "{}", '"2026-01-31"', "0.1"),
    *('"2026-04-20T08:00:00Z"', '"a%b"', "9007199254740993", '["a", true]', '"é\\\\"'),
)
_RATINGS: Final[tuple[dict[str, Any], ...]] = (
    {"value": 0.25, "percentile": 12.5, "label": "555 Champion"},
    {"value": 1e10, "percentile": 90.0, "label": ""},
    {"value": 0.3, "percentile": 99.99, "label": "111 Lost"},
    {"value": None, "percentile": None, "label": "Champion"},
    {"value": -1.5e-7, "percentile": 0.5},
)


def make_town() -> dict[str, pa.Table]:
    """Return rows of everything, with traits, scores and households that rules ask for."""
    town = random_town(7, customers=60)
    for number, row in enumerate(town.rows["profiles"]):
        row["traits"] = f'{{"x": {_TRAITS[number % len(_TRAITS)]}}}'
        row["consents"] = '{"news": {"status": "granted", "at": "2026-01-01T00:00:00Z"}}'
        row |= {"order_count": number % 5, "event_count": number, "revenue_minor": number * 1001}
    for customer_id in range(1, 60):
        for place, name in enumerate(("clv", "p_alive", "rfm")):
            if (customer_id + place) % 4:
                town.score(customer_id, name, **_RATINGS[(customer_id + place) % len(_RATINGS)])
        for kind, size in (("household", 3), ("company", 9)):
            town.link(kind, customer_id // size, customer_id)
            if customer_id % 7 == 0:
                town.review(kind, customer_id, customer_id + 1, "rejected")
            if customer_id % 11 == 0:
                town.review(kind, customer_id, 60, "accepted")
    return town.tables()


def report_questions(*, is_all: bool = False) -> Iterator[tuple[str, str, ibis.Table]]:
    """Name each report, each of its parts, and give the part's expression.

    With ``is_all`` also those of each other choice it can be asked with, of months and of a
    segment; what does not depend on it comes again.
    """
    for name in load_reports().names():
        kind = load_reports()[name]
        for words, asked in _ways(kind) if is_all else [next(_ways(kind))]:
            for part, expression in kind().expressions(expressions(), asked).items():
                yield name, f"{part}{words}", expression


def _ways(kind: type[Report]) -> Iterator[tuple[str, Asked]]:
    plain = complete(kind, ASKED, {})
    yield "", plain
    for parameter in kind.parameters:
        others: Sequence[Any] = [not parameter.default] if parameter.kind == "flag" else ()
        for value in others or [value for value, _ in parameter.choices]:
            choices = {**plain.choices, parameter.name: value}
            yield f" {parameter.name} {value}", msgspec.structs.replace(plain, choices=choices)
    if "granularity" in kind.uses:
        yield " by months", msgspec.structs.replace(plain, granularity="month")
    if "segment" in kind.uses:
        yield " of a segment", msgspec.structs.replace(plain, segment_id=7)


def rules() -> Iterator[Rule]:
    """Give each operator once, and all examples of each condition."""
    for operator in operators:
        yield Check("trait.x", next(iter(operator.examples())))
    for condition in conditions:
        yield from condition.examples()


def rule_questions() -> Iterator[tuple[str, Question]]:
    """Name and give each rule, with rules of the segments it looks at."""
    for number, rule in enumerate(rules()):
        inner = Check("trait.x", operators["exists"]())
        segments = dict.fromkeys(mentions(rule).segments, inner)
        question = Question(rule=rule, now=NOW, policies={}, segments=segments)
        yield f"rule {number} {type(rule).__name__}", question


def differ(one: pa.Table, other: pa.Table) -> bool:
    """Say whether two answers have other rows, whatever their order."""
    ours, theirs = _rows_of(one), _rows_of(other)
    return len(ours) != len(theirs) or not all(map(_are_close, ours, theirs))


def _rows_of(table: pa.Table) -> list[dict[str, Any]]:
    rows = [{key: _plain(value) for key, value in row.items()} for row in to_rows(table)]
    return sorted(rows, key=_place)


def _plain(value: Any) -> Any:
    """Return an instant without its zone, which each engine calls by another name."""
    return value.timestamp() if isinstance(value, datetime) else value


def _place(row: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[float]]:
    """Order rows by what must be equal, and only then by what may be a little apart."""
    cells = sorted(row.items())
    exact = [f"{key} {value!r}" for key, value in cells if not isinstance(value, float)]
    return exact, [value for _, value in cells if isinstance(value, float)]


def _are_close(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(_is_close(one[key], other[key]) for key in one)


def _is_close(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        both_nan = math.isnan(one) and math.isnan(other)
        return both_nan or math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return type(one) is type(other) and one == other
