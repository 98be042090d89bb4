"""The e-loyalty matrix: what customers do beside what they think, and who moved where."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from amity.analysis.contracts_reports import (
    Cell,
    Parameter,
    Picture,
    ReportAnswer,
    ReportColumn,
    ReportFigure,
    ReportTable,
    RowRule,
)
from amity.analysis.logic import overview_statistics as statistics
from amity.analysis.logic.behaviour.crossings import compare_crossings
from amity.analysis.logic.behaviour.loyalty import (
    ABSENT,
    BETWEEN,
    CELLS,
    DAYS,
    OFTEN,
    SCORE,
    SIGNS,
    express_crossings,
    express_moves,
)
from amity.analysis.logic.behaviour.loyalty_periods import list_periods
from amity.analysis.logic.reporting import frames, row_rules
from amity.analysis.logic.reporting.tables import bounded
from amity.analysis.report import REPORTS, Asked, Report, Rows

if TYPE_CHECKING:
    import ibis

_BEFORE: Final = " before"
_NOW: Final = " now"
_MEANINGS: Final[dict[str, str]] = {
    "true": "Buys often and thinks well of us.",
    "latent": "Thinks well of us and buys little: something stands in the way.",
    "spurious": "Buys often and does not think well of us: leaves when another is nearer.",
    "none": "Buys little and does not think well of us.",
}
_USUAL: Final[dict[str, str]] = {
    "true": "Thank them, ask for recommendations, do not discount what they buy anyway.",
    "latent": "Find what keeps them from buying: range, price, delivery, opening hours.",
    "spurious": "Ask what they miss, mend it, give them reasons to stay besides habit.",
    "none": "Spend little on them; win their attitude before their orders.",
}
_PERIODS: Final = 6
_COLUMNS_OF_CROSSING: Final = (
    ReportColumn(name="what", title="In the window", unit="text"),
    *bounded(ReportColumn(name="left", title="Crossed", unit="share"), "left_low", "left_high"),
    *bounded(
        ReportColumn(name="stayed", title="Stayed as they were", unit="share"),
        "stayed_low",
        "stayed_high",
    ),
    *bounded(
        ReportColumn(name="difference", title="Difference", unit="share"),
        "difference_low",
        "difference_high",
    ),
    ReportColumn(name="apart", title="The difference is", unit="text"),
)


@REPORTS.register("loyalty")
class Loyalty(Report):
    """Behaviour by attitude, and the moves between windows."""

    name = "loyalty"
    title = "The loyalty matrix"
    question = "Who is loyal, who only seems so, and who moved where?"
    group = "retention"
    definition = (
        "Behaviour: a customer buys often with at least so many orders in the window. Attitude: "
        "the latest answer to a survey in the window (event Survey Answered with `kind` nps, csat "
        "or ces and `answer`) is good from 9 of 10, 4 of 5 or 5 of 7; who did not answer thinks "
        "well of us with at least so many signs of interest in the window: mails opened and "
        "clicked, sign-ins, reviews, shares, wish lists, referrals. Often and well is true "
        "loyalty, well and seldom latent, often and not well spurious, neither none. Everybody "
        "with an order until then, a sign or an answer is placed. Windows as long as this one "
        "stand before it, as far as all of one is known; moves are from each to the next. What "
        "went with a move was in the same window; it need not be why. The moves of one customer "
        "are alike and count as fewer than they are. A difference is beyond chance when its "
        "interval (95 %, Newcombe’s), looked at by itself, leaves out none."
    )
    parameters = (
        Parameter(
            name="often",
            title="Orders that are often",
            kind="whole",
            default=OFTEN,
            least=1,
            most=1000,
        ),
        Parameter(
            name="signs",
            title="Signs that are interest",
            kind="whole",
            default=SIGNS,
            least=1,
            most=1000,
            help="For those who answered no survey.",
        ),
        Parameter(
            name="periods",
            title="Windows, one after another",
            kind="whole",
            default=_PERIODS,
            least=2,
            most=24,
            help="As long as the one asked for; those of which all is known are shown.",
        ),
    )
    needs = frozenset(("policies",))
    days: ClassVar[int] = DAYS

    def shared(self, tables: Mapping[str, "ibis.Table"], asked: Asked) -> dict[str, "ibis.Table"]:
        return {"moves": _moves(tables, asked)}

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        moved = _moves(tables, asked)
        moves = moved.group_by(["period", "before", "now"]).aggregate(
            customers=moved.count(), answered=moved.answered.sum(), least=moved.least.max()
        )
        return {
            "moves": moves,
            "crossings": express_crossings(moved),
            "others": frames.other_currencies(tables, asked),
        }

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        last = _windows(asked) - 1
        moves = [row for row in rows["moves"] if row["period"] == last]
        everybody = sum(row["customers"] for row in moves)
        if not everybody:
            return ReportAnswer(
                sentence="There is nobody to place in the matrix.",
                empty="The matrix needs orders, and answers to surveys or signs of interest such "
                "as mails opened. None is known until the end of this window.",
            )
        sizes = {
            cell: sum(row["customers"] for row in moves if row["now"] == cell) for cell in CELLS
        }
        answered = sum(int(row["answered"] or 0) for row in moves)
        figures = _figures(sizes, everybody, answered, moves)
        windows = _carried(rows["moves"], last)
        over_time = list_periods(rows["moves"], windows, asked)
        return ReportAnswer(
            sentence=f"Of {everybody:,} customers {sizes['true']:,} are truly loyal, "
            f"{sizes['spurious']:,} only seem so, and {sizes['latent']:,} would like to be.",
            figures=figures,
            tables=(
                _cells(sizes, everybody, asked),
                _moved(moves),
                *over_time.tables,
                *_preceded(rows["crossings"], len(windows) - 1),
            ),
            pictures=(*_pictures(sizes, moves), *over_time.pictures),
            notes=(
                *_notes(answered, everybody),
                *_notes_of_windows(windows, asked),
                *frames.note_of_currencies(rows["others"], asked),
            ),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table":
        moved = _moves(tables, asked)
        keys = {words: cell for cell, words in CELLS.items()}
        last = _windows(asked) - 1
        if table in {"periods", "steps"}:
            inside = moved.filter(moved.period == int(str(row["number"])))
            inside = inside.filter(inside["now"] == str(row["to_cell"]))
            if table == "steps":
                inside = inside.filter(inside.before == str(row["from_cell"]))
            return inside.select("customer_id")
        inside = moved.filter(moved.period == last)
        inside = inside.filter(inside["now"] == keys[str(row["now"]).removesuffix(_NOW)])
        if table == "moves":
            before = keys.get(str(row["before"]).removesuffix(_BEFORE), ABSENT)
            inside = inside.filter(inside.before == before)
        return inside.select("customer_id")

    def segment_rule(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> RowRule | None:
        """Return who is in a cell now by the score of the night, where both count alike."""
        if self.list_reason(asked, table, row):
            return None
        words = str(row["now"])
        rule = row_rules.scored(SCORE, by="label", begins=words)
        return RowRule(rule=row_rules.all_of(asked, rule), score=SCORE)

    def list_reason(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> str:
        """Return why a row is a list of the day: the score knows today's cell, as usually cut."""
        if table != "cells":
            return "the score knows the cell of today, not a move and not a cell of an earlier day"
        usual = {"often": OFTEN, "signs": SIGNS}
        if any(int(asked.choices[name]) != value for name, value in usual.items()):
            return f"the score cuts at {OFTEN} orders and {SIGNS} signs, and this answer does not"
        return row_rules.differs_from_score(asked, DAYS)


def _windows(asked: Asked) -> int:
    return int(asked.choices["periods"])


def _moves(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    return express_moves(tables, asked, windows=_windows(asked))


def _carried(moves: Sequence[Mapping[str, Any]], last: int) -> list[int]:
    """Return the numbers of the windows that are shown: of which all is known, with somebody in."""
    there = {int(row["period"]) for row in moves}
    return [period for period in range(last + 1) if period in there]


def _figures(
    sizes: Mapping[str, int], everybody: int, answered: int, moves: list[dict[str, Any]]
) -> tuple[ReportFigure, ...]:
    figures = []
    for cell, words in CELLS.items():
        share = statistics.share(sizes[cell], everybody)
        figures.append(
            ReportFigure(
                name=cell,
                title=words,
                unit="share",
                definition=f"{_MEANINGS[cell]} Share of all placed in the matrix.",
                good="up" if cell == "true" else "",
            ).of(share)
        )
    were = sum(row["customers"] for row in moves if row["before"] == "true")
    stayed = sum(row["customers"] for row in moves if row["before"] == row["now"] == "true")
    kept = statistics.share(stayed, were)
    said = statistics.share(answered, everybody)
    figures += [
        ReportFigure(
            name="kept",
            title="Truly loyal who stayed so",
            unit="share",
            definition="Of those truly loyal in the window before, the share who are now.",
            good="up",
        ).of(kept),
        ReportFigure(
            name="answered",
            title="Attitude from a survey",
            unit="share",
            value=said.value,
            definition="Share of the placed who answered a survey in the window; the attitude of "
            "the others is read from signs of interest.",
        ),
    ]
    return tuple(figures)


def _cells(sizes: Mapping[str, int], everybody: int, asked: Asked) -> ReportTable:
    policies = {fact["cell"]: fact["words"] for fact in asked.facts.get("policies", [])}
    return ReportTable(
        name="cells",
        title="The four cells and what you do for each",
        columns=(
            ReportColumn(name="now", title="Cell", unit="text"),
            ReportColumn(name="buys", title="Buys", unit="text"),
            ReportColumn(name="thinks", title="Thinks", unit="text"),
            ReportColumn(name="customers", title="Customers", unit="customers"),
            ReportColumn(name="share", title="Share", unit="share"),
            ReportColumn(name="policy", title="Policy", unit="text"),
        ),
        rows=tuple(
            (
                words,
                "often" if cell in {"true", "spurious"} else "seldom",
                "well of us" if cell in {"true", "latent"} else "not well",
                sizes[cell],
                sizes[cell] / everybody,
                policies.get(cell, f"None set. Usual: {_USUAL[cell]}"),
            )
            for cell, words in CELLS.items()
        ),
        key=("now",),
    )


def _moved(moves: list[dict[str, Any]]) -> ReportTable:
    order = [*CELLS, ABSENT]
    found = sorted(moves, key=lambda row: (order.index(row["before"]), order.index(row["now"])))
    return ReportTable(
        name="moves",
        title="From the window before to this one",
        columns=(
            ReportColumn(name="before", title="Before", unit="text"),
            ReportColumn(name="now", title="Now", unit="text"),
            ReportColumn(name="customers", title="Customers", unit="customers"),
        ),
        rows=tuple(
            (
                CELLS.get(row["before"], ABSENT) + _BEFORE,
                CELLS[row["now"]] + _NOW,
                row["customers"],
            )
            for row in found
        ),
        key=("before", "now"),
    )


def _preceded(crossings: Sequence[Mapping[str, Any]], moves: int) -> tuple[ReportTable, ...]:
    """Return what who crossed had more or less often than who stayed, over all moves."""
    over = "" if moves < 2 else f", over {moves} moves"
    titles = {
        "lost": ("preceded", f"What went with losing true loyalty{over}"),
        "gained": ("gained", f"What went with becoming truly loyal{over}"),
    }
    found = []
    # In one order: sums of fractions differ by it in their last digit.
    crossings = sorted(crossings, key=lambda row: [str(row[name]) for name in sorted(row)])
    for side, (name, title) in titles.items():
        told = [row for row in crossings if row["side"] == side]
        rows: list[tuple[Cell, ...]] = []
        for sign, what in BETWEEN.items():
            one = compare_crossings([row for row in told if row["sign"] == sign])
            if one is not None:
                apart = "within chance" if one.is_chance else "beyond chance"
                rows.append((what, *one.crossed, *one.stayed, *one.difference, apart))
        if rows:
            columns = _COLUMNS_OF_CROSSING
            found.append(ReportTable(name=name, title=title, columns=columns, rows=tuple(rows)))
    return tuple(found)


def _pictures(sizes: Mapping[str, int], moves: list[dict[str, Any]]) -> tuple[Picture, ...]:
    matrix = Picture(
        kind="heatmap",
        table="cells",
        title=f"{sizes['true']:,} buy often and think well of us",
        x="thinks",
        y=("buys",),
        value="customers",
        x_title="what they think",
        y_title="how often they buy",
    )
    moved = sum(row["customers"] for row in moves if row["before"] not in {row["now"], ABSENT})
    flows = Picture(
        kind="sankey",
        table="moves",
        title=f"{moved:,} customers moved from one cell to another",
        x="before",
        y=("now",),
        value="customers",
    )
    return (matrix, flows)


def _notes_of_windows(windows: Sequence[int], asked: Asked) -> tuple[str, ...]:
    notes = []
    if len(windows) < _windows(asked):
        notes.append(
            f"Of the {_windows(asked)} windows asked for {len(windows)} are shown: before that not "
            "all of a window is known. Shorter windows show more of them."
        )
    if len(windows) > 1:
        notes.append(
            "What went with a move was in the same window and need not be why: nothing was drawn "
            "at random."
        )
    return tuple(notes)


def _notes(answered: int, everybody: int) -> tuple[str, ...]:
    if answered == everybody:
        return ()
    none = "Nobody answered a survey" if not answered else f"{answered:,} answered a survey"
    return (
        f"{none} in this window; the attitude of the others is read from what they open, click, "
        "share and review, which is a weaker sign than an answer.",
    )
