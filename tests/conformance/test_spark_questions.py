"""What `make spark-check` asks: everything there is, in words of Spark's; no Spark is needed."""

import math

import pyarrow as pa
import pytest

from amity.analysis.logic.batch.engines import SPARK
from amity.analysis.report import load_reports
from amity.rules import Check, conditions
from amity.rules.operator import operators
from amity.testing.spark import to_spark_sql
from amity.testing.spark_questions import TOLERANCE, differ, report_questions, rule_questions


def test_every_report_is_asked_of_spark():
    asked = list(report_questions())
    assert {name for name, _, _ in asked} == set(load_reports().names())
    for name, part, expression in asked:
        assert to_spark_sql(expression), (name, part)


def test_every_operator_and_condition_is_asked_of_spark():
    asked = [question.rule for _, question in rule_questions()]
    assert {type(rule) for rule in asked} >= set(conditions)
    used = {type(rule.is_) for rule in asked if isinstance(rule, Check)}
    assert used >= {type(next(iter(kind.examples()))) for kind in operators}
    for name, question in rule_questions():
        assert question.say(SPARK), name


@pytest.mark.parametrize(
    ("one", "other", "is_other"),
    [
        ([1.0, 2.0], [2.0 + TOLERANCE, 1.0], False),
        ([1.0, 2.0], [1.0, 2.001], True),
        ([1, 2], [1, 3], True),
        ([1, 2], [1.0, 2.0], True),
        ([1, 2], [1, 2, 2], True),
        ([None, math.nan], [math.nan, None], False),
        (["a"], ["b"], True),
        ([True], [1], True),
    ],
)
def test_answers_are_compared_by_value(one, other, is_other):
    assert differ(pa.table({"x": one}), pa.table({"x": other})) is is_other
    assert differ(pa.table({"x": one}), pa.table({"y": one}))
