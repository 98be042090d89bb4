"""Answers of reports, kept: what is known of a question, and how far its next answer is."""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from amity.analysis.contracts_reports import ReportAnswer, ReportRun, ReportState
from amity.analysis.logic.reporting.asking import Question
from amity.analysis.logic.working import queue
from amity.infra.database import transaction
from amity.infra.queries import load

KEPT_FOR: Final = timedelta(days=60)
"""An answer nobody wanted anew for so long is deleted."""
_SQL: Final = load("amity.analysis")


def work_of(question: Question) -> dict[str, Any]:
    """Return a question as the parameters of the work of answering it."""
    return {"report": question.kind.name, "given": question.parameters}


def title_of(question: Question) -> str:
    """Return what the work of answering a question is called."""
    return f"The report {question.kind.title}"


def find_state(question: Question) -> ReportState:
    """Return what is known of a question."""
    given = {"report": question.kind.name, "asked": question.key}
    with transaction("readonly") as connection:
        row = connection.execute(_SQL["report_find"], given).fetchone()
    work = queue.find("report", work_of(question))
    run = None if row is None else _run(question.kind.name, row)
    return ReportState(run=run, **msgspec.structs.asdict(work))


def want(question: Question, *, by: str = "", now: datetime, by_person: bool = True) -> None:
    """Have a question answered by the worker; for a person, or to be ready when one comes."""
    with transaction() as connection:
        connection.execute(
            _SQL["report_want"],
            {
                "report": question.kind.name,
                "asked": question.key,
                "parameters": Jsonb(question.parameters),
                "now": now,
                "by_person": by_person,
            },
        )
    wanted = queue.Wanted(kind="report", parameters=work_of(question), title=title_of(question))
    queue.want(wanted, by=by, now=now, by_person=by_person)


def keep(question: Question, run: ReportRun, *, now: datetime) -> None:
    """Keep an answer in the place of the one before."""
    with transaction() as connection:
        connection.execute(
            _SQL["report_keep"],
            {
                "report": run.report,
                "asked": question.key,
                "parameters": Jsonb(question.parameters),
                "answer": msgspec.json.encode(run.answer).decode(),
                "currency": run.currency,
                "as_of": run.as_of,
                "took_ms": round(run.took_seconds * 1000),
                "now": now,
            },
        )


def list_lately(*, since: datetime) -> list[tuple[str, dict[str, str]]]:
    """Return the questions somebody wanted answered since then and that were."""
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["report_lately"], {"since": since}).fetchall()
    return [(report, parameters) for report, parameters in rows]


def sweep(*, now: datetime) -> int:
    """Delete answers nobody wanted anew for long; return how many."""
    with transaction() as connection:
        return connection.execute(_SQL["report_sweep"], {"before": now - KEPT_FOR}).rowcount


def list_ages() -> dict[str, tuple[datetime | None, str, bool]]:
    """Return of each report's usual question its age, its sentence, and whether it is wanted."""
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["report_ages"]).fetchall()
    return {row[0]: (row[1], row[3] or "", row[4]) for row in rows}


def _run(report: str, row: tuple[Any, ...]) -> ReportRun | None:
    parameters, answer, currency, as_of, took_ms = row[:5]
    if answer is None:
        return None
    return ReportRun(
        report=report,
        parameters=parameters,
        currency=currency,
        as_of=as_of,
        took_seconds=took_ms / 1000,
        answer=msgspec.convert(answer, ReportAnswer),
    )
