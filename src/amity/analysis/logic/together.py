"""What rules see of the others in somebody's household or company."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from amity.infra import queries
from amity.infra.database import Connection
from amity.rules import Group
from amity.store import api_identity

_SQL = queries.load("amity.analysis")

LINKS: Final = "links"
"""The kind of recheck that has all rules about households and companies asked anew."""
KINDS: Final = ("household", "company")
Asked = Collection[tuple[str, int | None]]
"""What rules mention: a kind, with or without the segment they ask of the others."""


def load_together(
    connection: Connection, *, profile_ids: list[int], asked: Asked
) -> Mapping[int, Mapping[str, Group]]:
    """Return the households and companies of profiles, as far as rules ask for them."""
    kinds = {kind for kind, _ in asked}
    if not kinds:
        return {}
    linked = api_identity.load_linked(connection=connection, profile_ids=profile_ids, kinds=kinds)
    segments = {segment_id for _, segment_id in asked if segment_id is not None}
    others = {
        other
        for kinds_ in linked.values()
        for groups in kinds_.values()
        for group in groups
        for other in group
    }
    memberships = _load_memberships(connection, others, segments)
    return {
        profile_id: {kind: Group.of(groups, memberships) for kind, groups in found.items()}
        for profile_id, found in linked.items()
    }


def _load_memberships(
    connection: Connection, profile_ids: Iterable[int], segment_ids: Collection[int]
) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    if segment_ids:
        wanted = [sorted(profile_ids), sorted(segment_ids)]
        for profile_id, segment_id in connection.execute(_SQL["together_memberships"], wanted):
            found.setdefault(profile_id, set()).add(segment_id)
    return found


def note_links(connection: Connection) -> None:
    """Have the follower ask all rules about households and companies again."""
    connection.execute(_SQL["note_links"])
