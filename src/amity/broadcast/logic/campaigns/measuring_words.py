"""What a campaign's figures are called, and the one sentence that says what they amount to."""

from datetime import UTC, datetime
from typing import Final

from amity.broadcast.contracts import Campaign, SendCounts
from amity.kernel import lift as lift_maths
from amity.kernel.lift import FEWEST_BUYERS, FEWEST_CUSTOMERS, Arm, Lift
from amity.kernel.money import exponent_of

DEFINITIONS: Final[dict[str, str]] = {
    "targeted": "Members of the segment when it began who could be reached and were drawn to get "
    "it: always the sum of sent, suppressed, failed, unknown, pending and cancelled.",
    "held_out": "Could be reached, and were drawn at random to get nothing, to measure against.",
    "excluded": "Could not be reached when the campaign began; in neither group.",
    "sent": "The receiving mail server took the message.",
    "suppressed": "Drawn to get it, but held back when it was about to leave; the reasons say why.",
    "failed": "Refused by the receiving server, or could not be made for this person.",
    "unknown": "Handed over, and no reply came: it may have arrived. Never sent again by itself.",
    "pending": "Still to leave, or leaving now.",
    "cancelled": "Stopped, or too late, before it left.",
    "opened": "People who opened it, machines left out; of those who agree to tracking.",
    "clicked": "People who followed a link in it, machines left out; of those who agree to "
    "tracking.",
    "clicks": "How often people followed a link in it.",
    "machine_clicks": "How often a scanner or proxy followed a link in it.",
    "unsubscribed": "Took back consent by a link in it or, without saying where, within the "
    "window after it left.",
    "complained": "Reported it as spam within the window after it left.",
    "converted": "Of those it was sent to, who reached the goal within the window after they "
    "were drawn.",
    "tracked": "Of those it was sent to, who agree now to opens and clicks being counted.",
    "revenue_per_customer": "Orders within the window after a customer was drawn, in the home "
    "currency, net of refunds and cancellations, over all customers of the group, whether or not "
    "they got or opened anything. Its interval is Student's, at 95 %.",
    "conversion_rate": "The share of the group that reached the goal within the window; its "
    "interval is Wilson's, at 95 %.",
    "lift": "Revenue per customer drawn to get it, minus that of those held out, with the 95 % "
    "interval that goes with the p-value.",
    "conversion_lift": "The difference of the two conversion rates, with Newcombe's interval.",
    "p_value": "How often chance alone gives a difference as large: Welch's ratio among groups "
    "drawn again from the same customers; where very many bought, Student's t.",
    "is_significant": "Whether the p-value is below 0.05, once every window has closed.",
}


def refuse(campaign: Campaign, counts: SendCounts, treatment: Arm, holdout: Arm) -> str | None:
    """Say why nothing can be claimed of two groups, or None."""
    return (
        _refuse_begun(campaign)
        or _refuse_sent(counts, holdout)
        or _refuse_groups(campaign.holdout_rate, treatment, holdout)
    )


def _refuse_begun(campaign: Campaign) -> str | None:
    if campaign.began_at is None:
        return "It has not begun."
    if campaign.targeted_at is None and campaign.finished_at is None:
        return "Nothing can be said yet: its groups are still being drawn."
    return None


def _refuse_sent(counts: SendCounts, holdout: Arm) -> str | None:
    if not counts.targeted and not holdout.customers:
        return "No claim can be made: nobody could be reached."
    if counts.sent or counts.unknown:
        return None
    if counts.pending:
        return "Nothing can be said yet: no message has left."
    return "No claim can be made: no message was sent."


def _refuse_groups(holdout_rate: float, treatment: Arm, holdout: Arm) -> str | None:
    if holdout_rate == 0:
        return "No claim can be made: nobody was held out to compare with."
    for name, arm in (("drawn to get it", treatment), ("held out", holdout)):
        if arm.customers < FEWEST_CUSTOMERS:
            return (
                f"No claim can be made: {arm.customers:,} customers were {name}, and it takes "
                f"at least {FEWEST_CUSTOMERS} in each group."
            )
    if lift_maths.is_suspect(treatment.customers, holdout.customers, holdout_rate):
        return (
            f"No claim can be made: of {treatment.customers + holdout.customers:,} customers "
            f"{holdout.customers:,} were held out where {holdout_rate:.0%} were to be. "
            "Chance does that less than once in a thousand, so something is wrong with the groups."
        )
    return None


def refuse_revenue(treatment: Arm, holdout: Arm, *, is_final: bool) -> str | None:
    """Say why nothing can be claimed about revenue, or None."""
    expected = lift_maths.expected_buyers(treatment, holdout)
    if expected >= FEWEST_BUYERS:
        return None
    begin = "No claim can be made" if is_final else "No claim can be made yet"
    buyers = len(treatment.spent) + len(holdout.spent)
    return (
        f"{begin}: {buyers:,} customers of both groups bought, and chance puts {expected:.1f} of "
        f"them into the smaller one; it takes at least {FEWEST_BUYERS}."
    )


def judge(lift: Lift | None, currency: str, open_until: datetime | None) -> str:
    """Say what the difference amounts to; ``open_until`` while a window is still open."""
    if lift is None:
        return "No claim can be made: everybody spent the same."
    found = lift.estimate
    what = "more" if found.value >= 0 else "less"
    sentence = (
        f"ustomers drawn to get it spent {_money(abs(found.value), currency)} {currency} {what} "
        f"each than those held out (95 % interval {_money(found.low, currency)} to "
        f"{_money(found.high, currency)}): "
    )
    if open_until is not None:
        day = open_until.astimezone(UTC).date().isoformat()
        return f"So far, c{sentence}no result before the last window has closed, on {day}."
    if lift.is_significant:
        return f"C{sentence}more than chance."
    return f"C{sentence}the difference is within what chance gives."


def _money(amount: float, currency: str) -> str:
    text = f"{amount:,.{exponent_of(currency)}f}"
    # A tiny negative amount is no negative amount.
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")
