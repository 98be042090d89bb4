"""When each customer answers messages most, and how likely they do."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec
import numpy as np

from amity.analysis.contracts_models import ScoreWords
from amity.analysis.estimator import Column, FloatArray, IntArray, Refused
from amity.analysis.file_estimates.send_time import CARD as FILE_CARD
from amity.analysis.logic.preferences.backtesting import judge_hours
from amity.analysis.logic.preferences.choosing import (
    SURE,
    Chosen,
    Hours,
    Messages,
    learn_hours,
)
from amity.analysis.logic.preferences.hours import (
    block_of,
    find_zone_or,
    hours_of_week,
    profile_p_value,
    show_hour,
)
from amity.analysis.logic.reporting import frames
from amity.analysis.logic.scoring.reliability import Due
from amity.analysis.store_estimate import (
    STORE_ESTIMATES,
    Followed,
    Known,
    Rows,
    Scored,
    StoreEstimated,
    StoreEstimator,
    pick,
)

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

_TIME_TO_ANSWER: Final = timedelta(days=2)
_HORIZON_DAYS: Final = 28
_ANSWERS: Final = ("Email Opened", "Email Link Clicked")
_TRACKING: Final = "tracking.email"
_SECOND: Final = 1_000_000


class _Told(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The messages as numbers: customers are places in ``ids``."""

    ids: IntArray
    messages: Messages
    sent: IntArray
    """Seconds since 1970."""


@STORE_ESTIMATES.register("send_time")
class SendTime(StoreEstimator):
    """The learner of `amity estimate send-time` over the messages that went out."""

    name = "send_time"
    card = msgspec.structs.replace(
        FILE_CARD,
        title="Send time",
        purpose="To say in which hour of their week each customer answers messages most.",
        assumes=[
            "Messages at different hours were alike otherwise.",
            "What a customer leans to does not change with the season.",
        ],
        needs=[
            "Messages of the last year that went out at least two days ago, at least 200 of them, "
            "50 answered (opened or clicked by a person), in more than one hour.",
            "The consent to count opens and clicks: who never gave it and never answered is left "
            "out, since silence of theirs means nothing; who refused it is left out in any case.",
            "Time zones from the trait timezone; without one the shop's.",
        ],
    )
    scores = (
        ScoreWords(
            name="send_hour",
            title="Best hour to write",
            meaning="The hour of the day, in their own time, in which they answer messages most; "
            "the label has the day of the week, and whether their own answers show it.",
        ),
        ScoreWords(
            name="answer_chance",
            title="Chance to answer",
            meaning="The probability that they answer a message at their best hour, with the "
            "range in which it lies.",
        ),
    )
    tables = frozenset(("sends", "events", "profiles"))
    follows: ClassVar[Mapping[str, int]] = {"answer_chance": _HORIZON_DAYS}

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], known: Known
    ) -> dict[str, "ibis.Table"]:
        import ibis  # noqa: PLC0415  # loads slowly

        asked = known.asked
        sends = frames.sends(tables, asked, until=asked.now - _TIME_TO_ANSWER)
        sends = sends.filter(sends.state == "sent")
        events = frames.events(tables, asked, names=_ANSWERS)
        machine = events.properties.cast("json")["is_machine"].bool
        events = events.filter(~machine.fill_null(False))  # noqa: FBT003  # Ibis takes a value
        answers = events.select(send_id=frames.text(events.properties, "send_id")).distinct()
        answers = answers.filter(answers.send_id.notnull()).mutate(answered=1)
        people = tables["profiles"]
        people = people.filter(people.profile_id == people.root_id).select(
            customer_id="root_id",
            status=people.consents.cast("json")[frames.key_of(_TRACKING)]["status"].str,
            zone=frames.text(people.traits, "timezone"),
        )
        told = sends.left_join(answers, "send_id").drop("send_id_right")
        told = told.left_join(people, "customer_id").drop("customer_id_right")
        ever = told.group_by("customer_id").aggregate(ever=told.answered.sum())
        told = told.join(ever, "customer_id")
        status = told.status.fill_null("")
        told = told.filter(
            status.notin(("denied", "withdrawn")), (status == "granted") | (told.ever > 0)
        )
        return {
            "messages": told.select(
                "customer_id",
                sent=told.wire_at.epoch_seconds(),
                answered=told.answered.fill_null(0),
                zone=ibis.coalesce(told.zone, ""),
            ).order_by("customer_id", "sent", "answered")
        }

    def estimate(self, rows: Rows, known: Known, rng: np.random.Generator) -> StoreEstimated:
        told = _read(rows["messages"], known)
        messages = told.messages
        learnt = learn_hours(messages, rng)
        size = messages.size
        every = np.arange(size)
        chance = learnt.chance(every, learnt.chosen.best)
        scale = chance / learnt.level
        likely = Column(
            value=chance,
            low=np.minimum(learnt.level_low * scale, chance),
            high=np.clip(learnt.level_high * scale, chance, 1.0),
        )
        scores = {
            "send_hour": Scored(customer_id=told.ids, column=_hour_column(learnt)),
            "answer_chance": Scored(
                customer_id=told.ids, column=_with_reasons(likely, messages, learnt)
            ),
        }
        general = profile_p_value(block_of(messages.hour), messages.answered, 12)
        return StoreEstimated(
            scores=scores,
            parameters={
                "answer_rate": float(messages.answered.mean()),
                "hour_strength": learnt.blocks.strength,
                "hour_p_value": general,
                "own_hours_p_value": learnt.blocks.p_value,
            },
            report={
                "sentence": _say(learnt, general),
                "facts": {
                    "messages": len(messages),
                    "answers": int(messages.answered.sum()),
                    "customers": size,
                },
                "warnings": [
                    "hours were not drawn at random for each message: where other messages went "
                    "at other hours, that is in the figures too"
                ],
                "calibration": judge_hours(messages, told.sent, rng),
            },
            followed={"answer_chance": Followed(customer_id=told.ids, expected=chance)},
        )

    def observe(self, rows: Rows, known: Known, score: str, due: Due) -> FloatArray:
        """Return the share answered of what came at the hours that were best then."""
        told = _read(rows["messages"], known)
        start, end = int(due.predicted_at.timestamp()), int(due.due_at.timestamp())
        before = told.messages.take(np.flatnonzero(told.sent <= start))
        try:
            best = learn_hours(before, np.random.default_rng(start)).chosen.best
        except Refused:
            return np.full(len(due.profile_id), np.nan)
        customer, hour = told.messages.customer, told.messages.hour
        at_best = block_of(hour) == block_of(best)[customer]
        rows_ = (told.sent > start) & (told.sent <= end) & at_best
        size = told.messages.size
        sent = np.bincount(customer[rows_], minlength=size)
        came = np.bincount(customer[rows_], told.messages.answered[rows_], size)
        share = np.divide(came, sent, out=np.full(size, np.nan), where=sent > 0)
        return pick(told.ids, share, due.profile_id)


def _read(table: "pa.Table", known: Known) -> _Told:
    ids, customer = np.unique(np.asarray(table["customer_id"]), return_inverse=True)
    sent = np.asarray(table["sent"]).astype(np.int64)
    zones = table["zone"].combine_chunks().dictionary_encode()
    names = [find_zone_or(name, known.time_zone) for name in zones.dictionary.to_pylist()]
    hour = hours_of_week(sent * _SECOND, np.asarray(zones.indices), names)
    return _Told(
        ids=ids.astype(np.int64),
        messages=Messages(
            customer=customer.astype(np.int64),
            hour=hour,
            answered=np.asarray(table["answered"]).astype(np.float64),
            size=len(ids),
        ),
        sent=sent,
    )


def _hour_column(learnt: Hours) -> Column:
    chosen, is_any = learnt.chosen, learnt.blocks.p_value < SURE
    labels = [
        f"{show_hour(hour)}: {_why(chosen, place, is_any=is_any)}"
        for place, hour in enumerate(chosen.best.tolist())
    ]
    return Column(value=(chosen.best % 24).astype(np.float64), labels=labels)


def _why(chosen: Chosen, place: int, *, is_any: bool) -> str:
    if not is_any:
        return "best of all customers, of whom none show hours of their own"
    said = (
        f"answers {chosen.index[place]:.1f} × as often then as others do "
        f"({chosen.low[place]:.1f} to {chosen.high[place]:.1f})"
    )
    return said if chosen.is_own[place] else f"{said}, which may be chance"


def _with_reasons(likely: Column, messages: Messages, learnt: Hours) -> Column:
    """Say of each how many messages were answered, and what the hour does."""
    sent = np.bincount(messages.customer, minlength=messages.size).tolist()
    came = np.bincount(messages.customer, messages.answered, messages.size).tolist()
    factor = (likely.value / np.maximum(learnt.level, 1e-9)).tolist()
    labels = [
        f"answered {int(answers)} of {count} message{'' if count == 1 else 's'}; the hour does "
        f"× {times:.2f}"
        for answers, count, times in zip(came, sent, factor, strict=True)
    ]
    return msgspec.structs.replace(likely, labels=labels)


def _say(learnt: Hours, general: float) -> str:
    own = int(learnt.chosen.is_own.sum())
    all_together = (
        "All together answer alike at all hours"
        if general >= SURE
        else "All together answer most in the hour from "
        + show_hour(int(np.bincount(learnt.chosen.best, minlength=168).argmax()))
    )
    if learnt.blocks.p_value >= SURE:
        return f"{all_together}; no customer shows hours of their own"
    return f"{all_together}; {own:,} of {len(learnt.level):,} customers show hours of their own"
