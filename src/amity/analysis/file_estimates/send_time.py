"""`amity estimate send-time`: when and by what channel each customer likes to be reached."""

from datetime import datetime
from typing import Any, Final

import msgspec
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
from amity.analysis.logic.preferences.hours import (
    BLOCKS,
    HOURS,
    block_of,
    hours_of_week,
    population_profile,
    profile_p_value,
    show_hour,
)
from amity.analysis.logic.preferences.leaning import Leaning, learn_leaning

_SEED: Final = 19_730_301
_FEWEST_MESSAGES: Final = 200
_FEWEST_ANSWERS: Final = 50
_SURE: Final = 0.05

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


class _Chosen(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is chosen for each customer among hours or channels."""

    best: IntArray
    index: FloatArray
    low: FloatArray
    high: FloatArray
    is_own: FloatArray
    """1 where the customer's own answers show the preference, 0 where it is the population's."""


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
        _refuse_too_little(answered)
        rng = np.random.default_rng(_SEED)
        zones = table.columns["zone"] if options.is_given("zone") else None
        hour = hours_of_week(
            table.columns["sent"].whole,
            np.zeros(len(table), np.int64) if zones is None else zones.whole,
            ["UTC"] if zones is None else zones.names,
        )
        if len(np.unique(hour)) < 2:
            raise Refused(f"all {len(hour):,} messages left in one hour of the week")
        profile = population_profile(hour, answered)
        size = len(table.columns["customer"].names)
        blocks = _learn(customer, block_of(hour), answered, (size, BLOCKS), rng)
        by_time = _choose_hours(blocks, profile, np.bincount(hour, minlength=HOURS))
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
            result=result,
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


def _refuse_too_little(answered: FloatArray) -> None:
    if len(answered) < _FEWEST_MESSAGES:
        raise Refused(f"{len(answered):,} messages, and it takes at least {_FEWEST_MESSAGES}")
    if answered.sum() < _FEWEST_ANSWERS:
        raise Refused(
            f"{int(answered.sum()):,} messages were answered, and it takes at least "
            f"{_FEWEST_ANSWERS}"
        )


def _learn(
    customer: IntArray,
    place: IntArray,
    answered: FloatArray,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> Leaning:
    cell = customer * shape[1] + place
    size = shape[0] * shape[1]
    sent = np.bincount(cell, minlength=size).reshape(shape).astype(np.float64)
    came = np.bincount(cell, weights=answered, minlength=size).reshape(shape).astype(np.float64)
    profile = (came.sum(axis=0) + 1) / (sent.sum(axis=0) + 2)
    return learn_leaning(sent, came, profile, rng)


def _choose_hours(leaning: Leaning, profile: FloatArray, tried: IntArray) -> _Chosen:
    """Return each customer's best hour among those at which anything was ever sent."""
    block = block_of(np.arange(HOURS))
    open_hours = np.where(tried > 0, profile, 0.0)
    best_in_block = np.array(
        [int(np.argmax(np.where(block == each, open_hours, -1.0))) for each in range(BLOCKS)]
    )
    best_block = np.argmax(leaning.index * open_hours[best_in_block], axis=1)
    return _chosen(leaning, best_block, best_in_block[best_block])


def _chosen(leaning: Leaning, place: IntArray, best: IntArray) -> _Chosen:
    low, high = leaning.limits()
    rows = np.arange(len(place))
    own = (low[rows, place] > 1) * (leaning.p_value < _SURE)
    return _Chosen(
        best=best,
        index=leaning.index[rows, place],
        low=low[rows, place],
        high=high[rows, place],
        is_own=own.astype(np.float64),
    )


def _channels(
    table: Table, customer: IntArray, answered: FloatArray, rng: np.random.Generator
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return the sentence about channels, the figures, and the columns to write."""
    cells = table.columns["channel"]
    if len(cells.names) < 2:
        raise Refused(f"all {len(answered):,} messages went by one channel; leave --channel out")
    size = len(table.columns["customer"].names)
    leaning = _learn(customer, cells.whole, answered, (size, len(cells.names)), rng)
    sent = np.bincount(cells.whole, minlength=len(cells.names))
    rate = np.bincount(cells.whole, answered, len(cells.names)) / sent
    best = np.argmax(leaning.index * rate, axis=1)
    chosen = _chosen(leaning, best, best)
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


def _parts(name: str, chosen: _Chosen) -> dict[str, Any]:
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
    if p_value >= _SURE:
        return "No preference shown: all customers together answer alike at all hours."
    return f"All customers together answer most in the hour from {_best_hour(profile, hour)}."


def _say_own(what: str, leaning: Leaning, chosen: _Chosen) -> str:
    if leaning.p_value >= _SURE:
        return (
            f"No customer shows {what} of their own: their answers differ no more than chance "
            f"makes them (p = {leaning.p_value:.2g}), so all are given the best of all."
        )
    return (
        f"{int(chosen.is_own.sum()):,} of {len(chosen.is_own):,} customers show {what} of their "
        "own; the others are drawn to the best of all."
    )
