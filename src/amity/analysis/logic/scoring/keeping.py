"""Keeping scores: replaced by name, ranked among all, and who changed is asked about again.

The percentile is stored with the score, so that memory and SQL see the same number until scores
are computed anew.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

from amity.infra import queries
from amity.infra.database import Connection

_SQL = queries.load("amity.analysis")

ScoreRow = tuple[int, str, float | None, str, float | None, float | None, int]
"""Profile, name of the score, value, label, low, high, model run."""
_COLUMNS: Final = ("profiles", "names", "values", "labels", "lows", "highs", "runs")


def replace_scores(
    connection: Connection, *, names: Collection[str], rows: Iterable[ScoreRow]
) -> None:
    """Put ``rows`` in the place of all scores of these names, in the caller's transaction.

    Segments whose rules mention one of the names are asked again about everyone whose score came,
    went or changed, in the follower's next turns.  Every row's name must be among ``names``.
    """
    wanted = sorted(names)
    # A segment made meanwhile waits, so that it is read against history with the new scores.
    connection.execute(_SQL["lock_segments"])
    mentioned = {row[0] for row in connection.execute(_SQL["score_names_in_rules"])}
    followed = sorted(mentioned.intersection(wanted))
    _stage(connection, rows)
    connection.execute(_SQL["scores_remember"], [followed])
    connection.execute(_SQL["scores_note_gone"], [wanted])
    connection.execute(_SQL["scores_clear"], [wanted])
    connection.execute(_SQL["scores_rank"])
    connection.execute(_SQL["scores_ask_again"], [followed])
    connection.execute(_SQL["scores_unstage"])


def renew_scores(
    connection: Connection,
    *,
    profile_ids: Sequence[int],
    names: Collection[str],
    rows: Sequence[ScoreRow],
    now: datetime,
) -> int:
    """Put ``rows`` in the place of these customers' scores of ``names``; how many changed.

    All others' stay. The percentile is that of the next lower score, until all are ranked again.
    In one statement, with no table made for it: it is done all day long.
    """
    connection.execute(_SQL["lock_segments"])
    mentioned = sorted(row[0] for row in connection.execute(_SQL["score_names_in_rules"]))
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in _COLUMNS]
    about = {"about": list(profile_ids), "made": sorted(names), "mentioned": mentioned, "now": now}
    row = connection.execute(
        _SQL["scores_renew"], about | dict(zip(_COLUMNS, columns, strict=True))
    ).fetchone()
    assert row is not None
    return int(row[0])


def _stage(connection: Connection, rows: Iterable[ScoreRow]) -> None:
    connection.execute(_SQL["scores_stage"])
    with connection.cursor() as cursor, cursor.copy(_SQL["scores_copy"]) as copy:
        copy.set_types(["int8", "text", "float8", "text", "float8", "float8", "int8"])
        for row in rows:
            copy.write_row(row)
