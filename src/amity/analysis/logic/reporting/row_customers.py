"""The customers behind a row of a report: looked up in the warehouse, kept for two days.

The row is that of the answer that is kept; who is behind it is as the warehouse has them when they
are looked up, which the list says.
"""

from datetime import datetime
from typing import Any, Final

from amity.analysis.contracts_reports import ReportRow
from amity.analysis.contracts_work import RowCustomers, RowState
from amity.analysis.logic.reporting import answering, keeping, running
from amity.analysis.logic.reporting.asking import Question, read_question
from amity.analysis.logic.working import queue
from amity.analysis.logic.working.doing import Doing, Task
from amity.infra.database import transaction
from amity.infra.queries import load
from amity.kernel.errors import Conflict, Invalid

_SQL: Final = load("amity.analysis")
_STEPS: Final = 2


def open_row(*, row: ReportRow, now: datetime) -> RowState:
    """Return what is known of a row's customers, changing nothing; see the door."""
    parameters = _work_of(_read(row, now), row)
    found = _find(parameters)
    is_stale = found is not None and now - found.computed_at > running.FRESH_FOR
    work = queue.find("row_customers", parameters)
    return RowState(found=found, work=work, is_stale=is_stale)


def make_task(row: ReportRow, *, now: datetime) -> Task[RowCustomers]:
    """Return the work of finding a row's customers.

    Raises NotFound for a row the last answer does not have, Conflict while there is no answer.
    """
    question = _read(row, now)
    run = keeping.find_state(question).run
    if run is None:
        raise Conflict("the report has no answer yet", code="not_computed")
    found, number = running.find_row(run, table=row.table, key=row.key)
    parameters = _work_of(question, row)

    def act(doing: Doing) -> RowCustomers:
        doing.tell(0, _STEPS, "looking them up in the warehouse")
        with running.read_warehouse(doing) as reading:
            ids = answering.drill(
                question.kind(),
                reading.tables,
                running.complete(question),
                reading.run,
                table=row.table,
                row=found.row(number),
            )
        if ids is None:
            raise Invalid("the customers of this row cannot be listed", code="no_drill")
        doing.tell(1, _STEPS, "writing the list")
        return _keep(parameters, ids, now)

    return Task(
        kind="row_customers",
        parameters=parameters,
        title=f"The customers behind “{row.key.replace('~', ', ')}” of {question.kind.title}",
        act=act,
        find=lambda: _find(parameters),
    )


def list_customers(found: RowCustomers, *, offset: int = 0, limit: int | None = None) -> list[int]:
    """Return customers of a list by id, from one place on."""
    values = {"id": found.list_id, "offset": offset, "limit": limit}
    with transaction("readonly") as connection:
        return [row[0] for row in connection.execute(_SQL["row_list_customers"], values)]


def _read(row: ReportRow, now: datetime) -> Question:
    return running.check(read_question(row.name, row.given, now=now))


def _work_of(question: Question, row: ReportRow) -> dict[str, Any]:
    return keeping.work_of(question) | {"table": row.table, "row": row.key}


def _find(parameters: dict[str, Any]) -> RowCustomers | None:
    values = {"asked": queue.spell(parameters)}
    with transaction("readonly") as connection:
        row = connection.execute(_SQL["row_list_find"], values).fetchone()
    if row is None:
        return None
    return RowCustomers(list_id=row[0], customers=row[1], computed_at=row[2])


def _keep(parameters: dict[str, Any], ids: list[int], now: datetime) -> RowCustomers:
    values = {"asked": queue.spell(parameters), "customers": len(ids), "now": now}
    with transaction() as connection:
        row = connection.execute(_SQL["row_list_keep"], values).fetchone()
        assert row is not None
        connection.execute(_SQL["row_list_empty"], {"id": row[0]})
        connection.execute(_SQL["row_list_fill"], {"id": row[0], "profile_ids": ids})
    return RowCustomers(list_id=row[0], customers=len(ids), computed_at=now)
