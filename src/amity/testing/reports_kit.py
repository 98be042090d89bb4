"""What every report must keep: use it to test your own.

`check_report(MyReport)` raises AssertionError with what is broken. It runs the report over an empty
warehouse, a tiny one made by hand and random ones, on DuckDB in this process; give ``engine`` to
run it elsewhere. `Town` makes warehouses: use it for the numbers your own report must find.
"""

import math
import random
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, Final
from uuid import UUID

import duckdb
import ibis
import msgspec
import pyarrow as pa

from amity.analysis.contracts_reports import ReportAnswer, ReportTable
from amity.analysis.logic.reporting.answering import Helps, Keep, Run, answer, drill, plan
from amity.analysis.report import Asked, Report
from amity.infra.warehouse import Shape
from amity.infra.warehouse_reading import schema_of
from amity.rules import decode_rule
from amity.web.warehousing import list_exports

NOW: Final = datetime(2026, 5, 4, 12, tzinfo=UTC)
FROM: Final = date(2026, 2, 1)
UNTIL: Final = date(2026, 5, 1)
ASKED: Final = Asked(from_on=FROM, until_on=UNTIL, now=NOW, currency="EUR")
_ARROW: Final[dict[str, pa.DataType]] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "text": pa.string(),
    "instant": pa.timestamp("us", tz="UTC"),
    "boolean": pa.bool_(),
    "json": pa.string(),
}
_COMMON: Final = frozenset(("days", "from", "until", "compare", "segment", "currency", "by"))
_NAMES: Final = (
    "Product Viewed",
    "Product Added",
    "Cart Viewed",
    "Checkout Started",
    "Email Opened",
    "Email Link Clicked",
    "Survey Answered",
)

Row = dict[str, Any]
Engine = Callable[[Mapping[str, pa.Table]], Run]
"""Given the tables' rows, returns what runs expressions over them."""


@cache
def shapes() -> dict[str, Shape]:
    """Return the shapes of the warehouse's tables, without a database."""
    return {export.name: export.shape for export in list_exports()}


@cache
def expressions() -> Mapping[str, ibis.Table]:
    """Return the warehouse's tables as expressions, as `warehouse_reading.tables` does."""
    return {name: ibis.table(schema_of(shape), name=name) for name, shape in shapes().items()}


class Town:
    """A warehouse made by hand: call what happened, then `tables`."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {name: [] for name in shapes()}
        self._event_id = 0

    def customer(
        self, customer_id: int, *, root_id: int | None = None, seen: datetime = NOW, **more: Any
    ) -> None:
        """Add a profile; with ``root_id`` one that was merged into another."""
        row = {"profile_id": customer_id, "root_id": root_id or customer_id} | more
        row.setdefault("merged_into", root_id)
        row.setdefault("first_seen_at", seen)
        row.setdefault("last_seen_at", seen)
        row.setdefault("traits", "{}")
        row.setdefault("consents", "{}")
        self.rows["profiles"].append(row)

    def event(
        self,
        profile_id: int,
        name: str,
        at: datetime,
        properties: Row | None = None,
        **more: Any,
    ) -> int:
        """Add an event; return its id."""
        self._event_id += 1
        row = {
            "event_id": self._event_id,
            "origin_id": profile_id,
            "source_id": 2,
            "type": "track",
            "name": name,
            "occurred_at": at,
            "received_at": at,
            "properties": msgspec.json.encode(properties or {}).decode(),
            "context": "{}",
            "day": at.date(),
        }
        self.rows["events"].append(row | more)
        return self._event_id

    def order(
        self,
        profile_id: int,
        at: datetime,
        total_minor: int,
        *,
        products: tuple[Row, ...] = (),
        **more: Any,
    ) -> str:
        """Add an order and its event; return its id."""
        number = len(self.rows["orders"]) + 1
        order_id = f"o-{number}"
        currency = more.get("currency", "EUR")
        properties = {"order_id": order_id, "currency": currency, "products": list(products)}
        event_id = self.event(
            profile_id,
            "Order Completed",
            at,
            properties | {"total": total_minor / 100},
        )
        row = {
            "profile_id": profile_id,
            "order_id": order_id,
            "placed_at": at,
            "event_id": event_id,
            "total_minor": total_minor,
            "currency": currency,
            "items": len(products),
            "refunded_minor": 0,
            "is_refunded": False,
            "is_cancelled": False,
        }
        self.rows["orders"].append(row | more)
        for line, product in enumerate(products, start=1):
            self._line(profile_id, event_id, at, line, product)
        return order_id

    def _line(self, profile_id: int, event_id: int, at: datetime, line: int, product: Row) -> None:
        quantity = product.get("quantity", 1)
        row = {
            "event_id": event_id,
            "origin_id": profile_id,
            "received_at": at,
            "line": line,
            "quantity_milli": round(quantity * 1000),
            "day": at.date(),
        }
        for name in ("price", "cost"):
            if name in product:
                column = "amount_micro" if name == "price" else "cost_micro"
                row[column] = round(product[name] * quantity * 1_000_000)
        told = ("product_id", "name", "category", "brand")
        self.rows["order_lines"].append(row | {name: product.get(name) for name in told})

    def send(self, profile_id: int, at: datetime, **more: Any) -> None:
        """Add a message that went out."""
        row = {
            "send_id": f"s-{len(self.rows['sends']) + 1}",
            "planned_at": at,
            "run_kind": "campaign",
            "run_id": 1,
            "step_key": "",
            "contact_point": "",
            "profile_id": profile_id,
            "channel": "email",
            "class": "marketing",
            "purpose": "newsletter",
            "state": "delivered",
            "reason": "",
            "attempts": 1,
            "wire_at": at,
            "settled_at": at,
        }
        self.rows["sends"].append(row | more)

    def draw(self, campaign_id: int, profile_id: int, at: datetime, **more: Any) -> None:
        """Add somebody a campaign drew: to be written to, or with `arm="holdout"` held out."""
        row = {
            "participant_id": f"{campaign_id}:{profile_id}",
            "campaign_id": campaign_id,
            "profile_id": profile_id,
            "arm": "treatment",
            "assigned_at": at,
            "window_seconds": 7 * 86_400,
        }
        self.rows["participants"].append(row | more)

    def member(
        self, segment_id: int, profile_id: int, entered: datetime, left: datetime | None = None
    ) -> None:
        """Add a stay in a segment."""
        self.rows["memberships"].append(
            {
                "membership_id": len(self.rows["memberships"]) + 1,
                "segment_id": segment_id,
                "profile_id": profile_id,
                "entered_at": entered,
                "left_at": left,
            }
        )

    def score(self, profile_id: int, name: str, **more: Any) -> None:
        """Add a score: its `value`, `label`, `percentile`."""
        row = {"score_id": f"{profile_id}:{name}", "profile_id": profile_id, "name": name}
        self.rows["scores"].append({"label": "", "computed_at": NOW} | row | more)

    def link(self, kind: str, group: int, profile_id: int) -> None:
        """Have a customer belong to a household or company."""
        key = str(UUID(int=group))
        row = {"link_id": f"{kind}:{key}:{profile_id}", "kind": kind, "link_key": key}
        shared = {"profile_id": profile_id, "label": "", "probability": 0.8, "found_at": NOW}
        self.rows["links"].append(row | shared)

    def review(self, kind: str, one_id: int, other_id: int, state: str) -> None:
        """Have somebody said that two belong together, or that they do not."""
        row = {"review_id": len(self.rows["link_reviews"]) + 1, "kind": kind, "state": state}
        self.rows["link_reviews"].append(
            row | {"one_id": one_id, "other_id": other_id, "decided_at": NOW}
        )

    def tables(self) -> dict[str, pa.Table]:
        """Return the rows as Arrow, every column there."""
        return {name: _to_arrow(shape, self.rows[name]) for name, shape in shapes().items()}


def tiny_town() -> Town:
    """Return five customers with every trouble: merges, refunds, currencies, nothing bought."""
    town = Town()
    day = datetime(2026, 3, 2, 10, tzinfo=UTC)
    for customer_id in (1, 2, 3, 4):
        town.customer(customer_id, seen=day - timedelta(days=200))
    town.customer(5, root_id=1)
    bread = {"product_id": "b", "category": "Bakery", "brand": "Own", "quantity": 2, "price": 3}
    wine = {"product_id": "w", "category": "Wine", "quantity": 1, "price": 20.5}
    for customer_id, days, total, more in (
        (1, 0, 2650, {}),
        (5, 7, 600, {"refunded_minor": 900}),
        (2, 1, 600, {"currency": "USD"}),
        (2, -90, 2050, {}),
        (2, 20, 600, {"is_refunded": True}),
        (3, 3, 2050, {"refunded_minor": 50}),
        (3, 4, 600, {"is_cancelled": True}),
        (3, -150, 600, {}),
    ):
        at = day + timedelta(days=days)
        for name in ("Product Viewed", "Product Added", "Checkout Started"):
            town.event(customer_id, name, at - timedelta(hours=1), {"product_id": "b"})
        town.order(customer_id, at, total, products=(bread, wine), **more)
        town.send(customer_id, at - timedelta(days=1))
    town.event(4, "Product Viewed", day, {"product_id": "w"})
    town.member(7, 1, day)
    town.member(7, 2, day, day + timedelta(days=1))
    return town


def random_town(seed: int, *, customers: int = 40) -> Town:
    """Return a town of which everything is drawn; the same for a seed."""
    rng = random.Random(seed)  # noqa: S311  # a test's dice
    town = Town()
    first = datetime(2025, 9, 1, tzinfo=UTC)
    for customer_id in range(1, customers + 1):
        is_merged = customer_id > 1 and rng.random() < 0.1
        town.customer(customer_id, root_id=1 if is_merged else None, seen=first)
        if rng.random() < 0.3:
            town.member(7, customer_id, first + timedelta(days=rng.randrange(250)))
        for _ in range(int(rng.expovariate(0.2))):
            at = first + timedelta(seconds=rng.randrange(250 * 86_400))
            _happen(town, rng, customer_id, at)
    return town


def check_report(
    kind: type[Report],
    *,
    asked: Asked = ASKED,
    facts: Mapping[str, list[Row]] | None = None,
    engine: Engine | None = None,
    seeds: int = 1,
) -> None:
    """Check what a report promises; ``facts`` is what the company has entered."""
    made = engine or duckdb_engine
    kind = _thrifty(kind)
    question = complete(kind, asked, facts or {})
    check_words(kind)
    check_empty(kind, question, made)
    for place, town in enumerate((tiny_town(), *(random_town(seed) for seed in range(seeds)))):
        rows = town.tables()
        run = made(rows)
        # What costs is building expressions, so the time before is asked for of one town only.
        is_compared = not place
        found = answer(kind(), expressions(), question, run, is_compared=is_compared)
        check_answer(kind, found)
        turned = made(_reversed(rows))
        again = answer(kind(), expressions(), question, turned, is_compared=is_compared)
        assert again == found, f"{kind.name} answers the same rows in another order otherwise"
        check_shared(kind, question, town, run)
        check_drill(kind, question, found, run)
        check_currency(kind, question, town, made)
    check_segment(kind, question, made(tiny_town().tables()))


def check_words(kind: type[Report]) -> None:
    """Its words are there, and its parameters' defaults pass their own bounds."""
    for word in (kind.name, kind.title, kind.question, kind.definition):
        assert word.strip(), kind.name
    assert kind.question.endswith("?"), kind.question
    assert kind.days > 0
    for parameter in kind.parameters:
        assert parameter.name not in _COMMON, f"{parameter.name} means something in every report"
        if parameter.kind == "choice":
            assert parameter.default in dict(parameter.choices), parameter.name
        if isinstance(parameter.default, int | float):
            assert parameter.least is None or parameter.least <= parameter.default, parameter.name
            assert parameter.most is None or parameter.default <= parameter.most, parameter.name


def check_empty(kind: type[Report], asked: Asked, engine: Engine) -> None:
    """Over nothing it explains itself, and no figure is a number that nobody measured."""
    run = engine(Town().tables())
    found = answer(kind(), expressions(), asked, run)
    assert found.empty, f"{kind.name} must say why it is empty"
    assert not found.pictures, kind.name
    for figure in found.figures:
        assert not figure.value, (kind.name, figure)


def check_answer(kind: type[Report], found: ReportAnswer) -> None:
    """What it gives back is whole: units kept, pictures drawn from its tables, words said."""
    assert found.sentence.strip(), kind.name
    kept = msgspec.json.decode(msgspec.json.encode(found), type=ReportAnswer)
    assert kept == found, f"{kind.name} does not survive being kept"
    names = [figure.name for figure in found.figures]
    assert len(set(names)) == len(names), names
    for figure in found.figures:
        assert figure.definition.strip(), figure.name
        assert figure.value is None or math.isfinite(figure.value), figure
        if figure.low is not None and figure.high is not None and figure.value is not None:
            slack = 1e-9 * max(1.0, abs(figure.value))
            assert figure.low - slack <= figure.value <= figure.high + slack, figure
    for table in found.tables:
        _check_table(table)
    for picture in found.pictures:
        columns = {column.name for column in found.table(picture.table).columns}
        drawn = {picture.x, *picture.y, picture.value, picture.series, picture.low, picture.high}
        assert drawn - {""} <= columns, (kind.name, drawn - columns)
        assert picture.title.strip(), kind.name


def check_drill(kind: type[Report], asked: Asked, found: ReportAnswer, run: Run) -> None:
    """Opened, a row has as many customers as it counts, each once; its rule can be read."""
    tomorrow = asked.now.date() + timedelta(days=1)
    until_today = msgspec.structs.replace(asked, until_on=tomorrow)
    for table in found.tables:
        if not table.key:
            continue
        places = {len(table.rows) // 3, len(table.rows) - 1} if table.rows else set()
        for number in sorted(places):
            row = table.row(number)
            ids = drill(kind(), expressions(), asked, run, table=table.name, row=row)
            assert ids is not None, (kind.name, table.name)
            assert len(ids) == row[table.counted], (kind.name, table.name, row, ids)
            for question in (asked, until_today):
                rule = kind().segment_rule(question, table.name, row)
                is_read = rule is None or decode_rule(rule.rule).describe()
                assert is_read, (kind.name, table.name, row)


def check_shared(kind: type[Report], asked: Asked, town: Town, run: Run) -> None:
    """What it shares is used by what comes later, and computed once gives the same answer."""
    parts = plan(kind(), expressions(), asked, {})
    for place, part in enumerate(parts):
        later = (_to_sql(other.expression) for other in parts[place + 1 :])
        assert not part.is_kept or any(f'"{part.name}"' in sql for sql in later), part.name
    if any(part.is_kept for part in parts):
        keeping, keep = _keeping_engine(town.tables())
        kept = answer(kind(), expressions(), asked, keeping, helps=Helps(keep=keep))
        assert kept == answer(kind(), expressions(), asked, run), f"{kind.name} shares otherwise"


def check_segment(kind: type[Report], asked: Asked, run: Run) -> None:
    """Asked of a segment nobody is in, it explains itself."""
    if "segment" in kind.uses:
        nobody = msgspec.structs.replace(asked, segment_id=404)
        assert answer(kind(), expressions(), nobody, run).empty, kind.name


def check_currency(kind: type[Report], asked: Asked, town: Town, engine: Engine) -> None:
    """Orders of another currency change nothing but the notes and what counts orders of all."""
    if "currency" not in kind.uses:
        return
    foreign = [row for row in town.rows["orders"] if row["currency"] != asked.currency]
    dearer = Town()
    dearer.rows = dict(town.rows)
    dearer.rows["orders"] = [
        row | {"total_minor": 10**9} if row in foreign else row for row in town.rows["orders"]
    ]
    one = answer(kind(), expressions(), asked, engine(town.tables()))
    other = answer(kind(), expressions(), asked, engine(dearer.tables()))
    assert one == other, f"{kind.name} adds currencies"


def complete(kind: type[Report], asked: Asked, facts: Mapping[str, list[Row]]) -> Asked:
    """Return a question with the report's own parameters at their defaults."""
    choices = {parameter.name: parameter.default for parameter in kind.parameters}
    known = {name: facts.get(name, []) for name in sorted(kind.needs)}
    return msgspec.structs.replace(asked, choices=choices | dict(asked.choices), facts=known)


def find(
    kind: type[Report], town: Town, *, asked: Asked = ASKED, facts: Mapping[str, Any] | None = None
) -> ReportAnswer:
    """Return what a report finds in a town, the time before beside it."""
    question = complete(kind, asked, facts or {})
    run = duckdb_engine(town.tables())
    return answer(kind(), expressions(), question, run, is_compared=True)


def duckdb_engine(rows: Mapping[str, pa.Table]) -> Run:
    """Run expressions on DuckDB in this process."""
    return _keeping_engine(rows)[0]


def _keeping_engine(rows: Mapping[str, pa.Table]) -> tuple[Run, Keep]:
    connection = duckdb.connect(":memory:", config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    for name, table in rows.items():
        connection.register(name, table)

    def run(expression: ibis.Table) -> pa.Table:
        return connection.execute(_to_sql(expression)).to_arrow_table()

    def keep(name: str, expression: ibis.Table) -> None:
        connection.execute(f'CREATE TABLE "{name}" AS {_to_sql(expression)}')

    return run, keep


@lru_cache(maxsize=256)
def _to_sql(expression: ibis.Table) -> str:
    return str(ibis.to_sql(expression, dialect="duckdb"))


def _thrifty(kind: type[Report]) -> type[Report]:
    """Return the report, building the expressions of one question once: that is what costs."""
    known: dict[bytes, dict[str, ibis.Table]] = {}

    class Thrifty(kind):  # type: ignore[valid-type, misc]  # a class known at run time only
        def expressions(
            self, tables: Mapping[str, ibis.Table], asked: Asked
        ) -> dict[str, ibis.Table]:
            key = msgspec.json.encode(asked)
            if key not in known:
                known[key] = super().expressions(tables, asked)
            return known[key]

    return Thrifty


def _happen(town: Town, rng: random.Random, customer_id: int, at: datetime) -> None:
    dice = rng.random()
    if dice < 0.35:
        product = {
            "product_id": f"p{rng.randrange(6)}",
            "category": rng.choice(("Bakery", "Wine", "Cheese")),
            "quantity": rng.randrange(1, 4),
            "price": rng.randrange(1, 30),
        }
        more = {
            "currency": "EUR" if rng.random() < 0.9 else "USD",
            "refunded_minor": rng.choice((0, 0, 0, 300, 10_000)),
            "is_refunded": rng.random() < 0.05,
            "is_cancelled": rng.random() < 0.05,
        }
        town.order(customer_id, at, rng.randrange(0, 9000), products=(product,), **more)
    elif dice < 0.5:
        town.send(customer_id, at, state=rng.choice(("delivered", "bounced", "sent")))
    else:
        name = rng.choice(_NAMES)
        properties = {
            "product_id": f"p{rng.randrange(6)}",
            "kind": "nps",
            "answer": rng.randrange(11),
        }
        town.event(customer_id, name, at, properties)


def _check_table(table: ReportTable) -> None:
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names), names
    ends = {end for column in table.columns for end in (column.low, column.high)} - {""}
    assert ends <= set(names), (table.name, ends)
    keys = [table.key_of(row) for row in table.rows]
    assert not table.key or len(set(keys)) == len(keys), (table.name, keys)
    for row in table.rows:
        assert len(row) == len(names), (table.name, row)
        for column, value in zip(table.columns, row, strict=True):
            # What is not known is None, never NaN.
            assert not isinstance(value, float) or math.isfinite(value), (table.name, column.name)
            if column.unit in {"customers", "orders", "events", "messages"}:
                assert value is None or isinstance(value, int | float), (column.name, value)
        _check_ends(table, dict(zip(names, row, strict=True)))


def _check_ends(table: ReportTable, row: Mapping[str, Any]) -> None:
    """An estimate lies within its interval, as far as floating point can tell."""
    for column in table.shown:
        value = row[column.name]
        low, high = row.get(column.low), row.get(column.high)
        if None not in (value, low, high):
            slack = 1e-9 * max(1.0, abs(value))
            assert low - slack <= value <= high + slack, (table.name, column.name, row)


def _reversed(rows: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    return {
        name: table.take(pa.array(range(len(table) - 1, -1, -1), pa.int64()))
        for name, table in rows.items()
    }


def _to_arrow(shape: Shape, rows: list[Row]) -> pa.Table:
    columns = {
        name: pa.array([row.get(name) for row in rows], _ARROW[kind])
        for name, kind in shape.columns.items()
    }
    columns["day"] = pa.array([row.get("day") for row in rows], pa.date32())
    return pa.table(columns)
