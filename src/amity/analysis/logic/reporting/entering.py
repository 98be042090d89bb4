"""What a company enters for its reports: costs, targets, policies; checked, listed, taken back."""

import math
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from amity.analysis.contracts_facts import KINDS, ChannelCost, CompanyFact, FactKind, Target
from amity.analysis.logic import naming
from amity.analysis.logic.measuring import catalogue
from amity.analysis.report import load_reports
from amity.infra.database import transaction
from amity.infra.queries import load
from amity.kernel.errors import Invalid, NotFound
from amity.store import api as store

_SQL: Final = load("amity.analysis")
_NEEDS: Final[dict[str, FactKind]] = {
    "channel_costs": "channel_cost",
    "unit_costs": "unit_cost",
    "targets": "target",
    "policies": "policy",
}


def enter_fact(*, kind: FactKind, fact: dict[str, Any], by: str, now: datetime) -> CompanyFact:
    """Add a fact; raise Invalid when it cannot be read."""
    if kind not in KINDS:
        raise Invalid(f"there are no facts of the kind {kind!r}", code="bad_kind")
    try:
        read = msgspec.convert(fact, KINDS[kind], strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"the fact cannot be read: {error}", code="bad_fact") from None
    if isinstance(read, Target):
        _check_target(read)
    if isinstance(read, ChannelCost) and read.until_on < read.from_on:
        raise Invalid("a cost ends before it begins", code="bad_window")
    given = {"kind": kind, "fact": Jsonb(msgspec.to_builtins(read)), "by": by, "now": now}
    with transaction() as connection:
        row = connection.execute(_SQL["fact_insert"], given).fetchone()
    assert row is not None
    return CompanyFact(fact_id=row[0], kind=kind, fact=read, entered_by=by, entered_at=now)


def _check_target(target: Target) -> None:
    """Raise Invalid unless the report compares the figure with targets, in the right unit."""
    reports = load_reports()
    aims = reports[target.report].aims if target.report in reports else ()
    found = {aim.figure: aim for aim in aims}.get(target.figure)
    if found is None:
        raise Invalid(
            f"there is no figure {target.figure!r} of a report {target.report!r} to set a target "
            "for",
            code="bad_target",
        )
    if (found.unit == "money") != bool(target.currency):
        which = "needs a currency" if found.unit == "money" else "has no currency"
        raise Invalid(f"a target for {found.title.lower()} {which}", code="bad_target")
    if not math.isfinite(target.value):
        raise Invalid("a target is a number", code="bad_target")


def list_facts(*, kind: FactKind) -> list[CompanyFact]:
    """Return the facts of a kind, in the order they were entered."""
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["facts_list"], {"kind": kind}).fetchall()
    return [
        CompanyFact(
            fact_id=row[0],
            kind=row[1],
            fact=msgspec.convert(row[2], KINDS[kind]),
            entered_by=row[3],
            entered_at=row[4],
        )
        for row in rows
    ]


def delete_fact(*, fact_id: int) -> None:
    """Take a fact back; raise NotFound when there is none."""
    with transaction() as connection:
        if not connection.execute(_SQL["fact_delete"], {"fact_id": fact_id}).rowcount:
            raise NotFound("there is no such entry")


def read_facts(needs: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """Return what has been entered of the things a report needs, and names; days as dates."""
    found: dict[str, list[dict[str, Any]]] = {
        name: [msgspec.structs.asdict(one.fact) for one in list_facts(kind=_NEEDS[name])]
        for name in sorted(needs)
        if name in _NEEDS
    }
    if "metrics" in needs:
        held = catalogue.definitions()
        found["metrics"] = [{"name": name, "definition": one} for name, one in held.items()]
    if "campaigns" in needs:
        campaigns = naming.list_names("campaign")
        found["campaigns"] = [{"campaign_id": key, "name": name} for key, name in campaigns.items()]
    if "sources" in needs:
        found["sources"] = [
            {"source_id": one.source_id, "name": one.name} for one in store.list_sources()
        ]
    return found
