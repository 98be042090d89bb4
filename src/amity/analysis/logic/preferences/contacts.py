"""What events tell of messages by any channel, and of the answers to them.

Tools name their events alike: a channel and what became of the message ("SMS Delivered", "Push
Notification Opened"). A message and its answer are brought together by the id both carry, or else
by time: an answer without an id belongs to the last message of that channel of the days before.
"""

from collections.abc import Mapping
from itertools import product
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.analysis.estimator import FloatArray, IntArray

ANSWER_SECONDS: Final = 2 * 86_400
"""How long an answer may take; who was written to since may still answer."""

_CHANNELS: Final[dict[str, tuple[str, ...]]] = {
    "email": ("Email",),
    "sms": ("SMS", "SMS Message", "Text Message"),
    "push": ("Push", "Push Notification"),
    "whatsapp": ("WhatsApp", "WhatsApp Message"),
    "in_app": ("In-App", "In-App Message"),
    "letter": ("Letter", "Postcard"),
    "call": ("Call",),
    "webhook": ("Webhook",),
}
_SENT: Final = ("Sent", "Delivered")
"""What tells of a message, what tells of most of them first."""
_ANSWERED: Final = ("Opened", "Clicked", "Link Clicked", "Tapped", "Replied", "Answered")
_CALL: Final = {"Call Started": 0, "Call Ended": 1}

MESSAGES: Final[Mapping[str, tuple[str, int]]] = {
    f"{start} {end}": (channel, rank)
    for channel, starts in _CHANNELS.items()
    for start, (rank, end) in product(starts, enumerate(_SENT))
} | {name: ("call", rank) for name, rank in _CALL.items()}
"""Names of events that tell of a message: its channel, and which of them to go by, lowest first."""
ANSWERS: Final[Mapping[str, str]] = {
    f"{start} {end}": channel
    for channel, starts in _CHANNELS.items()
    for start, end in product(starts, _ANSWERED)
}
"""Names of events that tell of an answer, with its channel."""
TAKEN: Final = ("answered", "connected", "completed")
"""Outcomes of a call that say it was taken."""


class Contact(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Messages or answers, a place each: whose, of which channel, when, and the message's id."""

    customer: IntArray
    channel: IntArray
    second: IntArray
    """Since 1970."""
    key: IntArray
    """A number for the message's id, the same on both sides; below nothing where there is none."""

    def __len__(self) -> int:
        return len(self.customer)

    def take(self, places: IntArray | NDArray[np.bool_]) -> "Contact":
        """Return some of them."""
        return Contact(**{name: getattr(self, name)[places] for name in self.__struct_fields__})


def keep_one_telling(messages: Contact, rank: IntArray) -> IntArray:
    """Return the places to count: of each channel the lowest rank there is, each message once.

    A tool that tells of "sent" and "delivered" tells of every message twice.
    """
    lowest = np.full(int(messages.channel.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(lowest, messages.channel, rank)
    told = np.flatnonzero(rank == lowest[messages.channel])
    named = told[messages.key[told] >= 0]
    pairs = np.stack([messages.channel[named], messages.key[named]], axis=1)
    _, first = np.unique(pairs, axis=0, return_index=True)
    places: IntArray = np.sort(np.concatenate([told[messages.key[told] < 0], named[first]]))
    return places


def find_answered(messages: Contact, answers: Contact) -> FloatArray:
    """Return 1 for every message that was answered in time, else 0."""
    answered = np.zeros(len(messages))
    named = answers.take(answers.key >= 0)
    size = 1 + max(int(messages.key.max(initial=0)), int(named.key.max(initial=0)))
    both = np.isin(messages.channel * size + messages.key, named.channel * size + named.key)
    answered[both & (messages.key >= 0)] = 1.0
    loose = answers.take(answers.key < 0)
    answered[_last_before(messages, loose)] = 1.0
    return answered


def _last_before(messages: Contact, answers: Contact) -> IntArray:
    """Return the place of the last message before each answer, of those with one in time."""
    if not len(messages) or not len(answers):
        return np.zeros(0, np.int64)
    channels = 1 + max(int(messages.channel.max()), int(answers.channel.max()))
    order = np.lexsort((messages.second, messages.customer * channels + messages.channel))
    pair = (messages.customer * channels + messages.channel)[order]
    pairs, start = np.unique(pair, return_index=True)
    wanted = answers.customer * channels + answers.channel
    # One number a place that sorts by pair and then by time.
    span = int(max(messages.second.max(), answers.second.max())) + 1
    rank = np.searchsorted(pairs, pair) * span + messages.second[order]
    at = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
    place = np.searchsorted(rank, at * span + answers.second, side="right") - 1
    found = (pairs[at] == wanted) & (place >= start[at])
    found[found] &= answers.second[found] - messages.second[order][place[found]] <= ANSWER_SECONDS
    places: IntArray = order[place[found]]
    return places
