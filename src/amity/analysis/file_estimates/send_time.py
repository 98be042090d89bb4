"""`amity estimate send-time`: when and by what channel each customer likes to be reached."""

from datetime import datetime
from typing import Any, Final

import numpy as np

from amity.analysis.contracts_estimates import FileEstimate, ModelCard, Option
from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.file_estimate import (
    FILE_ESTIMATES,
    Estimated,
    Example,
    FileEstimator,
    Options,
    OutTable,
    Table,
)
from amity.analysis.logic.preferences.backtesting import judge_hours
from amity.analysis.logic.preferences.choosing import (
    SURE,
    Chosen,
    Messages,
    choose,
    learn_hours,
    learn_places,
)
from amity.analysis.logic.preferences.hours import (
    BLOCKS,
    HOURS,
    block_of,
    hours_of_week,
    profile_p_value,
    show_hour,
)
from amity.analysis.logic.preferences.leaning import Leaning

_SEED: Final = 19_730_301

CARD: Final = ModelCard(
    title="Send time and channel",
    purpose="To say in which hour of their week, and by which channel, each customer answers most.",
    assumes=[
        "Messages at different hours and by different channels were alike otherwise.",
        "What a customer leans to does not change with the season.",
    ],
    needs=[
        "A row a message: to whom, when it left, whether it was answered (opened, clicked).",
        "At least 200 messages, 50 of them answered, in more than one hour.",
    ],
    refuses=["Fewer messages or answers.", "Messages that all left in one hour of the week."],
    cannot_know=[
        "What happens at hours at which nothing was ever sent.",
        "Whether more is bought: those who answer at nine might have bought at noon.",
    ],
    sources=[
        "Robbins (1956), An empirical Bayes approach to statistics.",
        "Efron, Morris (1973), Stein's estimation rule and its competitors, JASA 68.",
        "Fader, Hardie (2013), The Gamma-Gamma model of monetary value (gamma priors by moments).",
    ],
)


@FILE_ESTIMATES.register("send-time")
class SendTime(FileEstimator):
    """The population's profile, and each customer's own leaning drawn towards it."""

    name = "send-time"
    summary = "When, and by what channel, each customer likes to be reached."
    card = CARD
    options = (
        Option(
            name="customer",
            kind="column",
            cells="name",
            is_required=True,
            help="Column that says to whom a message went.",
        ),
        Option(
            name="sent",
            kind="column",
            cells="moment",
            is_required=True,
            help="Column that says when it left.",
        ),
        Option(
            name="answered",
            kind="column",
            cells="flag",
            is_required=True,
            help="Column that says whether it was answered: opened, clicked.",
        ),
        Option(
            name="zone",
            kind="column",
            help="Column with the customer's time zone, such as Europe/Berlin; UTC without.",
        ),
        Option(
            name="channel", kind="column", cells="name", help="Column that says by what channel."
        ),
    )

    def run(self, table: Table, options: Options, *, now: datetime) -> Estimated:
        answered = table.columns["answered"].real
        customer = table.columns["customer"].whole
        rng = np.random.default_rng(_SEED)
        zones = table.columns["zone"] if options.is_given("zone") else None
        hour = hours_of_week(
            table.columns["sent"].whole,
            np.zeros(len(table), np.int64) if zones is None else zones.whole,
            ["UTC"] if zones is None else zones.names,
        )
        size = len(table.columns["customer"].names)
        messages = Messages(customer=customer, hour=hour, answered=answered, size=size)
        learnt = learn_hours(messages, rng)
        profile, blocks, by_time = learnt.profile, learnt.blocks, learnt.chosen
        general = profile_p_value(block_of(hour), answered, BLOCKS)
        words = [_say_time(general, profile, hour), _say_own("hours", blocks, by_time)]
        result: dict[str, Any] = {
            "hour_p_value": general,
            "hour_own_p_value": blocks.p_value,
            "profile": profile.tolist(),
            "best_hour": _best_hour(profile, hour),
        }
        columns: dict[str, Any] = {
            "customer": table.columns["customer"].names,
            "best_hour": [show_hour(each) for each in by_time.best.tolist()],
            **_parts("hour", by_time),
        }
        if options.is_given("channel"):
            said, found, more = _channels(table, customer, answered, rng)
            words.append(said)
            result |= found
            columns |= more
        warnings = [
            "hours and channels were not drawn at random for each message, as far as the file "
            "says; where other messages went at other hours, that is in the figures too"
        ]
        if zones is None:
            warnings.append("without --zone all hours are of UTC, not the customers' own")
        answer = FileEstimate(
            estimate=SendTime.name,
            words=words,
            counts=table.count(customers=size, answers=int(answered.sum())),
            parameters={"answer_rate": float(answered.mean()), "hour_strength": blocks.strength},
            fit={"hour_p_value": general, "hour_own_p_value": blocks.p_value},
            result=result,
            calibration=judge_hours(messages, table.columns["sent"].whole, rng),
            card=CARD,
            warnings=warnings,
            rejected=table.rejected,
        )
        out = OutTable(heads=tuple(columns), columns=tuple(columns.values()))
        return Estimated(answer=answer, out=out)

    @classmethod
    def example(cls, rng: np.random.Generator, size: int) -> Example:
        rows: list[tuple[object, ...]] = []
        for place in range(size * 3):
            customer, hour = place % max(1, size // 8), int(rng.integers(7, 22))
            likes_evening = customer % 2 == 0
            chance = 0.5 if (hour >= 17) == likes_evening else 0.1
            day = 1 + int(rng.integers(0, 28))
            rows.append(
                (
                    f"c{customer}",
                    f"2024-05-{day:02}T{hour:02}:15:00Z",
                    int(rng.random() < chance),
                    ("email", "push")[int(rng.integers(0, 2))],
                )
            )
        return Example(
            heads=("customer", "sent_at", "opened", "channel"),
            rows=rows,
            options={
                "customer": "customer",
                "sent": "sent_at",
                "answered": "opened",
                "channel": "channel",
            },
        )


def _channels(
    table: Table, customer: IntArray, answered: FloatArray, rng: np.random.Generator
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return the sentence about channels, the figures, and the columns to write."""
    cells = table.columns["channel"]
    if len(cells.names) < 2:
        raise Refused(f"all {len(answered):,} messages went by one channel; leave --channel out")
    size = len(table.columns["customer"].names)
    leaning = learn_places(customer, cells.whole, answered, (size, len(cells.names)), rng)
    sent = np.bincount(cells.whole, minlength=len(cells.names))
    rate = np.bincount(cells.whole, answered, len(cells.names)) / sent
    best = np.argmax(leaning.index * rate, axis=1)
    chosen = choose(leaning, best, best)
    found = {
        "channel_p_value": profile_p_value(cells.whole, answered, len(cells.names)),
        "channel_own_p_value": leaning.p_value,
        "channel_rates": dict(zip(cells.names, rate.tolist(), strict=True)),
    }
    columns = {
        "best_channel": [cells.names[place] for place in best.tolist()],
        **_parts("channel", chosen),
    }
    return _say_own("channels", leaning, chosen), found, columns


def _parts(name: str, chosen: Chosen) -> dict[str, Any]:
    return {
        f"{name}_index": chosen.index,
        f"{name}_index_low": chosen.low,
        f"{name}_index_high": chosen.high,
        f"{name}_is_own": chosen.is_own.astype(np.int64),
    }


def _best_hour(profile: FloatArray, hour: IntArray) -> str:
    tried = np.bincount(hour, minlength=HOURS) > 0
    return show_hour(int(np.argmax(np.where(tried, profile, -1.0))))


def _say_time(p_value: float, profile: FloatArray, hour: IntArray) -> str:
    if p_value >= SURE:
        return "No preference shown: all customers together answer alike at all hours."
    return f"All customers together answer most in the hour from {_best_hour(profile, hour)}."


def _say_own(what: str, leaning: Leaning, chosen: Chosen) -> str:
    if leaning.p_value >= SURE:
        return (
            f"No customer shows {what} of their own: their answers differ no more than chance "
            f"makes them (p = {leaning.p_value:.2g}), so all are given the best of all."
        )
    return (
        f"{int(chosen.is_own.sum()):,} of {len(chosen.is_own):,} customers show {what} of their "
        "own; the others are drawn to the best of all."
    )
