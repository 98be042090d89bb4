"""Reports and rules on a real Spark cluster find, to the value, what DuckDB finds."""

import math
from datetime import datetime

import pytest

from amity.analysis.logic.batch.catalogue import make_catalogue
from amity.analysis.logic.batch.engines import DUCKDB, SPARK
from amity.analysis.logic.batch.translating import translate
from amity.analysis.logic.reporting.answering import to_rows
from amity.analysis.report import load_reports
from amity.rules import Check, conditions, mentions, to_sql
from amity.rules.operator import operators
from amity.testing.reports_kit import ASKED, NOW, complete, duckdb_engine, expressions, random_town
from amity.testing.spark import JSON_FUNCTIONS, find_spark, running_cluster, to_spark_sql
from amity.testing.warehouse import open_memory


@pytest.fixture(scope="module")
def town():
    """Rows of everything, with the traits that rules ask for."""
    made = random_town(7, customers=60)
    awkward = ['"FR"', "5", "1.0", "true", "null", "[]", '["FR", 1]', "{}", '"2026-01-31"', "0.1"]
    awkward += ['"2026-04-20T08:00:00Z"', '"a%b"', "9007199254740993", '["a", true]', '"é\\\\"']
    for number, row in enumerate(made.rows["profiles"]):
        row["traits"] = f'{{"x": {awkward[number % len(awkward)]}}}'
        row["consents"] = '{"news": {"status": "granted", "at": "2026-01-01T00:00:00Z"}}'
        row |= {"order_count": number % 5, "event_count": number, "revenue_minor": number * 1001}
    return made.tables()


def report_queries():
    """Name every expression of every report."""
    for name in load_reports().names():
        kind = load_reports()[name]
        asked = complete(kind, ASKED, {})
        for part, expression in kind().expressions(expressions(), asked).items():
            yield f"report {name} {part}", expression


def rules():
    """Give every operator once, and every condition in the kinds its examples show."""
    for kind in operators:
        yield Check("trait.x", next(iter(kind.examples())))
    for kind in conditions:
        for example in kind.examples():
            found = mentions(example)
            if not (found.segments or found.scores or found.together):
                yield example


def rule_queries(engine):
    """Name the query of each rule; one query of many rules takes Spark longer than many."""
    for number, rule in enumerate(rules()):
        query = translate(to_sql(rule, make_catalogue({}), NOW), engine)
        yield f"rule {number} {type(rule).__name__}", query


def plain(value):
    """Return a value as both engines give it: floats to twelve digits, instants in one zone."""
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.12g}")
    if isinstance(value, datetime):
        return value.timestamp()
    return value


def rows_of(table):
    rows = [tuple((key, plain(row[key])) for key in sorted(row)) for row in to_rows(table)]
    return sorted(rows, key=repr)


@pytest.mark.timeout(1200)
def test_spark_finds_what_duckdb_finds(town):
    assert find_spark() is not None, "no Spark where AMITY_SPARK says"
    run, duck = duckdb_engine(town), open_memory()
    for name, table in town.items():
        duck.register(name, table)
    wanted = {name: run(expression) for name, expression in report_queries()}
    queries = {name: to_spark_sql(expression) for name, expression in report_queries()}
    for name, query in rule_queries(DUCKDB):
        wanted[name] = duck.execute(query).to_arrow_table()
    queries |= dict(rule_queries(SPARK))
    with running_cluster() as cluster:
        answer = cluster.ask(town, queries, prelude=[*SPARK.prelude, *JSON_FUNCTIONS], seconds=1000)
    assert not answer.failures
    assert answer.workers == 2
    differing = [name for name in wanted if rows_of(wanted[name]) != rows_of(answer.tables[name])]
    assert not differing
    filled = [name for name, table in wanted.items() if table.num_rows]
    assert len(filled) > len(wanted) / 2, "most questions have an answer to compare"
    duck.close()
