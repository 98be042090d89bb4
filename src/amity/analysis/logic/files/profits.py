"""Profit terms and referrals as options of an estimate from a file."""

from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import Option
from amity.analysis.estimator import Fit, FloatArray, IntArray
from amity.analysis.file_estimate import Options, OutColumn, Table
from amity.analysis.logic.files.purchases import Purchases
from amity.analysis.logic.lifetime_value import YEARLY_DISCOUNT_RATE
from amity.analysis.logic.lifetimes.profit import Profit, ProfitTerms, expect_profit
from amity.analysis.logic.lifetimes.referrals import Credit, credit_referrers
from amity.kernel.errors import Invalid
from amity.kernel.estimate import Estimate


def _cost(name: str, words: str) -> Option:
    return Option(name=name, kind="number", low=0.0, help=words)


PROFIT_OPTIONS: Final = (
    Option(
        name="margin_rate",
        kind="share",
        help="What is left of an amount after the goods, 0 to 1; any of these options adds profit.",
    ),
    _cost("cost_per_order", "What handling a purchase costs, as amounts are given."),
    _cost("cost_per_period", "What serving a customer costs a unit of time, while one."),
    _cost("contacts_per_period", "How often a customer is contacted a unit of time."),
    _cost("cost_per_contact", "What a contact costs."),
    Option(
        name="discount_rate",
        kind="share",
        help="What money a year from now is worth less, for profit. [default: 0.1]",
    ),
    Option(
        name="referrer",
        kind="column",
        cells="text",
        may_be_blank=True,
        help="Column that says who brought the customer; blank for nobody.",
    ),
    Option(
        name="referral_decay",
        kind="share",
        default=0.5,
        help="Share of a customer's profit credited to who brought him or her, each step again.",
    ),
)
_ASKING: Final = tuple(option.name for option in PROFIT_OPTIONS if option.name != "referral_decay")


class ProfitAnswer(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Profit as an answer of a file has it."""

    result: dict[str, Any]
    words: list[str]
    columns: dict[str, OutColumn]
    warnings: list[str]


def is_asked(options: Options) -> bool:
    """Say whether profit is asked for; raise Invalid when there are no amounts to make it of."""
    asked = any(options.is_given(name) for name in _ASKING)
    if asked and not options.is_given("amount"):
        raise Invalid("`--amount` must be given: profit is made of amounts", code="no_option")
    return asked


def answer_profit(
    table: Table, options: Options, purchases: Purchases, fits: tuple[Fit, Fit]
) -> ProfitAnswer:
    """Return the profit to expect by the terms in the options."""
    terms = _terms(options, purchases.unit_days)
    found = expect_profit(fits, purchases.histories, terms, horizon_days=purchases.horizon_days)
    total = found.total
    value = total.value if isinstance(total, Estimate) else total
    interval = (
        f" (95 % interval {total.low:,.2f} to {total.high:,.2f})"
        if isinstance(total, Estimate)
        else ""
    )
    words = [f"Expected profit: {value:,.2f}{interval}"]
    warnings = (
        []
        if options.is_given("margin_rate")
        else ["without --margin-rate the whole amount counts as margin"]
    )
    result: dict[str, Any] = {
        "total": value,
        "low": total.low if isinstance(total, Estimate) else None,
        "high": total.high if isinstance(total, Estimate) else None,
        "cost_to_serve": float(found.cost_to_serve.sum()),
        "terms": msgspec.to_builtins(terms),
        "losing_customers": int(np.count_nonzero(found.profit.value < 0)),
    }
    referral, referral_words = _referral(table, options, purchases, found)
    return ProfitAnswer(
        result={**result, "referral": None if referral is None else _as_result(referral)},
        words=[*words, referral_words],
        columns=_columns(found, referral),
        warnings=[*warnings, *_doubts(referral)],
    )


def _terms(options: Options, unit_days: int) -> ProfitTerms:
    def given(name: str, default: float) -> float:
        value = options.find_number(name)
        return default if value is None else value

    contacts = given("contacts_per_period", 0.0) * given("cost_per_contact", 0.0)
    return ProfitTerms(
        margin_rate=given("margin_rate", 1.0),
        cost_per_order=given("cost_per_order", 0.0),
        cost_per_day=(given("cost_per_period", 0.0) + contacts) / unit_days,
        yearly_discount_rate=given("discount_rate", YEARLY_DISCOUNT_RATE),
    )


class _Referral(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    credit: Credit
    decay: float
    strangers: int


def _referral(
    table: Table, options: Options, purchases: Purchases, found: Profit
) -> tuple[_Referral | None, str]:
    if "referrer" not in table.columns:
        return None, "Referral value is not in it: no column says who brought whom (--referrer)"
    place, strangers = _places(table, purchases)
    decay = options.number("referral_decay")
    credit = credit_referrers(found.profit.value, place, decay=decay)
    words = (
        f"Referral value, credited at {decay:.0%} a step on {credit.links - credit.dropped:,} "
        f"links beside the profit: {credit.credit.sum():,.2f}"
    )
    return _Referral(credit=credit, decay=decay, strangers=strangers), words


def _places(table: Table, purchases: Purchases) -> tuple[IntArray, int]:
    """Return the place of who brought each customer, and how many such are no customers."""
    column, customer = table.columns["referrer"], table.columns["customer"].whole
    ids = {name: place for place, name in enumerate(purchases.names)}
    known = np.array([ids.get(name, -2) if name else -1 for name in column.names], np.int64)
    told = known[column.whole]
    said = np.flatnonzero(told != -1)
    by_customer = np.full(len(purchases.names), -1)
    # Backwards, so that the first row that names somebody has the last word.
    by_customer[customer[said[::-1]]] = told[said[::-1]]
    strangers = int(np.count_nonzero(by_customer == -2))
    place_of = np.full(len(purchases.names), -1)
    present = purchases.histories.customer_id
    place_of[present] = np.arange(len(present))
    chosen = by_customer[present]
    return np.where(chosen >= 0, place_of[np.maximum(chosen, 0)], -1), strangers


def _as_result(referral: _Referral) -> dict[str, Any]:
    return {
        "total": float(referral.credit.credit.sum()),
        "decay": referral.decay,
        "links": referral.credit.links,
        "dropped_links": referral.credit.dropped,
        "strangers": referral.strangers,
    }


def _doubts(referral: _Referral | None) -> list[str]:
    if referral is None:
        return []
    doubts = []
    if referral.strangers:
        doubts.append(f"{referral.strangers} customers were brought by somebody not in the file")
    if referral.credit.dropped:
        doubts.append(
            f"{referral.credit.dropped} links of referral lead in a circle and were left out"
        )
    return doubts


def _columns(found: Profit, referral: _Referral | None) -> dict[str, OutColumn]:
    size = len(found.profit.value)
    nothing: FloatArray = np.full(size, np.nan)
    low, high = found.profit.low, found.profit.high
    return {
        "expected_profit": found.profit.value,
        "expected_profit_low": nothing if low is None else low,
        "expected_profit_high": nothing if high is None else high,
        "cost_to_serve": found.cost_to_serve,
        "referral_value": nothing if referral is None else referral.credit.credit,
    }
