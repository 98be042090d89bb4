"""The e-loyalty matrix: what customers do beside what they think, and who moved where."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from amity.analysis.contracts_reports import (
    Cell,
    Parameter,
    Picture,
    ReportAnswer,
    ReportColumn,
    ReportFigure,
    ReportTable,
)
from amity.analysis.logic import overview_statistics as statistics
from amity.analysis.logic.behaviour.answers import whole_answer
from amity.analysis.logic.behaviour.opinions import RANGES
from amity.analysis.logic.reporting import frames
from amity.analysis.logic.reporting.tables import bounded, cells
from amity.analysis.report import REPORTS, Asked, Report, Rows
from amity.kernel.lift import Arm, rate_difference

if TYPE_CHECKING:
    import ibis

CELLS: Final[dict[str, str]] = {
    "true": "True loyalty",
    "latent": "Latent loyalty",
    "spurious": "Spurious loyalty",
    "none": "No loyalty",
}
_ABSENT: Final = "not a customer"
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
_ENGAGED: Final = (
    "Email Opened",
    "Email Link Clicked",
    "Product Reviewed",
    "Product Shared",
    "Product Added to Wishlist",
    "Referral Sent",
    "Signed In",
)
_CALLS: Final = (
    "Live Chat Conversation Started",
    "Call Started",
    "Ticket Created",
    "Ticket Opened",
    "Email Received",
)
_SURVEY: Final = "Survey Answered"
_GOOD_FROM: Final[dict[str, int]] = {"nps": 9, "csat": 4, "ces": 5}
_BETWEEN: Final[dict[str, str]] = {
    "refunded": "An order was refunded",
    "called": "Called, chatted or wrote to service",
    "written": "Was sent a message",
    "reduced": "Bought at a reduced price",
    "looked": "Viewed a page or a product",
}


@REPORTS.register("loyalty")
class Loyalty(Report):
    """Behaviour by attitude, and the moves since the window before."""

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
        "with an order until then, a sign or an answer is placed. Moves compare with the window "
        "before. What preceded a move goes with it; it need not be why. A difference is beyond "
        "chance when Newcombe’s interval (95 %), looked at by itself, leaves out none."
    )
    parameters = (
        Parameter(
            name="often",
            title="Orders that are often",
            kind="whole",
            default=3,
            least=1,
            most=1000,
        ),
        Parameter(
            name="signs",
            title="Signs that are interest",
            kind="whole",
            default=3,
            least=1,
            most=1000,
            help="For those who answered no survey.",
        ),
    )
    needs = frozenset(("policies",))
    days: ClassVar[int] = 180

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        moved = _moves(tables, asked)
        moves = moved.group_by(["before", "now"]).aggregate(
            customers=moved.count(),
            answered=moved.answered.sum(),
            **{sign: moved[sign].sum() for sign in _BETWEEN},
        )
        return {"moves": moves, "others": frames.other_currencies(tables, asked)}

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        moves = [row for row in rows["moves"] if row["now"] != _ABSENT]
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
        return ReportAnswer(
            sentence=f"Of {everybody:,} customers {sizes['true']:,} are truly loyal, "
            f"{sizes['spurious']:,} only seem so, and {sizes['latent']:,} would like to be.",
            figures=figures,
            tables=(_cells(sizes, everybody, asked), _moved(moves), *_preceded(moves)),
            pictures=_pictures(sizes, moves),
            notes=_notes(answered, everybody) + frames.note_of_currencies(rows["others"], asked),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table":
        moved = _moves(tables, asked)
        keys = {words: cell for cell, words in CELLS.items()}
        inside = moved.filter(moved.now == keys[str(row["now"]).removesuffix(_NOW)])
        if table == "moves":
            before = keys.get(str(row["before"]).removesuffix(_BEFORE), _ABSENT)
            inside = inside.filter(inside.before == before)
        return inside.select("customer_id")


def _standing(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return each customer's cell in a window: customer_id, cell, answered."""
    import ibis  # noqa: PLC0415  # loads slowly

    placed = frames.orders(tables, asked)
    bought = placed.group_by("customer_id").aggregate(
        orders=(placed.placed_on >= asked.from_on).sum()
    )
    seen = frames.events(tables, asked, names=(*_ENGAGED, _SURVEY))
    signs = seen.group_by("customer_id").aggregate(signs=(seen["name"] != _SURVEY).sum())
    answers = _answers(seen.filter(seen["name"] == _SURVEY))
    # Who only answered what cannot be read has neither answered nor shown a sign.
    shown = signs.filter(signs.signs > 0).select("customer_id")
    known = bought.select("customer_id").union(shown, answers.select("customer_id")).distinct()
    for part in (bought, signs, answers):
        known = known.left_join(part, "customer_id").drop("customer_id_right")
    often = known.orders.fill_null(0) >= int(asked.choices["often"])
    interested = known.signs.fill_null(0) >= int(asked.choices["signs"])
    well = ibis.ifelse(
        known.is_good.notnull(), known.is_good.fill_null(ibis.literal(value=False)), interested
    )
    cell = ibis.cases((often & well, "true"), (well, "latent"), (often, "spurious"), else_="none")
    return known.select("customer_id", cell=cell, answered=known.is_good.notnull())


def _answers(told: "ibis.Table") -> "ibis.Table":
    """Return what each customer's latest answer says: customer_id, is_good."""
    import ibis  # noqa: PLC0415  # loads slowly

    kind = frames.text(told.properties, "kind").lower()
    value = whole_answer(told.properties)
    least = ibis.cases(*((kind == name, limit) for name, limit in _GOOD_FROM.items()), else_=None)
    in_range = ibis.or_(*((kind == name) & value.between(*ends) for name, ends in RANGES.items()))
    read = told.mutate(is_good=ibis.ifelse(in_range, value >= least, None))
    read = read.filter(read.is_good.notnull())
    latest = ibis.window(
        group_by="customer_id", order_by=[read.occurred_at.desc(), read.event_id.desc()]
    )
    read = read.mutate(place=ibis.row_number().over(latest))
    return read.filter(read.place == 0).select("customer_id", "is_good")


def _moves(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return each customer with the cell before and now, and what was in between."""
    import ibis  # noqa: PLC0415  # loads slowly

    now, before = _standing(tables, asked), _standing(tables, asked.before())
    joined = now.left_join(
        before.select("customer_id", before_cell=before.cell), "customer_id"
    ).drop("customer_id_right")
    joined = joined.mutate(before_cell=joined.before_cell.fill_null(_ABSENT))
    placed = frames.orders(tables, asked, since=asked.from_at)
    refunds = placed.filter(placed.refunded_minor > 0).select("customer_id").distinct()
    calls = frames.events(tables, asked, names=_CALLS).select("customer_id").distinct()
    mails = frames.sends(tables, asked).select("customer_id").distinct()
    lines = tables["order_lines"].select("event_id", "discount_micro")
    reduced = placed.join(lines.filter(lines.discount_micro > 0), "event_id")
    reduced = reduced.select("customer_id").distinct()
    seen = frames.events(tables, asked)
    seen = seen.filter((seen["type"] == "page") | (seen["name"] == "Product Viewed"))
    parts = (refunds, calls, mails, reduced, seen.select("customer_id").distinct())
    for name, part in zip(_BETWEEN, parts, strict=True):
        joined = joined.left_join(part.mutate(had=True), "customer_id").drop("customer_id_right")
        joined = joined.mutate(**{name: joined.had.fill_null(ibis.literal(value=False))}).drop(
            "had"
        )
    return joined.rename(now="cell", before="before_cell")


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
    order = [*CELLS, _ABSENT]
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
                CELLS.get(row["before"], _ABSENT) + _BEFORE,
                CELLS[row["now"]] + _NOW,
                row["customers"],
            )
            for row in found
        ),
        key=("before", "now"),
    )


def _preceded(moves: list[dict[str, Any]]) -> tuple[ReportTable, ...]:
    """Return what those who moved had more or less often than those who stayed where they were."""
    were = [row for row in moves if row["before"] == "true"]
    others = [row for row in moves if row["before"] in CELLS and row["before"] != "true"]
    return (
        *_compare_moves("preceded", "What went with losing true loyalty", were, "Lost it"),
        *_compare_moves("gained", "What went with becoming truly loyal", others, "Became so"),
    )


def _compare_moves(
    name: str, title: str, were: list[dict[str, Any]], words: str
) -> tuple[ReportTable, ...]:
    """Return of customers who were on one side of true loyalty who crossed, and who did not."""
    side = {row["before"] == "true" for row in were}
    moved = [row for row in were if (row["now"] == "true") not in side]
    stayed = [row for row in were if (row["now"] == "true") in side]
    few, many = (sum(row["customers"] for row in some) for some in (moved, stayed))
    if not many or not few:
        return ()
    rows: list[tuple[Cell, ...]] = []
    for sign, what in _BETWEEN.items():
        had = [sum(int(row[sign] or 0) for row in some) for some in (moved, stayed)]
        found = rate_difference(_arm(few, had[0]), _arm(many, had[1]))
        is_chance = found is None or found.low <= 0 <= found.high
        rows.append(
            (
                what,
                *cells(statistics.share(had[0], few)),
                *cells(statistics.share(had[1], many)),
                "within chance" if is_chance else "beyond chance",
            )
        )
    return (
        ReportTable(
            name=name,
            title=title,
            columns=(
                ReportColumn(name="what", title="In the window", unit="text"),
                *bounded(
                    ReportColumn(name="left", title=words, unit="share"), "left_low", "left_high"
                ),
                *bounded(
                    ReportColumn(name="stayed", title="Stayed as they were", unit="share"),
                    "stayed_low",
                    "stayed_high",
                ),
                ReportColumn(name="apart", title="The difference is", unit="text"),
            ),
            rows=tuple(rows),
        ),
    )


def _arm(customers: int, had: int) -> Arm:
    return Arm(customers=customers, converted=had, spent=[])


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
    moved = sum(row["customers"] for row in moves if row["before"] not in {row["now"], _ABSENT})
    flows = Picture(
        kind="sankey",
        table="moves",
        title=f"{moved:,} customers moved from one cell to another",
        x="before",
        y=("now",),
        value="customers",
    )
    return (matrix, flows)


def _notes(answered: int, everybody: int) -> tuple[str, ...]:
    if answered == everybody:
        return ()
    none = "Nobody answered a survey" if not answered else f"{answered:,} answered a survey"
    return (
        f"{none} in this window; the attitude of the others is read from what they open, click, "
        "share and review, which is a weaker sign than an answer.",
    )
