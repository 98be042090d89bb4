"""What every report must keep: use it to test your own.

`check_report(MyReport)` raises AssertionError with what is broken. It runs the report over an empty
warehouse, a tiny one made by hand and random ones (`reports_town`), on DuckDB in this process; give
``engine`` to run it elsewhere. `find` says what a report finds in a `Town` of your own.
"""

import math
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

import duckdb
import ibis
import msgspec
import pyarrow as pa

from amity.analysis.contracts_reports import ReportAnswer, ReportTable
from amity.analysis.logic.reporting.answering import Helps, Keep, Run, answer, drill, plan
from amity.analysis.report import Asked, Report
from amity.rules import decode_rule
from amity.testing.reports_town import NOW, Row, Town, expressions, random_town, tiny_town

FROM: Final = date(2026, 2, 1)
UNTIL: Final = date(2026, 5, 1)
ASKED: Final = Asked(from_on=FROM, until_on=UNTIL, now=NOW, currency="EUR")
_COMMON: Final = frozenset(("days", "from", "until", "compare", "segment", "currency", "by"))
Engine = Callable[[Mapping[str, pa.Table]], Run]
"""Given the tables' rows, returns what runs expressions over them."""


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
