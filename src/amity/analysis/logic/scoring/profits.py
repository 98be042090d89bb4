"""The profit of the coming year as a score, by what the company says of its margin and costs."""

from typing import Any, Final

from amity.analysis.contracts_facts import UnitCost
from amity.analysis.estimator import Column, Fit, Histories
from amity.analysis.logic.lifetime_value import MONTH_DAYS, YEARLY_DISCOUNT_RATE
from amity.analysis.logic.lifetimes.profit import ProfitTerms, expect_profit
from amity.analysis.logic.reporting.entering import list_facts
from amity.infra.config import settings
from amity.kernel.estimate import Estimate
from amity.kernel.money import exponent_of

_MONTHS: Final = 12


def score_profit(
    fits: tuple[Fit, Fit], histories: Histories
) -> tuple[Column | None, dict[str, Any]]:
    """Return the profit to expect of each customer, and what a report says of all.

    None while no margin rate is set: revenue would look like profit otherwise.
    """
    terms = find_terms()
    if terms is None:
        return None, {"refused": "no margin rate is set (AMITY_MARGIN_RATE)"}
    found = expect_profit(fits, histories, terms, horizon_days=_MONTHS * MONTH_DAYS)
    total = found.total
    known = isinstance(total, Estimate)
    return found.profit, {
        "months": _MONTHS,
        "margin_rate": terms.margin_rate,
        "cost_per_order": terms.cost_per_order,
        "yearly_discount_rate": YEARLY_DISCOUNT_RATE,
        "total": total.value if isinstance(total, Estimate) else total,
        "low": total.low if isinstance(total, Estimate) else None,
        "high": total.high if isinstance(total, Estimate) else None,
        "note": "referral value is a score of its own, beside it"
        + ("" if known else "; the data do not determine every parameter, so no interval"),
    }


def find_terms() -> ProfitTerms | None:
    """Return what the company says of its margin and costs; None while no margin rate is set."""
    rate = settings().margin_rate
    if rate is None:
        return None
    return ProfitTerms(
        margin_rate=rate,
        cost_per_order=_cost_of_order(settings().currency),
        yearly_discount_rate=YEARLY_DISCOUNT_RATE,
    )


def _cost_of_order(currency: str) -> float:
    """Return what handling an order costs, the latest entered in the home currency; else 0."""
    costs = [
        fact.fact.amount_minor
        for fact in list_facts(kind="unit_cost")
        if isinstance(fact.fact, UnitCost)
        and (fact.fact.unit, fact.fact.currency) == ("order", currency)
    ]
    return float(costs[-1]) / float(10 ** exponent_of(currency)) if costs else 0.0
