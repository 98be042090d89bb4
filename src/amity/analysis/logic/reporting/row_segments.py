"""Segments of who is behind a row: by a rule where one can say it, else a list of a day.

A list is a score that everyone on it has, under a name of its own, and the rule asks for that: so
it follows joins and is forgotten with a customer as scores are, and nobody new comes onto it.
"""

from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from amity.analysis.contracts import Segment
from amity.analysis.contracts_reports import ReportRow
from amity.analysis.logic import segments
from amity.analysis.logic.reporting import row_customers, running
from amity.analysis.logic.reporting.asking import find_report
from amity.analysis.logic.scoring.keeping import replace_scores
from amity.analysis.logic.working.doing import do_now
from amity.infra import queries
from amity.infra.database import transaction
from amity.kernel.errors import AmityError, Conflict, Invalid

_SQL: Final = queries.load("amity.analysis")
_KIND: Final = "report_row"


def save_row_segment(*, row: ReportRow, title: str, by: str, now: datetime) -> Segment:
    """Make a segment of a row's customers; see the door."""
    asked = msgspec.structs.asdict(row)
    found = running.row_rule(**asked, now=now)
    if found is not None:
        about = f"{_say(row)}. Followed live: who comes to be so enters."
        if found.differs:
            about += f" Unlike in the report, {found.differs}."
        return segments.create_segment(
            name=title, rule=found.rule, description=about, by=by, now=now
        )
    with transaction("readonly") as connection:
        if segments.Definitions(connection).find(title) is not None:
            raise Conflict(f"there is a segment called {title} already", code="name_taken")
    # What its maker has seen is what is kept, while it is young.
    state = row_customers.open_row(row=row, now=now)
    listed = state.found
    if listed is None or state.is_stale:
        listed = do_now(row_customers.make_task(row, now=now), by=by, now=now)
    score, count = _keep(row, row_customers.list_customers(listed), title, now)
    about = (
        f"{_say(row)}: the {count:,} who were there on {listed.computed_at:%-d %b %Y}. "
        "A list: whoever comes to be so later is not on it, and whoever is no longer so stays."
    )
    if reason := running.list_reason(**asked, now=now):
        about += f" A rule cannot say it, for {reason}."
    try:
        return segments.create_segment(
            name=title, rule=_on_list(score, title), description=about, by=by, now=now
        )
    except AmityError:
        with transaction() as connection:
            replace_scores(connection, names=[score], rows=())
        raise


def _say(row: ReportRow) -> str:
    return f"Behind “{', '.join(row.key.split('~'))}” of the report {find_report(row.name).title}"


def _on_list(score: str, title: str) -> dict[str, Any]:
    is_ = {"op": "eq", "value": title.strip()}
    return {"node": "score", "score": score, "by": "label", "is": is_}


def _keep(row: ReportRow, ids: list[int], title: str, now: datetime) -> tuple[str, int]:
    """Keep who is on a list; return the name of the score that says so, and how many have it."""
    with transaction() as connection:
        # The warehouse may be a while behind: who was joined since is who they are now.
        alive = [one[0] for one in connection.execute(_SQL["row_customers_now"], [ids])]
        if not alive:
            raise Invalid("nobody is behind this row any more", code="nobody")
        told = Jsonb({"table": row.table, "row": row.key, "asked": dict(row.given)})
        values = [_KIND, now, len(alive), told, Jsonb({"report": row.name})]
        found = connection.execute(_SQL["scores_record"], values).fetchone()
        assert found is not None
        score = f"list_{found[0]}"
        rows = ((one, score, None, title.strip(), None, None, found[0]) for one in alive)
        replace_scores(connection, names=[score], rows=rows)
    return score, len(alive)
