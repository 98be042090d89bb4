"""Changing a metric, and what follows it: where it is used, which segments ask for it."""

from collections.abc import Set
from datetime import datetime

import msgspec

from amity.analysis.contracts import Segment
from amity.analysis.contracts_facts import Target
from amity.analysis.contracts_metrics import Metric, MetricDefinition, MetricUses
from amity.analysis.logic import segments
from amity.analysis.logic.measuring import catalogue
from amity.analysis.logic.measuring.computing import users_of
from amity.analysis.logic.measuring.conditions import fill_with
from amity.analysis.report import load_reports
from amity.infra.database import Connection, transaction
from amity.infra.queries import load
from amity.kernel.errors import Conflict, Invalid
from amity.rules import decode_rule, encode_rule, mentions

_SQL = load("amity.analysis")


def save_metric(
    *, name: str, definition: MetricDefinition, by: str, now: datetime, is_retired: bool = False
) -> Metric:
    """Keep a new version, and give the segments that ask for the metric its new meaning.

    Raises Invalid when it cannot be computed, and Conflict while others are made of what is to be
    retired, or a segment asks for what could not be said of one customer any more.
    """
    with transaction() as connection:
        segments.lock_definitions(connection)
        made = catalogue.keep_version(
            connection, name=name, definition=definition, is_retired=is_retired, by=by, now=now
        )
        known = catalogue.definitions(connection)
        for segment in list_asking(connection, {name, *users_of(name, known)}):
            try:
                rule = encode_rule(decode_rule(fill_with(segment.rule, known)))
            except Invalid as error:
                raise Conflict(
                    f"the segment “{segment.name}” asks for it, and {error.message}", code="in_use"
                ) from error
            segments.rewrite_rule(connection, segment=segment, rule=rule, by=by, now=now)
    return made


def list_asking(connection: Connection, names: Set[str]) -> list[Segment]:
    """Return the segments whose rule names any of some metrics, archived ones left out."""
    return [
        segment
        for segment in segments.Definitions(connection).list_all()
        if _metrics_of(segment) & names
    ]


def _metrics_of(segment: Segment) -> frozenset[str]:
    try:
        return mentions(decode_rule(segment.rule)).metrics
    except Invalid:
        return frozenset()


def find_uses(name: str) -> MetricUses:
    """Return where a metric is used."""
    with transaction("readonly") as connection:
        made = users_of(name, catalogue.definitions(connection))
        names = {name, *made}
        views = connection.execute(_SQL["views_list"]).fetchall()
        facts = connection.execute(_SQL["facts_list"], {"kind": "target"}).fetchall()
        asking = list_asking(connection, names)
    reports = [kind for kind in load_reports() if kind.uses_metrics(names)]
    targets = [msgspec.convert(row[2], Target) for row in facts]
    used = {kind.name for kind in reports}
    return MetricUses(
        metrics=tuple(made),
        reports=tuple(kind.title for kind in reports),
        views=tuple(row[1] for row in views if row[2] in used),
        targets=tuple(
            f"{target.figure}: {target.value:g}" for target in targets if target.figure in names
        ),
        segments=tuple(segment.name for segment in asking),
    )
