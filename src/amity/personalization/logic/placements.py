"""Placements as people define them, and what each offer brought there."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, cast

import msgspec
import psycopg

from amity.analysis import api_metrics as metrics
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.personalization.contracts import (
    ArmReport,
    Placement,
    PlacementChanges,
    PlacementKind,
    PluginWords,
)
from amity.personalization.logic.offers_values import check_key, check_placement, clean_texts
from amity.personalization.policy import Arm, load_policies

_SQL: Final = queries.load("amity.personalization")
_DEFAULTS: Final[PlacementChanges] = {
    "description": "",
    "slots": 1,
    "goal": "click",
    "goal_metric": "",
    "is_enabled": True,
}
_FIRST_POLICY: Final[Mapping[str, str]] = {"offers": "thompson", "products": "also_bought"}
_CREDIBLE: Final = (0.025, 0.975)


def list_policies() -> list[PluginWords]:
    """Return every policy there is, in words; by title."""
    found = [
        PluginWords(name=kind.name, title=kind.title, words=kind.words) for kind in load_policies()
    ]
    return sorted(found, key=lambda policy: policy.title)


def create_placement(
    *, key: str, kind: PlacementKind, by: str, now: datetime, changes: PlacementChanges
) -> Placement:
    """Add a placement; see `api.create_placement`."""
    given = {"name": key, "policy": _FIRST_POLICY.get(kind, ""), **_DEFAULTS, **changes}
    values = clean_texts(check_known(given, Placement) | {"kind": kind, "key": check_key(key)})
    check_placement(values)
    values["goal_version"] = _version_of(values["goal_metric"])
    try:
        with transaction() as connection:
            row = connection.execute(
                _SQL["insert_placement"], values | {"by": by, "now": now}
            ).fetchone()
            assert row is not None
            return read_placement(connection, row[0])
    except psycopg.errors.UniqueViolation as error:
        raise Conflict(f"there is a placement “{key}” already", code="key_taken") from error


def update_placement(
    *, placement_id: int, by: str, now: datetime, changes: PlacementChanges
) -> Placement:
    """Change what is given; see `api.update_placement`."""
    with transaction() as connection:
        connection.execute(_SQL["lock_placement"], [placement_id])
        held = read_placement(connection, placement_id)
        before = msgspec.structs.asdict(held)
        values = clean_texts(before | check_known(dict(changes), Placement))
        check_placement(values)
        is_same = (values["goal"], values["goal_metric"]) == (held.goal, held.goal_metric)
        if not is_same and _has_learnt(connection, placement_id):
            raise Conflict(
                "what was learnt here is about another goal; make a new placement for this one",
                code="goal_is_learnt",
            )
        if not is_same:
            values["goal_version"] = _version_of(values["goal_metric"])
        connection.execute(
            _SQL["update_placement"], values | {"id": placement_id, "by": by, "now": now}
        )
        return read_placement(connection, placement_id)


def _version_of(metric: str) -> int:
    """Return the version of a metric that holds: what is learnt is about that one."""
    return metrics.latest_reward_version(name=metric) if metric else 0


def _has_learnt(connection: Connection, placement_id: int) -> bool:
    row = connection.execute(_SQL["placement_has_arms"], [placement_id]).fetchone()
    return row is not None and bool(row[0])


def check_known(values: Mapping[str, Any], kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the values; raise TypeError for a name that no caller can mean."""
    unknown = values.keys() - set(kind.__struct_fields__)
    if unknown:
        raise TypeError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    return dict(values)


def read_placement(connection: Connection, placement_id: int) -> Placement:
    """Return a placement; raise NotFound when there is none."""
    found = _select(connection, placement_id=placement_id) if 0 < placement_id < 2**31 else []
    if not found:
        raise NotFound(f"there is no placement {placement_id}")
    return found[0]


def get_placement(*, placement_id: int) -> Placement:
    """Return a placement; raise NotFound when there is none."""
    with transaction("readonly") as connection:
        return read_placement(connection, placement_id)


def find_placement(*, key: str) -> Placement | None:
    """Return the placement of that key, or None."""
    if "\0" in key:
        return None
    with transaction("readonly") as connection:
        found = _select(connection, key=key)
    return found[0] if found else None


def list_placements() -> list[Placement]:
    """Return all placements by name."""
    with transaction("readonly") as connection:
        return _select(connection)


def _select(
    connection: Connection, *, placement_id: int | None = None, key: str | None = None
) -> list[Placement]:
    rows = connection.execute(_SQL["select_placements"], {"id": placement_id, "key": key})
    names = Placement.__struct_fields__
    return [Placement(**dict(zip(names, row, strict=True))) for row in rows]


def report_arms(*, placement_id: int) -> list[ArmReport]:
    """Return what each offer brought in a placement; see `api.report_arms`."""
    with transaction("readonly") as connection:
        placement = read_placement(connection, placement_id)
        rows = connection.execute(_SQL["report_arms"], {"placement_id": placement_id}).fetchall()
    live = [row for row in rows if row[8]]
    shares = dict(zip((row[0] for row in live), _share(placement, live), strict=True))
    return [_report(placement_id, row, shares.get(row[0])) for row in rows]


def _share(placement: Placement, rows: list[tuple[Any, ...]]) -> list[float | None]:
    """Return how likely each offer comes first when all may be shown; None when nobody can say."""
    if not rows or placement.policy not in load_policies():
        return [None] * len(rows)
    arms = [Arm(row[0], row[6], row[7], row[1]) for row in rows]
    try:
        policy = load_policies()[placement.policy](arms)
        return list(policy.probabilities(tuple(range(len(arms)))))
    except Exception:
        # A policy that fails is counted where it decides; a report can do without it.
        return [None] * len(rows)


def _report(placement_id: int, row: tuple[Any, ...], share: float | None) -> ArmReport:
    offer_id, impressions, clicks, orders, revenue_minor, unsubscribes, alpha, beta, _ = row
    interval = _interval(alpha, beta) if impressions else (None, None)
    return ArmReport(
        placement_id=placement_id,
        offer_id=offer_id,
        impressions=impressions,
        clicks=clicks,
        orders=orders,
        revenue_minor=revenue_minor,
        unsubscribes=unsubscribes,
        rate=alpha / (alpha + beta) if impressions else None,
        low=interval[0],
        high=interval[1],
        share=share,
    )


def _interval(alpha: float, beta: float) -> tuple[float, float]:
    # Loaded here: it takes a quarter of a second, and whoever decides does without it.
    from scipy.special import betaincinv  # noqa: PLC0415

    inverse = cast(Callable[[float, float, float], float], betaincinv)
    return float(inverse(alpha, beta, _CREDIBLE[0])), float(inverse(alpha, beta, _CREDIBLE[1]))


def check_placements(connection: Connection, placement_ids: list[int]) -> list[int]:
    """Return the ids once each; raise Invalid for one that is not there or shows products."""
    wanted = sorted(set(placement_ids))
    if any(not 0 < one < 2**31 for one in wanted):
        raise Invalid("there is no such placement", code="no_placement")
    kinds: dict[int, str] = dict(connection.execute(_SQL["known_placements"], [wanted]).fetchall())
    for one in wanted:
        if one not in kinds:
            raise Invalid(f"there is no placement {one}", code="no_placement")
        if kinds[one] != "offers":
            raise Invalid(f"placement {one} shows products, not offers", code="no_placement")
    return wanted
