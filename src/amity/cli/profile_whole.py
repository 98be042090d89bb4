"""One customer from every door at once, for `amity profile show`."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, get_args

import click
import msgspec

from amity.analysis.contracts import Membership, Score
from amity.kernel.errors import Denied, NotFound
from amity.store.contracts import Activity, Identifier, IdentifierKind, Merge, Profile
from amity.web.api.documents import ProfileDocument, profile_document

_KINDS: Final[dict[str, IdentifierKind]] = {kind: kind for kind in get_args(IdentifierKind)}


class WholeProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A customer with identifiers, merges, segments, scores and the head of the timeline."""

    profile: ProfileDocument
    identifiers: list[Identifier]
    merges: list[Merge]
    segments: list[Membership]
    scores: list[Score]
    timeline: list[Activity]


def find_profile(who: str) -> Profile:
    """Return the profile `KIND:VALUE` or `id:NUMBER` means; raise NotFound when there is none."""
    from amity.store import api

    kind, colon, value = who.partition(":")
    if kind == "id" and value.isascii() and value.isdigit():
        return api.get_profile(profile_id=int(value))
    if not colon or kind not in _KINDS:
        kinds = ", ".join(f"{name}:" for name in _KINDS)
        raise click.UsageError(f"write who as {kinds} or id: followed by the value")
    found = api.find_profile(kind=_KINDS[kind], value=value)
    if found is None:
        raise NotFound(f"nobody has the {kind} {value!r}")
    return found


def load_whole(profile: Profile, *, limit: int) -> WholeProfile:
    """Gather everything known about one profile, with its ``limit`` latest events."""
    check_shown(profile)
    from amity.analysis import api as analysis
    from amity.store import api as store

    profile_id = profile.profile_id
    return WholeProfile(
        profile=profile_document(profile),
        identifiers=store.list_identifiers(profile_id=profile_id),
        merges=store.list_merges(profile_id=profile_id, limit=200).items,
        segments=analysis.list_memberships(profile_id=profile_id),
        scores=analysis.list_scores(profile_id=profile_id),
        timeline=store.list_activity(profile_id=profile_id, limit=limit).items,
    )


def read_moment(text: str) -> datetime:
    """Return the moment that was typed; a day stands for its end, in UTC."""
    try:
        if len(text) == len("2026-01-31"):
            begin = datetime.combine(date.fromisoformat(text), time(), UTC)
            return begin + timedelta(days=1) - timedelta(microseconds=1)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise click.UsageError("write --as-of as 2026-01-31 or 2026-01-31T12:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def check_shown(profile: Profile) -> None:
    """Raise Denied for a customer whose data may only be kept."""
    if profile.is_restricted:
        words = "the processing of this customer's data is restricted: it is only kept"
        raise Denied(words, code="restricted")


def load_past(profile: Profile, at: datetime, *, limit: int) -> WholeProfile:
    """Gather what was known about one profile at a moment; scores are those of now, so none."""
    check_shown(profile)
    from amity.analysis import api as analysis
    from amity.store import api as store

    past = store.get_profile_as_of(profile_id=profile.profile_id, at=at)
    stays = [
        stay
        for profile_id in past.joined
        for stay in analysis.list_memberships(profile_id=profile_id)
        if stay.entered_at <= at and (stay.left_at is None or stay.left_at > at)
    ]
    merges = store.list_merges(profile_id=profile.profile_id, limit=200).items
    known = {one.event_id for one in past.activity}
    return WholeProfile(
        profile=profile_document(past.profile),
        identifiers=past.identifiers,
        merges=[merge for merge in merges if merge.event_id in known],
        segments=stays,
        scores=[],
        timeline=past.activity[:limit],
    )
