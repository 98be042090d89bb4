"""Reading why customers are who they are: evidence, the path between two, places, links."""

import heapq
from typing import Any, Final

from amity.infra import queries
from amity.infra.database import transaction
from amity.store.contracts_identity import EvidenceEdge, IdentityPath, Place
from amity.store.logic.identity.rules import CONTACTS, Key
from amity.store.logic.profiles.reading import find_root

_SQL: Final = queries.load("amity.store")
_WEIGHTS: Final = {"manual": 1.0, "confirmed": 1.0, "linkage": 0.95}
_PROVEN: Final = 0.99
_LOGIN: Final = 0.9
_STATED: Final = 0.5
_CUT: Final = 0.01


def list_evidence(*, profile_id: int) -> list[EvidenceEdge]:
    """Return what was seen together of a customer, and with others' identifiers, oldest first."""
    with transaction() as connection:
        find_root(connection, profile_id)
        rows = connection.execute(_SQL["find_component"], {"profile_id": profile_id}).fetchall()
        ids = [row[0] for row in rows]
        found = connection.execute(_SQL["list_evidence"], {"ids": ids}).fetchall()
    return [_edge(row) for row in found]


def explain_identity(*, profile_a: int, profile_b: int) -> IdentityPath:
    """Return what connects two profiles, joined or not: the strongest way along the evidence."""
    edges = {
        (edge.hub_kind, edge.hub_value, edge.kind, edge.value): edge
        for profile_id in (profile_a, profile_b)
        for edge in list_evidence(profile_id=profile_id)
    }
    with transaction() as connection:
        one, two = find_root(connection, profile_a), find_root(connection, profile_b)
        starts, goals = (
            {Key(*row) for row in connection.execute(_SQL["list_telling_of"], [origin]).fetchall()}
            for origin in (profile_a, profile_b)
        )
    steps = _strongest(list(edges.values()), starts - goals, goals - starts)
    return IdentityPath(one_id=profile_a, other_id=profile_b, is_joined=one == two, steps=steps)


def list_places(*, profile_id: int) -> list[Place]:
    """Return the shared devices this customer was seen on."""
    with transaction() as connection:
        rows = connection.execute(_SQL["find_component"], {"profile_id": profile_id}).fetchall()
        found = connection.execute(_SQL["list_places"], {"ids": [row[0] for row in rows]})
        return [Place(kind=row[0], value=row[1], logins=row[2], since=row[3]) for row in found]


def _edge(row: tuple[Any, ...]) -> EvidenceEdge:
    names = EvidenceEdge.__struct_fields__[:-1]
    told = dict(zip(names, row, strict=True))
    return EvidenceEdge(**told, weight=weight_of(told))


def weight_of(told: dict[str, Any]) -> float:
    """Return how much an edge says."""
    if told["cut"]:
        return _CUT
    if told["way"] in _WEIGHTS:
        return _WEIGHTS[told["way"]]
    if told["is_proof"]:
        return _PROVEN
    return _STATED if told["kind"] in CONTACTS else _LOGIN


def _strongest(edges: list[EvidenceEdge], starts: set[Key], goals: set[Key]) -> list[EvidenceEdge]:
    """Return the way whose weights multiply to the most (Dijkstra); of equals the shortest."""
    near: dict[Key, list[tuple[Key, EvidenceEdge]]] = {}
    for edge in edges:
        one, other = Key(edge.hub_kind, edge.hub_value), Key(edge.kind, edge.value)
        near.setdefault(one, []).append((other, edge))
        near.setdefault(other, []).append((one, edge))
    heap: list[tuple[float, int, Key, tuple[EvidenceEdge, ...]]] = [
        (-1.0, 0, key, ()) for key in sorted(starts)
    ]
    heapq.heapify(heap)
    done: set[Key] = set()
    number = 0
    while heap:
        strength, _, key, path = heapq.heappop(heap)
        if key in goals:
            return list(path)
        if key in done:
            continue
        done.add(key)
        for other, edge in near.get(key, []):
            if other not in done:
                number += 1
                heapq.heappush(heap, (strength * edge.weight, number, other, (*path, edge)))
    return []
