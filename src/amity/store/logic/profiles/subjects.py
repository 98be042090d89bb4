"""A profile as rules see it in memory, and what of its history they need."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any

from amity.infra.config import settings
from amity.kernel.money import exponent_of
from amity.rules import Group, Look, PlacedOrder, Rating, Subject
from amity.store.contracts import HistoryWish, Profile
from amity.store.contracts_consent import Purpose, is_spoken
from amity.store.logic.consent.statements import list_windows


def minor_units() -> int:
    """Return how many minor units make one of the home currency."""
    return int(10 ** exponent_of(settings().currency))


def make_subject(  # noqa: PLR0913  # one argument a part of what rules see
    profile: Profile,
    *,
    segments: AbstractSet[int],
    history: Mapping[str, Sequence[tuple[datetime, Mapping[str, Any]]]],
    policies: Mapping[str, Purpose],
    scores: Mapping[str, Rating] = {},
    together: Mapping[str, Group] = {},
    orders: Sequence[PlacedOrder] = (),
) -> Subject:
    """Return a profile as rules see it in memory: the same values the catalogue gives in SQL.

    ``policies`` are those of `list_policies`: what they allow of whom is the gate's to say.
    """
    scale = minor_units()
    return Subject(
        profile_id=profile.profile_id,
        traits=profile.traits,
        fields={
            "order_count": profile.order_count,
            # The division is rounded to the nearest float, whose shortest text is the amount.
            "revenue": profile.revenue_minor / scale if scale > 1 else profile.revenue_minor,
            "event_count": profile.event_count,
            "first_seen_at": profile.first_seen_at,
            "last_seen_at": profile.last_seen_at,
            "first_order_at": profile.first_order_at,
            "last_order_at": profile.last_order_at,
            "user_id": profile.user_id,
            "email": profile.email,
            "phone": profile.phone,
            "name": profile.name,
        },
        consents={
            purpose
            for purpose, consent in profile.consents.items()
            if consent.status == "granted" and is_spoken(purpose)
        },
        allowed=list_windows(profile.consents, policies),
        segments=segments,
        history=history,
        scores=scores,
        together=together,
        orders=tuple(orders),
    )


def make_wishes(
    looks: Mapping[str, Look], now: datetime, profile_ids: list[int] | None = None
) -> list[HistoryWish]:
    """Say to the store what rules need of histories, and no more: orders are long.

    With ``profile_ids`` only of these.
    """
    return [
        HistoryWish(
            name=event,
            since=None if look.within_days is None else now - timedelta(days=look.within_days),
            properties=sorted(look.properties),
            profile_ids=profile_ids,
        )
        for event, look in sorted(looks.items())
    ]
