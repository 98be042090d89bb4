"""By which channel each customer answers most, of all channels whose answers events tell."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from amity.analysis.contracts_models import ScoreWords
from amity.analysis.estimator import Column, FloatArray, IntArray
from amity.analysis.file_estimates.send_time import CARD as FILE_CARD
from amity.analysis.logic.preferences.channels import (
    Channels,
    Outreach,
    judge_channels,
    learn_channels,
    refuse_few_channels,
)
from amity.analysis.logic.preferences.choosing import SURE
from amity.analysis.logic.preferences.contacts import (
    ANSWER_SECONDS,
    ANSWERS,
    MESSAGES,
    TAKEN,
    Contact,
    find_answered,
    keep_one_telling,
)
from amity.analysis.logic.reporting import frames
from amity.analysis.store_estimate import (
    STORE_ESTIMATES,
    Known,
    Rows,
    Scored,
    StoreEstimated,
    StoreEstimator,
)

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

_EMAIL: Final = "email"
_TRACKING: Final = "tracking.email"
_IDS: Final = ("send_id", "message_id", "delivery_id", "notification_id", "call_id")
_OWN: Final = "send_id"
"""Messages of Amity's own are read where they are kept, their events say only the answers."""


@STORE_ESTIMATES.register("send_channel")
class SendChannel(StoreEstimator):
    """The leanings of `amity estimate send-time --channel`, over what went out by any channel."""

    name = "send_channel"
    card = msgspec.structs.replace(
        FILE_CARD,
        title="Best channel",
        purpose="To say by which channel each customer answers most.",
        assumes=[
            "Messages by different channels were alike otherwise.",
            "An answer is worth as much in one channel as in another: an opened e-mail as much as "
            "a call that was taken.",
        ],
        needs=[
            "Two channels or more with answers that events tell: e-mail of Amity's own, and "
            "messages others send and tell of, such as SMS Delivered and SMS Clicked, Push Opened, "
            "Call Started and Call Answered.",
            "At least 200 messages of the last year that are two days old, 50 of them answered, "
            "and of each channel that is counted 10 answered.",
            "For e-mail the consent to count opens and clicks; who refused it is left out.",
        ],
        refuses=["Fewer than two channels whose answers are told.", "Fewer messages or answers."],
        cannot_know=[
            "What a channel would bring by which a customer was never written to: then it is what "
            "all bring there.",
            "Whether a message caused what came after it.",
        ],
    )
    scores = (
        ScoreWords(
            name="send_channel",
            title="Best channel",
            meaning="By which channel they answer most, and how many times as likely as others "
            "they do there.",
        ),
    )
    tables = frozenset(("sends", "events", "profiles"))

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], known: Known
    ) -> dict[str, "ibis.Table"]:
        import ibis  # noqa: PLC0415  # loads slowly

        asked = known.asked
        sends = frames.sends(tables, asked)
        sends = sends.filter(sends.state == "sent")
        events = frames.events(tables, asked, names=(*MESSAGES, *ANSWERS))
        about = events.properties.cast("json")
        events = events.filter(~about["is_machine"].bool.fill_null(False))  # noqa: FBT003  # Ibis takes a value
        said = {name: frames.text(events.properties, name) for name in _IDS}
        people = tables["profiles"]
        people = people.filter(people.profile_id == people.root_id).select(
            customer_id="root_id",
            status=people.consents.cast("json")[frames.key_of(_TRACKING)]["status"].str,
        )
        return {
            "sends": sends.select(
                "customer_id", "channel", second=sends.wire_at.epoch_seconds(), key="send_id"
            ).order_by("customer_id", "second", "key"),
            "told": events.select(
                "customer_id",
                "name",
                second=events.occurred_at.epoch_seconds(),
                key=ibis.coalesce(*said.values(), ""),
                is_own=said[_OWN].notnull().cast("int64"),
                direction=ibis.coalesce(frames.text(events.properties, "direction"), ""),
                outcome=ibis.coalesce(frames.text(events.properties, "outcome"), "").lower(),
            ).order_by("customer_id", "second", "name", "key"),
            "people": people.filter(people.status.notnull()).order_by("customer_id"),
        }

    def estimate(self, rows: Rows, known: Known, rng: np.random.Generator) -> StoreEstimated:
        ids, outreach, second = _read(rows, known)
        counted = refuse_few_channels(outreach)
        places = [outreach.names.index(name) for name in counted]
        kept = np.flatnonzero(np.isin(outreach.channel, places))
        whose, customer = np.unique(outreach.customer[kept], return_inverse=True)
        outreach = Outreach(
            customer=customer,
            channel=np.searchsorted(places, outreach.channel[kept]),
            answered=outreach.answered[kept],
            size=len(whose),
            names=tuple(counted),
        )
        learnt = learn_channels(outreach, rng)
        return StoreEstimated(
            scores={
                "send_channel": Scored(
                    customer_id=ids[whose], column=_column(learnt, outreach.names)
                )
            },
            parameters={
                "channel_strength": learnt.leaning.strength,
                "own_channels_p_value": learnt.leaning.p_value,
            }
            | {f"answered_by_{name}": came / sent for name, sent, came in outreach.sums()},
            report={
                "sentence": _say(learnt, outreach),
                "facts": _facts(rows, outreach),
                "warnings": [
                    "what counts as an answer differs from channel to channel, and channels were "
                    "not drawn at random: whom one writes to there is in the figures too"
                ],
                "calibration": judge_channels(outreach, second[kept], rng),
            },
        )


def _read(rows: Rows, known: Known) -> tuple[IntArray, Outreach, IntArray]:
    """Return the customers, their messages with which were answered, and when these left."""
    sends, told = rows["sends"], rows["told"]
    name = np.asarray(told["name"]).astype(object)
    keys = _number(sends["key"].to_pylist() + told["key"].to_pylist())
    channels = sorted({*sends["channel"].to_pylist(), *ANSWERS.values()})
    place = {each: number for number, each in enumerate(channels)}
    own = Contact(
        customer=_whole(sends, "customer_id"),
        channel=_places(sends["channel"].to_pylist(), place),
        second=_whole(sends, "second"),
        key=keys[: len(sends)],
    )
    every = Contact(
        customer=_whole(told, "customer_id"),
        channel=_places(map(_channel_of, name), place),
        second=_whole(told, "second"),
        key=keys[len(sends) :],
    )
    is_call, is_out = every.channel == place["call"], np.asarray(told["direction"]) == "outbound"
    is_message = np.isin(name, list(MESSAGES)) & (~is_call | is_out)
    taken = is_call & is_out & np.isin(np.asarray(told["outcome"]).astype(object), TAKEN)
    theirs = np.flatnonzero(is_message & (_whole(told, "is_own") == 0))
    rank = np.array([MESSAGES[each][1] for each in name[theirs]], np.int64)
    others = every.take(theirs)
    messages = _join(own, others.take(keep_one_telling(others, rank)))
    answered = find_answered(messages, every.take(np.isin(name, list(ANSWERS)) | taken))
    counts = _may_count(messages, answered, place[_EMAIL], rows["people"])
    counts &= messages.second < int(known.asked.now.timestamp()) - ANSWER_SECONDS
    messages = messages.take(counts)
    ids, customer = np.unique(messages.customer, return_inverse=True)
    outreach = Outreach(
        customer=customer,
        channel=messages.channel,
        answered=answered[counts],
        size=len(ids),
        names=tuple(channels),
    )
    return ids, _of_used(outreach), messages.second


def _of_used(outreach: Outreach) -> Outreach:
    """Leave out the names of channels by which nothing went."""
    used = np.unique(outreach.channel)
    return msgspec.structs.replace(
        outreach,
        channel=np.searchsorted(used, outreach.channel),
        names=tuple(outreach.names[each] for each in used.tolist()),
    )


def _may_count(
    messages: Contact, answered: FloatArray, email: int, people: "pa.Table"
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Say of which messages silence means something, and nobody refused to have it counted."""
    who, status = _whole(people, "customer_id"), np.asarray(people["status"]).astype(object)
    refused = who[np.isin(status, ["denied", "withdrawn"])]
    is_email = messages.channel == email
    known = [who[status == "granted"], messages.customer[is_email & (answered > 0)]]
    counts = ~is_email | np.isin(messages.customer, np.concatenate(known))
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = counts & ~np.isin(
        messages.customer, refused
    )
    return found


def _join(one: Contact, other: Contact) -> Contact:
    return Contact(
        **{
            name: np.concatenate([getattr(one, name), getattr(other, name)])
            for name in one.__struct_fields__
        }
    )


def _channel_of(name: str) -> str:
    return MESSAGES[name][0] if name in MESSAGES else ANSWERS[name]


def _places(names: Iterable[str], place: Mapping[str, int]) -> IntArray:
    return np.array([place[name] for name in names], np.int64)


def _number(keys: list[str]) -> IntArray:
    """Return a number for every id, -1 for none."""
    found: dict[str, int] = {}
    return np.array([found.setdefault(key, len(found)) if key else -1 for key in keys], np.int64)


def _whole(table: "pa.Table", name: str) -> IntArray:
    return np.asarray(table[name]).astype(np.int64)


def _column(learnt: Channels, names: tuple[str, ...]) -> Column:
    chosen = learnt.chosen
    return Column(
        value=chosen.index,
        low=np.minimum(chosen.low, chosen.index),
        high=np.maximum(chosen.high, chosen.index),
        labels=[names[place] for place in chosen.best.tolist()],
    )


def _facts(rows: Rows, outreach: Outreach) -> dict[str, int | str]:
    """Return what it rests on, with the channels that count and the names that told of answers."""
    told = set(rows["told"]["name"].to_pylist())
    shown = [
        f"{name} ({came:,} of {sent:,} answered: {', '.join(sorted(_tells(told, name)))})"
        for name, sent, came in outreach.sums()
    ]
    return {
        "messages": len(outreach),
        "answers": int(outreach.answered.sum()),
        "customers": outreach.size,
        "channels counted": "; ".join(shown),
    }


def _tells(told: set[str], channel: str) -> set[str]:
    found = {name for name in told if ANSWERS.get(name) == channel}
    return found or {"the outcome of calls" if channel == "call" else "its own answers"}


def _say(learnt: Channels, outreach: Outreach) -> str:
    rates = {name: came / sent for name, sent, came in outreach.sums()}
    best = max(rates, key=lambda name: rates[name])
    all_together = f"All together answer most by {best} ({rates[best]:.0%} of messages)"
    if learnt.leaning.p_value >= SURE:
        return f"{all_together}; no customer shows a channel of their own"
    own = int(learnt.chosen.is_own.sum())
    return f"{all_together}; {own:,} of {outreach.size:,} customers show a channel of their own"
