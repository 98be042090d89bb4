"""Who belongs together without being one: what profiles say, and what staff said of it."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict
from amity.store.contracts_identity import Link, LinkKind
from amity.store.logic.profiles.reading import find_root

_SQL: Final = queries.load("amity.store")
_MOST: Final = 500
_ROUNDS: Final = 10


class _Said(msgspec.Struct, frozen=True):
    """What somebody decided about a pair, by the customers the two are now."""

    candidate_id: int
    state: str
    pair: frozenset[int]
    probability: float | None


class _Group(msgspec.Struct):
    label: str
    members: set[int]
    evidence: dict[str, Any]
    probability: float


def list_links(*, profile_id: int) -> list[Link]:
    """Return the households and companies of a customer, with everybody in them."""
    with transaction() as connection:
        root = find_root(connection, profile_id)
        return [
            Link(
                kind=kind,
                label=group.label or _call(connection, kind, group.members),
                profile_ids=sorted(group.members),
                evidence=group.evidence,
                probability=group.probability,
            )
            for kind in ("household", "company")
            for group in _groups(connection, kind, root)
        ]


def reject_link(*, profile_id: int, kind: LinkKind, by: str, now: datetime) -> None:
    """Say that a customer belongs to none of those of their household, or company.

    Raises Conflict when there is nobody.
    """
    with transaction() as connection:
        root = find_root(connection, profile_id)
        others = {each for group in _groups(connection, kind, root) for each in group.members}
        if not others - {root}:
            raise Conflict(f"there is nobody of the same {kind}", code="no_link")
        about = {"id": root, "others": sorted(others), "kind": kind, "by": by, "now": now}
        connection.execute(_SQL["reject_links"], about)


def restore_link(*, profile_id: int, kind: LinkKind, by: str, now: datetime) -> None:
    """Take back what was said by `reject_link`; raise Conflict when nothing was."""
    with transaction() as connection:
        root = find_root(connection, profile_id)
        ids = [
            said.candidate_id
            for said in _said(connection, kind, [root])
            if said.state == "rejected"
        ]
        if not ids:
            raise Conflict(f"nobody is kept out of the same {kind}", code="no_link")
        about = {"ids": ids, "by": by, "now": now}
        connection.execute(_SQL["restore_links"], about)
        connection.execute(_SQL["forget_told_links"], about)


def list_rejected_links(*, profile_id: int) -> dict[LinkKind, list[int]]:
    """Return who was said not to belong with a customer, by kind of link."""
    found: dict[LinkKind, list[int]] = {}
    with transaction() as connection:
        root = find_root(connection, profile_id)
        for kind in ("household", "company"):
            out = {
                each
                for said in _said(connection, kind, [root])
                if said.state == "rejected"
                for each in said.pair
            }
            if out - {root}:
                found[kind] = sorted(out - {root})
    return found


def _groups(connection: Connection, kind: LinkKind, root: int) -> list[_Group]:
    """Return the groups a customer is in: those of shared facts, grown by accepted pairs."""
    groups = _of_facts(connection, kind, [root]) or [_Group("", {root}, {"shared": []}, 0.0)]
    found = []
    for group in groups:
        _grow(connection, kind, group)
        pairs = [
            said.pair for said in _said(connection, kind, group.members) if said.state == "rejected"
        ]
        group.members = keep_apart(group.members, pairs)
        if root in group.members and len(group.members) > 1:
            found.append(group)
    return found


def _of_facts(connection: Connection, kind: LinkKind, ids: Iterable[int]) -> list[_Group]:
    rows = connection.execute(_SQL["list_groups"], [sorted(ids)]).fetchall()
    return [
        _Group(label, set(members), evidence, probability)
        for kind_, _, label, evidence, probability, members in rows
        if kind_ == kind
    ]


def _grow(connection: Connection, kind: LinkKind, group: _Group) -> None:
    """Take in whom somebody said to belong here, with those who share their facts."""
    for _ in range(_ROUNDS):
        near: set[int] = set()
        for said in _said(connection, kind, group.members):
            if said.state == "accepted" and said.pair - group.members:
                near |= said.pair - group.members
                group.evidence = {"shared": [*group.evidence["shared"], "review"]}
                group.probability = max(group.probability, said.probability or 0.0)
        if not near or len(group.members) > _MOST:
            return
        for other in _of_facts(connection, kind, near):
            near |= other.members
            group.label = group.label or other.label
        group.members |= near


def _said(connection: Connection, kind: LinkKind, ids: Iterable[int]) -> list[_Said]:
    about = {"ids": sorted(ids)}
    rows = connection.execute(_SQL["list_link_decisions"], about).fetchall()
    rows = [row for row in rows if row[1] == kind]
    named = sorted({each for row in rows for each in row[3:5]})
    roots: dict[int, int] = {}
    if named:
        roots = {row[0]: row[1] for row in connection.execute(_SQL["find_roots"], [named])}
    now_are: Callable[[int], int] = lambda each: roots.get(each, each)  # noqa: E731
    found = [_Said(row[0], row[2], frozenset(map(now_are, row[3:5])), row[5]) for row in rows]
    return [said for said in found if len(said.pair) > 1]


def keep_apart(members: set[int], rejected: Iterable[frozenset[int]]) -> set[int]:
    """Return who is left when of each rejected pair one goes: whoever is in most of them, of
    equals the later customer."""
    left, pairs = set(members), {pair for pair in rejected if pair <= members}
    while pairs:
        counts = Counter(each for pair in pairs for each in pair)
        gone = max(counts, key=lambda each: (counts[each], each))
        left.discard(gone)
        pairs = {pair for pair in pairs if gone not in pair}
    return left


def _call(connection: Connection, kind: LinkKind, members: set[int]) -> str:
    """Return what to call a group that shares no fact: after its first member."""
    row = connection.execute(_SQL["name_of"], [min(members)]).fetchone()
    name, email = row if row else (None, None)
    if kind == "company":
        return email.rpartition("@")[2] if email else "one company"
    return name.split()[-1] if name else "one home"
