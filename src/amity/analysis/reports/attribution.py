"""Attribution: which channels came before the orders, and what campaigns caused."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from amity.analysis.contracts_reports import (
    Cell,
    Parameter,
    Picture,
    ReportAnswer,
    ReportFigure,
    ReportTable,
    Unit,
)
from amity.analysis.logic.behaviour.attribution import RULES, Credits, Journey, allot
from amity.analysis.logic.behaviour.caused import Caused, compare_arms, express_arms
from amity.analysis.logic.behaviour.touches import PLACES, led, orders, touches, widen
from amity.analysis.logic.measuring.shown import express_changed, show
from amity.analysis.logic.overview_statistics import share
from amity.analysis.logic.reporting import frames
from amity.analysis.logic.reporting.tables import (
    call_campaign,
    campaign_names,
    cells,
    columns,
    for_files,
)
from amity.analysis.report import REPORTS, Asked, Report, Rows

if TYPE_CHECKING:
    import ibis

_UNKNOWN: Final = "(no touch known)"
_DECAY: Final = "decay"
_NAMES: Final = {**{name: title for name, (title, _) in RULES.items()}, _DECAY: "Time decay"}
_PARTS: Final = 100
"""Orders are shared in hundredths, so that they sum to the total exactly."""
_ROUND: Final = 9


@REPORTS.register("attribution")
class Attribution(Report):
    """Shares orders among the touches before them; see docs/algorithms/attribution.md."""

    name = "attribution"
    title = "Attribution"
    question = "Which channels came before the orders, and what did our campaigns cause?"
    group = "acquisition"
    uses = frozenset(("window", "comparison", "segment", "currency"))
    needs = frozenset(("metrics", "campaigns"))
    metrics = frozenset(("orders",))
    definition = (
        "A touch is an event that says by which channel a customer came: a click in one of our "
        "mails, a campaign in the address, a channel among the properties, or the site before. "
        "The touches before an order, since the order before and not longer ago than said, share "
        "it by seven rules. Every rule gives out all orders (or all revenue, refunds taken off) "
        "of the window exactly; an order without a touch is not known. No rule says what caused "
        "an order: that is only known of campaigns that held customers out by lot, shown beside, "
        "with Newcombe’s interval (95 %)."
    )
    parameters = (
        Parameter(
            name="shared",
            title="Share",
            kind="choice",
            default="orders",
            choices=(("orders", "orders"), ("value", "revenue")),
        ),
        Parameter(
            name="lookback_days",
            title="Touches of so many days before",
            kind="number",
            default=30,
            least=0.04,
            most=400,
        ),
        Parameter(
            name="half_life_days",
            title="Half-life of time decay, days",
            kind="number",
            default=7,
            least=0.04,
            most=400,
        ),
    )

    def shared(self, tables: Mapping[str, "ibis.Table"], asked: Asked) -> dict[str, "ibis.Table"]:
        touched = touches(tables, asked, days=_days(asked))
        placed = orders(tables, asked)
        before = led(placed, touched, days=_days(asked))
        return {"touches": touched, "orders": placed, "before": before}

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        parts = self.shared(tables, asked)
        touched, placed, before = parts["touches"], parts["orders"], parts["before"]
        won = widen(before, ["customer_id", "order_id"], values={"value": "value"})
        places = [f"c{place}" for place in range(1, PLACES + 1)]
        lost = widen(_open(touched, placed, asked), ["customer_id"], values={})
        return {
            "won": won.group_by(places).aggregate(orders=won.count(), value=won.value.sum()),
            "lost": lost.group_by(places).aggregate(journeys=lost.count()),
            "channels": _channels(before, asked),
            "totals": placed.aggregate(orders=placed.count(), value=placed.value.sum()),
            "arms": express_arms(tables, asked),
            "others": frames.other_currencies(tables, asked),
            **express_changed(tables, asked, self.metrics),
        }

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        totals = rows["totals"][0] if rows["totals"] else {}
        caused = compare_arms(rows["arms"], now=asked.now)
        notes = frames.note_of_currencies(rows["others"], asked)
        if not totals.get("orders"):
            return ReportAnswer(
                sentence="There is no order to share.",
                empty=f"Nobody ordered in {asked.currency} in this time.",
                notes=notes,
            )
        journeys = _journeys(rows)
        known = sum(journey.orders for journey in journeys)
        is_value = asked.choices["shared"] == "value"
        total = int(totals["value"] or 0) if is_value else totals["orders"] * _PARTS
        shared = sum(journey.value for journey in journeys) if is_value else known * _PARTS
        credits = _credits(journeys, rows["channels"], shared, is_value=is_value)
        tables = [
            _credit_table(credits, total - shared, is_value=is_value),
            _channel_table(rows["channels"]),
        ]
        figures, changed = show(_figures(known, totals["orders"]), rows, asked)
        if caused:
            tables.append(_caused_table(caused, campaign_names(asked)))
        return ReportAnswer(
            sentence=_sentence(credits, known, totals["orders"]),
            figures=figures,
            tables=tuple(tables),
            pictures=_pictures(known),
            notes=(*notes, *_notes(caused, campaign_names(asked)), *changed),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table | None":
        if table != "channels":
            return None
        touched = touches(tables, asked, days=_days(asked))
        before = led(orders(tables, asked), touched, days=_days(asked))
        return before.filter(before.channel == str(row["channel"])).select("customer_id").distinct()


def _days(asked: Asked) -> float:
    return float(cast("float", asked.choices["lookback_days"]))


def _open(touched: "ibis.Table", placed: "ibis.Table", asked: Asked) -> "ibis.Table":
    """Return the touches of the window after which the customer has not ordered in it."""
    import ibis  # noqa: PLC0415  # loads slowly

    last = placed.group_by("customer_id").aggregate(last_at=placed.placed_at.max())
    known = touched.filter(touched["at"] >= ibis.literal(asked.from_at))
    known = known.left_join(last, "customer_id")
    after = known.filter(known.last_at.isnull() | (known["at"] > known.last_at))
    return after.select("customer_id", "at", "event_id", "channel")


def _channels(before: "ibis.Table", asked: Asked) -> "ibis.Table":
    """Return each channel with its orders and customers, and what it gets by time decay.

    A touch counts half for each half-life that it is older.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    half_life = float(cast("float", asked.choices["half_life_days"])) * 86_400
    age = (
        before.placed_at.truncate("s").epoch_seconds() - before["at"].truncate("s").epoch_seconds()
    )
    # Half-lives beyond the fiftieth weigh nothing beside a younger touch, and could underflow.
    lives = ibis.least(age.cast("float64") / half_life, 500.0)
    weighed = before.select("customer_id", "order_id", "channel", "value", lives=lives)
    order = ibis.window(group_by=["customer_id", "order_id"])
    youngest = weighed.lives.min().over(order)
    weighed = weighed.mutate(weight=ibis.literal(2.0).pow(youngest - weighed.lives))
    part = weighed.weight / weighed.weight.sum().over(order)
    once = ibis.window(group_by=["customer_id", "order_id", "channel"], order_by="lives")
    shared = weighed.mutate(part=part, again=ibis.row_number().over(once))
    return shared.group_by("channel").aggregate(
        orders=(shared.again == 0).cast("int64").sum(),
        customers=shared.customer_id.nunique(),
        orders_decayed=shared.part.sum(),
        value_decayed=(shared.part * shared.value).sum(),
    )


def _journeys(rows: Rows) -> list[Journey]:
    """Return the journeys with and without an order, alike ones together, in a fixed order."""
    sums: dict[tuple[str, ...], list[int]] = {}
    for kind in ("won", "lost"):
        for row in rows[kind]:
            back = [row[f"c{place}"] for place in range(PLACES, 0, -1)]
            path = tuple(channel for channel in back if channel is not None)
            counts = sums.setdefault(path, [0, 0, 0])
            counts[0] += row["orders"] if kind == "won" else row["journeys"]
            counts[1] += row.get("orders", 0)
            counts[2] += int(row.get("value") or 0)
    return [
        Journey(channels=path, journeys=counts[0], orders=counts[1], value=counts[2])
        for path, counts in sorted(sums.items())
    ]


def _credits(
    journeys: Sequence[Journey], channels: list[dict[str, Any]], shared: int, *, is_value: bool
) -> dict[str, dict[str, int]]:
    """Return for each rule what each channel gets, in whole parts."""

    def amount(journey: Journey) -> float:
        return float(journey.value if is_value else journey.orders)

    found: dict[str, Credits] = {name: rule(journeys, amount) for name, (_, rule) in RULES.items()}
    found[_DECAY] = {
        row["channel"]: round(
            float(row["value_decayed" if is_value else "orders_decayed"] or 0), _ROUND
        )
        for row in channels
    }
    return {name: allot(credits, shared) for name, credits in found.items()}


def _credit_table(
    credits: Mapping[str, Mapping[str, int]], unknown: int, *, is_value: bool
) -> ReportTable:
    channels = sorted({channel for shares in credits.values() for channel in shares})
    channels.sort(key=lambda channel: -credits["last"].get(channel, 0))
    unit: Unit = "money" if is_value else "number"

    def cell(parts: int) -> Cell:
        return parts if is_value else parts / _PARTS

    rows: list[tuple[Cell, ...]] = [
        (channel, *(cell(credits[name].get(channel, 0)) for name in _NAMES)) for channel in channels
    ]
    if unknown:
        rows.append((_UNKNOWN, *(cell(unknown) for _ in _NAMES)))
    return ReportTable(
        name="credits",
        title="What each channel is credited with, by rule",
        columns=columns(
            ("channel", "Channel", "text"),
            *((name, title, unit) for name, title in _NAMES.items()),
        ),
        rows=tuple(rows),
    )


def _channel_table(rows: list[dict[str, Any]]) -> ReportTable:
    ranked = sorted(rows, key=lambda row: (-row["orders"], row["channel"]))
    return ReportTable(
        name="channels",
        title="Channels with a touch before an order",
        columns=columns(
            ("channel", "Channel", "text"),
            ("orders", "Orders with a touch", "orders"),
            ("customers", "Customers", "customers"),
        ),
        rows=tuple((row["channel"], row["orders"], row["customers"]) for row in ranked),
        key=("channel",),
    )


def _caused_table(caused: Sequence[Caused], names: dict[int, str]) -> ReportTable:
    rows: list[tuple[Cell, ...]] = []
    for one in caused:
        shares = cells(one.difference)
        rows.append(
            (
                one.campaign_id,
                call_campaign(names, one.campaign_id),
                one.written,
                share(one.written_ordered, one.written).value,
                one.held_out,
                share(one.held_out_ordered, one.held_out).value,
                *shares,
                *(None if part is None else round(part * one.written, 1) for part in shares),
                one.is_open,
            )
        )
    return ReportTable(
        name="caused",
        title="What campaigns caused, by the customers held out",
        columns=for_files(("campaign", "Number", "number"))
        + columns(
            ("name", "Campaign", "text"),
            ("written", "Written to", "customers"),
            ("written_rate", "of them ordered", "share"),
            ("held_out", "Held out", "customers"),
            ("held_out_rate", "of them ordered", "share"),
            ("caused", "Caused", "share", "low", "high"),
            ("won", "Customers who ordered because of it", "number", "won_low", "won_high"),
            ("is_open", "Still counting", "text"),
        ),
        rows=tuple(rows),
    )


def _figures(known: int, total: int) -> tuple[ReportFigure, ...]:
    return (
        ReportFigure(
            name="orders",
            title="Orders",
            unit="orders",
            value=total,
            definition="Orders of the window that were not cancelled.",
            metric="orders",
        ),
        ReportFigure(
            name="known",
            title="With a touch known",
            unit="share",
            definition="The share of orders before which at least one touch is known.",
            good="up",
        ).of(share(known, total)),
    )


def _sentence(credits: Mapping[str, Mapping[str, int]], known: int, total: int) -> str:
    if not known:
        return f"Of none of the {total:,} orders is it known by which channel the customer came."
    best = {
        name: max(sorted(shares), key=lambda channel: shares[channel])
        for name, shares in credits.items()
    }
    agreed = set(best.values())
    which = (
        f"Every rule credits {best['last']} with most."
        if len(agreed) == 1
        else f"The rules disagree: the last touch credits {best['last']} with most, the first "
        f"{best['first']}, removal {best['removal']}."
    )
    return f"Of {known:,} of {total:,} orders a touch is known. {which}"


def _pictures(known: int) -> tuple[Picture, ...]:
    if not known:
        return ()
    return (
        Picture(
            kind="bar",
            table="credits",
            title="The same orders, shared by different rules",
            x="channel",
            y=("last", "first", "removal", "shapley"),
            without=(_UNKNOWN,),
        ),
    )


def _notes(caused: Sequence[Caused], names: dict[int, str]) -> tuple[str, ...]:
    said = [
        "None of the rules is causal: a channel that shows itself to those who would have ordered "
        f"anyway gets credit all the same. Of journeys with more than {PLACES} touches the last "
        f"{PLACES} count.",
    ]
    if not caused:
        said.append(
            "What a channel causes is known from an experiment only: let a campaign hold "
            "customers out, and its effect stands here."
        )
    said += [
        f"Of campaign {call_campaign(names, one.campaign_id)} no effect is stated: {one.mismatch}."
        for one in caused
        if one.mismatch
    ]
    if any(one.difference is None and not one.mismatch for one in caused):
        said.append("Of groups of fewer than 30 customers nothing can be said.")
    return tuple(said)
