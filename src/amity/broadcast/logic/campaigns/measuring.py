"""The report of a campaign: what left, what came of it, and what it caused.

Everything is read in one transaction that sees one moment, so `targeted` is the sum of its parts
while messages leave.
"""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
import numpy as np

from amity.broadcast.contracts import (
    ArmFigures,
    Campaign,
    CampaignReport,
    ReasonCount,
    SendCounts,
)
from amity.broadcast.logic.campaigns import measuring_words, planning
from amity.broadcast.logic.campaigns.measuring_metrics import (
    ReadMetric,
    compare_metric,
    read_metrics,
)
from amity.broadcast.logic.sending.reasons import explain
from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.kernel import lift as lift_maths
from amity.kernel.lift import Arm
from amity.kernel.money import exponent_of

_SQL: Final = queries.load("amity.broadcast")
# Must be the first statement of its transaction.
_ONE_MOMENT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"


class _Group(msgspec.Struct, frozen=True, kw_only=True):
    """One arm as read: its figures, and who of it was really sent to."""

    customers: int = 0
    converted: int = 0
    converted_and_sent: int = 0
    revenue_minor: int = 0
    spent_minor: list[int] = []
    until: datetime | None = None

    def arm(self, scale: int) -> Arm:
        """Return it as the statistics want it, in units of the currency."""
        return Arm(
            customers=self.customers,
            converted=self.converted,
            spent=[minor / scale for minor in self.spent_minor],
        )


class _Responses(msgspec.Struct, frozen=True, kw_only=True):
    """What people did with the message."""

    opened: int
    clicked: int
    clicks: int
    machine_clicks: int
    unsubscribed: int
    complained: int
    tracked: int


def report_campaign(*, campaign_id: int, now: datetime) -> CampaignReport:
    """Return a campaign in numbers; see `api.report_campaign`."""
    with transaction("readonly") as connection:
        connection.execute(_ONE_MOMENT)
        campaign = planning.load(connection, campaign_id)
        counts, reasons = _count_ledger(connection, campaign_id)
        held_out, excluded = _one(connection, "measure_drawn", [campaign_id])
        groups = _read_groups(connection, campaign)
        metrics = read_metrics(connection, campaign)
        responses = _read_responses(connection, campaign)
    figures = _figure(campaign, groups, counts, metrics=metrics, now=now)
    return CampaignReport(
        campaign=campaign,
        counts=counts,
        held_out=held_out,
        excluded=excluded,
        reasons=reasons,
        opened=responses.opened if responses.tracked or responses.opened else None,
        clicked=responses.clicked,
        clicks=responses.clicks,
        machine_clicks=responses.machine_clicks,
        unsubscribed=responses.unsubscribed,
        complained=responses.complained,
        converted=sum(group.converted_and_sent for group in groups.values()),
        tracked=responses.tracked,
        currency=settings().currency,
        definitions=measuring_words.DEFINITIONS,
        **figures,
    )


def _count_ledger(connection: Connection, campaign_id: int) -> tuple[SendCounts, list[ReasonCount]]:
    states: dict[str, int] = {}
    reasons = []
    for is_excluded, state, reason, count in connection.execute(
        _SQL["measure_ledger"], [campaign_id]
    ):
        if not is_excluded:
            states[state] = states.get(state, 0) + count
        if reason:
            words = explain(state, reason)
            reasons.append(ReasonCount(state=state, reason=reason, words=words, count=count))
    return planning.add_up(states), _join(reasons)


def _join(reasons: list[ReasonCount]) -> list[ReasonCount]:
    """Add up what is the same reason for the excluded and for those who were drawn."""
    joined: dict[tuple[str, str], ReasonCount] = {}
    for each in reasons:
        held = joined.get((each.state, each.reason))
        count = each.count + (held.count if held else 0)
        joined[each.state, each.reason] = msgspec.structs.replace(each, count=count)
    return sorted(joined.values(), key=lambda each: -each.count)


def _read_groups(connection: Connection, campaign: Campaign) -> dict[str, _Group]:
    values = {
        "campaign_id": campaign.campaign_id,
        "window_days": campaign.window_days,
        "goal_event": campaign.goal_event,
        "currency": settings().currency,
    }
    names = _Group.__struct_fields__
    groups = {"treatment": _Group(), "holdout": _Group()}
    for arm, *row in _run(connection, "measure_arms", values):
        groups[arm] = _Group(**dict(zip(names, row, strict=True)))
    return groups


def _read_responses(connection: Connection, campaign: Campaign) -> _Responses:
    values = {
        "campaign_id": campaign.campaign_id,
        "since": campaign.began_at or campaign.created_at,
        "purpose": campaign.purpose,
        "window_days": campaign.window_days,
    }
    done = {
        (name, is_machine): (times, people)
        for name, is_machine, times, people in _run(connection, "measure_clicks", values)
    }
    unsubscribed, complained = _one(connection, "measure_refusals", values)
    clicks, clicked = done.get(("Email Link Clicked", False), (0, 0))
    return _Responses(
        opened=done.get(("Email Opened", False), (0, 0))[1],
        clicked=clicked,
        clicks=clicks,
        machine_clicks=done.get(("Email Link Clicked", True), (0, 0))[0],
        unsubscribed=unsubscribed,
        complained=complained,
        tracked=_one(connection, "measure_tracked", [campaign.campaign_id])[0],
    )


def _one(connection: Connection, query: str, values: Any) -> tuple[Any, ...]:
    return _run(connection, query, values)[0]


def _run(connection: Connection, query: str, values: Any) -> list[tuple[Any, ...]]:
    """Run a query planned for this campaign: what suits a small one takes minutes for a large."""
    return connection.execute(_SQL[query], values, prepare=False).fetchall()


def _figure(
    campaign: Campaign,
    groups: dict[str, _Group],
    counts: SendCounts,
    *,
    metrics: list[ReadMetric],
    now: datetime,
) -> dict[str, Any]:
    """Return what the groups say: their figures, the difference, and the sentence about it."""
    currency = settings().currency
    scale = 10 ** exponent_of(currency)
    treatment, holdout = (groups[name].arm(scale) for name in ("treatment", "holdout"))
    ends_at = max((group.until for group in groups.values() if group.until), default=None)
    is_final = campaign.targeted_at is not None and (ends_at is None or now >= ends_at)
    refusal = measuring_words.refuse(campaign, counts, treatment, holdout)
    compared = [
        compare_metric(read, campaign, refusal=refusal, is_final=is_final) for read in metrics
    ]
    lift = conversion = None
    if refusal is None:
        conversion = lift_maths.rate_difference(treatment, holdout)
        refusal = measuring_words.refuse_revenue(treatment, holdout, is_final=is_final)
    if refusal is None:
        # Seeded by the campaign: the same data always say the same.
        rng = np.random.default_rng(campaign.campaign_id)
        lift = lift_maths.revenue_difference(treatment, holdout, rng)
    is_significant = None if lift is None or not is_final else lift.is_significant
    return {
        "metrics": compared,
        "arms": [
            _describe("treatment", treatment, groups["treatment"]),
            _describe("holdout", holdout, groups["holdout"]),
        ],
        "lift": None if lift is None else lift.estimate,
        "conversion_lift": conversion,
        "p_value": None if lift is None else lift.p_value,
        "is_significant": is_significant,
        "is_final": is_final,
        "verdict": refusal or measuring_words.judge(lift, currency, None if is_final else ends_at),
    }


def _describe(name: Literal["treatment", "holdout"], arm: Arm, group: _Group) -> ArmFigures:
    return ArmFigures(
        arm=name,
        customers=arm.customers,
        converted=arm.converted,
        conversion_rate=lift_maths.rate_of(arm),
        revenue_minor=group.revenue_minor,
        revenue_per_customer=lift_maths.mean_of(arm),
    )
