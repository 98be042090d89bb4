"""Answers of reports, kept: what is known of a question, who waits for it, who computes it."""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from amity.analysis.contracts_reports import ReportAnswer, ReportRun, ReportState
from amity.analysis.logic.reporting.asking import Question
from amity.infra.database import Connection, transaction
from amity.infra.queries import load

LOST_AFTER: Final = timedelta(minutes=75)
"""A worker that was at a question for so long is gone; one that starts again says so at once."""
KEPT_FOR: Final = timedelta(days=60)
"""An answer nobody wanted anew for so long is deleted."""
_SQL: Final = load("amity.analysis")
CANCELLED: Final = "cancelled before there was an answer"


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A question a worker has taken."""

    report: str
    asked: str
    parameters: dict[str, str]


def find_state(question: Question) -> ReportState:
    """Return what is known of a question."""
    given = {"report": question.kind.name, "asked": question.key}
    with transaction("readonly") as connection:
        row = connection.execute(_SQL["report_find"], given).fetchone()
    if row is None:
        return ReportState(run=None)
    return ReportState(
        run=_run(question.kind.name, row),
        wanted_at=row[5],
        started_at=row[6],
        step=row[7],
        steps=row[8],
        is_cancelled=row[9],
        error=row[10],
    )


def want(question: Question, *, now: datetime, by_person: bool = True) -> None:
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


def take(connection: Connection, *, now: datetime) -> Taken | None:
    """Take the question that waits longest; None when none waits."""
    given = {"now": now, "lost": now - LOST_AFTER}
    row = connection.execute(_SQL["report_take"], given).fetchone()
    return Taken(report=row[0], asked=row[1], parameters=row[2]) if row else None


def release(*, now: datetime) -> None:
    """Let questions wait again that were taken before now."""
    with transaction() as connection:
        connection.execute(_SQL["report_release"], {"now": now})


def note_step(question: Question, *, step: int, steps: int) -> bool:
    """Say how far a computation is; return whether it was cancelled."""
    given = {"report": question.kind.name, "asked": question.key, "step": step, "steps": steps}
    with transaction() as connection:
        row = connection.execute(_SQL["report_step"], given).fetchone()
    return bool(row and row[0])


def is_cancelled(question: Question) -> bool:
    """Say whether somebody cancelled a computation that is under way."""
    given = {"report": question.kind.name, "asked": question.key}
    with transaction("readonly") as connection:
        row = connection.execute(_SQL["report_is_cancelled"], given).fetchone()
    return bool(row and row[0])


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


def give_up(report: str, asked: str, *, error: str) -> None:
    """Let nobody wait any more, and say why; an earlier answer stays."""
    with transaction() as connection:
        connection.execute(
            _SQL["report_give_up"], {"report": report, "asked": asked, "error": error}
        )


def cancel(question: Question) -> None:
    """Have a computation stop, or not begin."""
    given = {"report": question.kind.name, "asked": question.key, "error": CANCELLED}
    with transaction() as connection:
        connection.execute(_SQL["report_cancel"], given)


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
