"""Reports and rules on a real Spark cluster find, to the value, what DuckDB finds."""

import pytest

from amity.analysis.logic.batch.engines import DUCKDB, SPARK
from amity.testing.reports_kit import duckdb_engine
from amity.testing.spark import JSON_FUNCTIONS, find_spark, running_cluster, to_spark_sql
from amity.testing.spark_questions import differ, make_town, report_questions, rule_questions
from amity.testing.warehouse import open_memory


@pytest.mark.timeout(14_400)
def test_spark_finds_what_duckdb_finds():
    assert find_spark() is not None, "no Spark where AMITY_SPARK says"
    town = make_town()
    run, duck = duckdb_engine(town), open_memory()
    for name, table in town.items():
        duck.register(name, table)
    wanted, queries = {}, {}
    for report, part, expression in report_questions(is_all=True):
        query = to_spark_sql(expression)
        if query not in queries.values():
            name = f"report {report} {part}"
            wanted[name], queries[name] = run(expression), query
    for name, question in rule_questions():
        wanted[name] = duck.execute(question.say(DUCKDB)).to_arrow_table()
        # By itself: one query of many rules takes Spark longer than many.
        queries[name] = question.say(SPARK)
    with running_cluster() as cluster:
        answer = cluster.ask(
            town, queries, prelude=[*SPARK.prelude, *JSON_FUNCTIONS], seconds=13_800
        )
    assert not answer.failures
    assert answer.workers == 2
    assert not [name for name in wanted if differ(wanted[name], answer.tables[name])]
    filled = [name for name, table in wanted.items() if table.num_rows]
    assert len(filled) > len(wanted) / 2, "most questions have an answer to compare"
    duck.close()
