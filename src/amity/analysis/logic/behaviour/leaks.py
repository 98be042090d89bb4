"""Where the lifecycle leaks: how many, against what target, whose it is, and what to do next."""

from collections.abc import Mapping
from typing import Any, Final

from amity.analysis.contracts_reports import Cell, ReportTable
from amity.analysis.logic.behaviour.lifecycle import Stage
from amity.analysis.logic.reporting.tables import cells, columns
from amity.analysis.report import Asked

LIFECYCLE: Final = "lifecycle"
"""The report, as targets name it."""
LEAKS: Final = {
    "engage": "engaged and did not order",
    "transact": "ordered and nothing says that the order was fulfilled",
    "service": "asked for service and nothing says that they were served",
}
_STEPS: Final = {
    "engage": (
        "Marketing",
        "Follow these customers as a segment and ask or remind them once; the funnel says at which "
        "step they stop, mend that first.",
    ),
    "transact": (
        "Fulfilment",
        "Send or refund these orders, the oldest first, and tell the customers; where they were "
        "sent, have the event sent that says so.",
    ),
    "service": (
        "Customer care",
        "Answer these requests, the oldest first, and close them; where they were answered, have "
        "the event sent that says so.",
    ),
}
"""Of each leak, whose it usually is and what to do next."""


def leak_table(stages: Mapping[str, Stage], leaks: Mapping[str, int], asked: Asked) -> ReportTable:
    """Return each leak with the target set for it, whose it is, and what to do next."""
    targets = {
        fact["figure"]: fact
        for fact in asked.facts.get("targets", [])
        if fact["report"] == LIFECYCLE
    }
    return ReportTable(
        name="leaks",
        title="Who was lost or forgotten",
        columns=columns(
            ("stage", "Stage", "text"),
            ("words", "They", "text"),
            ("leaked", "Cases", "number"),
            ("customers", "Customers", "customers"),
            ("leaking", "Leaking", "share", "low", "high"),
            ("target", "At most", "share"),
            ("verdict", "Target", "text"),
            ("owner", "Whose it is", "text"),
            ("next", "What to do next", "text"),
        ),
        rows=tuple(
            (
                stage,
                LEAKS[stage],
                stages[stage].leaked,
                customers,
                *cells(stages[stage].leaking),
                *_target(stages[stage], stage, targets.get(f"leaking_{stage}")),
                _STEPS[stage][1] if customers else "Nothing: nobody is lost here.",
            )
            for stage, customers in leaks.items()
        ),
        key=("stage",),
    )


def _target(stage: Stage, name: str, target: Mapping[str, Any] | None) -> tuple[Cell, ...]:
    """Return the target of a leak, how it stands beside it, and whose the leak is."""
    owner = target and target["owner"].strip()
    whose = owner or f"Nobody named. Usual: {_STEPS[name][0]}"
    if target is None:
        return None, "no target", whose
    value, found = float(target["value"]), stage.leaking
    if found.value is None:
        return value, "not known", whose
    if found.value <= value:
        return value, "met", whose
    return value, "open" if (found.low or 0.0) <= value else "missed", whose
