"""Running reports over the warehouse: at once, or by the worker for those who wait.

The answer is as of the moment the warehouse was known to be complete; it is kept, shown at once
the next time with its age, and made anew behind the page when it is old.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from amity.analysis.contracts import SegmentState
from amity.analysis.contracts_reports import (
    ReportEntry,
    ReportPage,
    ReportRun,
    ReportTable,
    ReportWords,
    RowRule,
)
from amity.analysis.logic.reporting import answering, entering, keeping
from amity.analysis.logic.reporting.asking import Question, read_question, say_choice
from amity.analysis.logic.scoring import standing
from amity.analysis.logic.segments import Definitions
from amity.analysis.logic.working.doing import Doing, Task, Tell, do_now
from amity.analysis.report import Asked, load_reports
from amity.infra import warehouse
from amity.infra.database import transaction
from amity.kernel.errors import AmityError, NotFound, Unavailable

if TYPE_CHECKING:
    from amity.infra.warehouse_reading import Reading

FRESH_FOR: Final = timedelta(hours=1)
_SECONDS: Final = 3600.0
"""The most an answer may take; people who do not want to wait so long cancel it."""
_KEPT_WARM: Final = timedelta(days=7)
_STATES: Final[Mapping[SegmentState, str]] = {
    "building": "still being filled: who is not in it yet is not counted.",
    "archived": "archived: nobody has been in it since, so only an earlier window has members.",
}
"""What is said of a segment whose members are not those of now."""


def list_reports() -> list[ReportEntry]:
    """Return all reports by title, each with what it said last when asked as usual."""
    ages = keeping.list_ages()
    entries = []
    for words in describe_reports():
        as_of, sentence, is_wanted = ages.get(words.name, (None, "", False))
        entries.append(
            ReportEntry(words=words, sentence=sentence, as_of=as_of, is_wanted=is_wanted)
        )
    return entries


def describe_reports() -> list[ReportWords]:
    """Return what each report says about itself, by title."""
    return [kind.words() for kind in sorted(load_reports(), key=lambda kind: kind.title.casefold())]


def open_report(*, name: str, given: Mapping[str, str], now: datetime) -> ReportPage:
    """Return a report as it is known, changing nothing: `refresh` has it answered anew.

    Costs a query by key. Raises NotFound and Invalid for a question that cannot be asked.
    """
    question = check(read_question(name, given, now=now))
    state = keeping.find_state(question)
    is_stale = state.run is not None and now - state.run.as_of > FRESH_FOR
    asked = question.asked
    return ReportPage(
        words=question.kind.words(),
        parameters=question.parameters,
        from_on=asked.from_on,
        until_on=asked.until_on - timedelta(days=1),
        granularity=asked.granularity,
        currency=asked.currency,
        segment_id=asked.segment_id,
        is_compared=question.is_compared,
        choices={key: say_choice(value) for key, value in asked.choices.items()},
        state=state,
        is_stale=is_stale,
    )


def refresh(*, name: str, given: Mapping[str, str], by: str = "", now: datetime) -> None:
    """Have a question answered anew by the worker, however young its answer is."""
    keeping.want(check(read_question(name, given, now=now)), by=by, now=now)


def run_report(
    *, name: str, given: Mapping[str, str], by: str = "", now: datetime, tell: Tell | None = None
) -> ReportRun:
    """Compute an answer now, keep it, and return it; or wait for whoever is at it.

    Raises NotFound and Invalid for a question that cannot be asked, Unavailable without a
    warehouse or when it takes too long, Conflict when somebody stops it.
    """
    return do_now(make_task(name, given, now=now), by=by, now=now, tell=tell)


def make_task(name: str, given: Mapping[str, str], *, now: datetime) -> Task[ReportRun]:
    """Return the work of answering a question; raise NotFound and Invalid as reading it does."""
    question = check(read_question(name, given, now=now))

    def act(doing: Doing) -> ReportRun:
        run = _compute(question, now=now, doing=doing)
        keeping.keep(question, run, now=now)
        return run

    return Task(
        kind="report",
        parameters=keeping.work_of(question),
        title=keeping.title_of(question),
        act=act,
        find=lambda: keeping.find_state(question).run,
    )


def keep_warm(*, now: datetime) -> int:
    """Have the usual question of each report, and what was looked at lately, answered anew.

    Answers nobody looked at for long are deleted. Returns how many are wanted.
    """
    keeping.sweep(now=now)
    questions: list[tuple[str, dict[str, str]]] = [(name, {}) for name in load_reports().names()]
    questions += keeping.list_lately(since=now - _KEPT_WARM)
    wanted = 0
    for name, parameters in questions:
        try:
            question = check(read_question(name, parameters, now=now))
        except AmityError:
            # The report or the segment is gone since; its answer goes when nobody asks.
            continue
        keeping.want(question, now=now, by_person=False)
        wanted += 1
    return wanted


def find_row(run: ReportRun, *, table: str, key: str) -> tuple[ReportTable, int]:
    """Return a table of an answer and the number of the row with a key; raise NotFound."""
    for one in run.answer.tables:
        if one.name == table and one.key:
            for number, row in enumerate(one.rows):
                if one.key_of(row) == key:
                    return one, number
    raise NotFound("this answer has no such row any more", code="no_row")


def row_rule(
    *, name: str, given: Mapping[str, str], table: str, key: str, now: datetime
) -> RowRule | None:
    """Return the rule of a segment of a row's customers, where one can say it."""
    return _follow(read_question(name, given, now=now), table, key)[0]


def list_reason(*, name: str, given: Mapping[str, str], table: str, key: str, now: datetime) -> str:
    """Return why a segment of a row is a list of the day; "" when no more is to be said of it."""
    return _follow(read_question(name, given, now=now), table, key)[1]


def _follow(question: Question, table: str, key: str) -> tuple[RowRule | None, str]:
    """Return the rule of a row, or why there is none."""
    run = keeping.find_state(question).run
    if run is None:
        return None, ""
    found, number = find_row(run, table=table, key=key)
    report, row = question.kind(), found.row(number)
    rule = report.segment_rule(question.asked, table, row)
    if rule is None:
        return None, report.list_reason(question.asked, table, row)
    if not rule.score:
        return rule, ""
    scored = standing.find_run_of(rule.score)
    if scored is None:
        return None, "the score of the night was not made yet"
    if refused := scored.report.get("refused"):
        return None, f"the score of the night was not made: {refused}"
    told = f"it goes by the score of the night, last made on {scored.computed_at:%-d %b %Y}"
    return msgspec.structs.replace(rule, differs=told), ""


@contextmanager
def read_warehouse(doing: Doing) -> Iterator["Reading"]:
    """Let the warehouse be read until somebody says it is enough; raise Unavailable without one."""
    from amity.infra.warehouse_reading import Reading  # noqa: PLC0415  # loads slowly

    reading = Reading(seconds=_SECONDS, ended=doing.is_ended)
    if not reading.tables:
        raise Unavailable(
            "there is nothing in the warehouse yet; reports are read from it",
            code="no_warehouse",
        )
    with reading:
        yield reading


def check(question: Question) -> Question:
    """Raise NotFound when the segment asked for is not there."""
    segment_id = question.asked.segment_id
    if segment_id is not None:
        with transaction("readonly") as connection:
            Definitions(connection).make(segment_id)
    return question


def complete(question: Question) -> Asked:
    """Return the question with what the company has entered."""
    return msgspec.structs.replace(question.asked, facts=entering.read_facts(question.kind.needs))


def _notes_of_segment(question: Question) -> tuple[str, ...]:
    """Say what the segment asked for does not hold: one that fills or is archived misleads."""
    segment_id = question.asked.segment_id
    if segment_id is None:
        return ()
    with transaction("readonly") as connection:
        segment = Definitions(connection).make(segment_id)
    words = _STATES.get(segment.state)
    return () if words is None else (f"The segment “{segment.name}” is {words}",)


def _compute(question: Question, *, now: datetime, doing: Doing) -> ReportRun:
    begun = time.monotonic()
    as_of = now - timedelta(seconds=warehouse.status(now=now).lag_seconds or 0.0)
    asked = complete(question)
    with read_warehouse(doing) as reading:
        found = answering.answer(
            question.kind(),
            reading.tables,
            asked,
            reading.run,
            is_compared=question.is_compared,
            helps=answering.Helps(keep=reading.keep, progress=doing.tell),
        )
    found = msgspec.structs.replace(found, notes=(*found.notes, *_notes_of_segment(question)))
    return ReportRun(
        report=question.kind.name,
        parameters=question.parameters,
        currency=asked.currency,
        as_of=as_of,
        took_seconds=time.monotonic() - begun,
        answer=found,
    )
