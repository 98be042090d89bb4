"""Loading facts of many people at once, in a handful of statements whatever their number."""

from datetime import datetime, timedelta
from typing import Final

from amity.infra import queries
from amity.infra.database import Connection
from amity.personalization.logic.facts import RECENT_PRODUCTS, Facts, Needs, restrict
from amity.rules import Group, Rating
from amity.store import api as store
from amity.store import api_identity
from amity.store.contracts import Profile

_SQL: Final = queries.load("amity.personalization")

Histories = dict[int, dict[str, list[tuple[datetime, dict[str, object]]]]]


def find_roots(connection: Connection, profile_ids: list[int]) -> dict[int, int]:
    """Return, by profile, the one that lives on; those that do not exist are left out."""
    return dict(connection.execute(_SQL["find_roots"], [profile_ids]).fetchall())


def load_facts(
    connection: Connection, *, profile_ids: list[int], needs: Needs, now: datetime
) -> dict[int, Facts]:
    """Return the facts of these people, by id; those gone or merged into others are left out."""
    profiles = [
        profile
        for profile in store.load_profiles(connection=connection, profile_ids=profile_ids)
        if profile.merged_into is None
    ]
    ids = [profile.profile_id for profile in profiles]
    loader = _Loader(connection, ids, needs, now)
    return {profile.profile_id: loader.make(profile) for profile in profiles}


class _Loader:
    """What was read of some people, by profile."""

    def __init__(self, connection: Connection, ids: list[int], needs: Needs, now: datetime) -> None:
        self._connection = connection
        self._ids = ids
        self._needs = needs
        self._now = now
        self._policies = store.list_policies(connection=connection)
        self._memberships = self._load_memberships()
        self._histories = self._load_histories(now)
        self._ratings = self._load_ratings()
        self._together = self._load_together()
        self._impressions = self._load_impressions(now)
        self._bought = self._load_products("facts_bought")
        self._viewed = self._load_products("facts_viewed")

    def make(self, profile: Profile) -> Facts:
        """Return one person's facts."""
        profile_id = profile.profile_id
        subject = store.make_subject(
            profile,
            segments=self._memberships.get(profile_id, frozenset()),
            history=self._histories.get(profile_id, {}),
            policies=self._policies,
            scores=self._ratings.get(profile_id, {}),
            together=self._together.get(profile_id, {}),
        )
        consents = store.judge_consents(
            consents=profile.consents,
            purposes=self._needs.purposes,
            policies=self._policies,
            now=self._now,
        )
        return Facts(
            profile_id=profile_id,
            subject=restrict(subject, self._needs),
            consents=consents,
            until=store.list_ends(
                consents=profile.consents, purposes=self._needs.purposes, policies=self._policies
            ),
            impressions=self._impressions.get(profile_id, {}),
            bought=self._bought.get(profile_id, []),
            viewed=self._viewed.get(profile_id, []),
        )

    def _load_memberships(self, ids: list[int] | None = None) -> dict[int, set[int]]:
        found: dict[int, set[int]] = {}
        if self._needs.segments:
            wanted = [self._ids if ids is None else ids, sorted(self._needs.segments)]
            for profile_id, segment_id in self._connection.execute(
                _SQL["facts_memberships"], wanted
            ):
                found.setdefault(profile_id, set()).add(segment_id)
        return found

    def _load_ratings(self) -> dict[int, dict[str, Rating]]:
        found: dict[int, dict[str, Rating]] = {}
        if self._needs.scores:
            wanted = [self._ids, sorted(self._needs.scores)]
            for profile_id, name, *faces in self._connection.execute(_SQL["facts_scores"], wanted):
                found.setdefault(profile_id, {})[name] = Rating(*faces)
        return found

    def _load_together(self) -> dict[int, dict[str, Group]]:
        kinds = {kind for kind, _ in self._needs.together}
        if not kinds:
            return {}
        linked = api_identity.load_linked(
            connection=self._connection, profile_ids=self._ids, kinds=kinds
        )
        others = {
            each
            for kinds_ in linked.values()
            for groups in kinds_.values()
            for group in groups
            for each in group
        }
        memberships = self._load_memberships(sorted(others))
        return {
            profile_id: {kind: Group.of(groups, memberships) for kind, groups in found.items()}
            for profile_id, found in linked.items()
        }

    def _load_histories(self, now: datetime) -> Histories:
        if not self._needs.looks:
            return {}
        wishes = store.make_wishes(self._needs.looks, now)
        return store.load_histories(
            connection=self._connection, profile_ids=self._ids, wishes=wishes
        )

    def _load_impressions(self, now: datetime) -> dict[int, dict[str, list[datetime]]]:
        found: dict[int, dict[str, list[datetime]]] = {}
        if not self._needs.capped:
            return found
        wanted = {
            "ids": self._ids,
            "since": now - timedelta(days=self._needs.cap_days),
            "keys": sorted(self._needs.capped),
        }
        for profile_id, item, at in self._connection.execute(_SQL["facts_impressions"], wanted):
            found.setdefault(profile_id, {}).setdefault(item, []).append(at)
        return found

    def _load_products(self, query: str) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        if self._needs.has_products:
            wanted = {"ids": self._ids, "limit": RECENT_PRODUCTS}
            for profile_id, product_id in self._connection.execute(_SQL[query], wanted):
                kept = found.setdefault(profile_id, [])
                if len(kept) < RECENT_PRODUCTS and product_id not in kept:
                    kept.append(product_id)
        return found
