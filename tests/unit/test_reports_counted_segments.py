"""Every report of a segment, and over joined customers, is that of a town without the others."""

import math
from functools import cache

import msgspec
import pytest

from amity.analysis.logic.reporting.answering import answer
from amity.analysis.report import load_reports
from amity.testing import reports_oracle as oracle
from amity.testing.reports_kit import ASKED, complete, duckdb_engine, expressions

TOWN = oracle.crowd(5, customers=120)


@cache
def engine(which):
    inside = oracle.members(TOWN, 7, oracle.WINDOW[1])
    assert 20 < len(inside) < 60
    towns = {
        "everybody": lambda: TOWN,
        "members": lambda: oracle.only_members(TOWN, inside),
        "settled": lambda: oracle.settle(TOWN),
    }
    return duckdb_engine(towns[which]().tables())


def alike(one, other):
    """Say whether two answers are the same, but for the last digits of what was added."""
    if isinstance(one, msgspec.Struct):
        one, other = msgspec.to_builtins(one), msgspec.to_builtins(other)
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return one == other


@pytest.mark.parametrize("name", sorted(load_reports().names()))
def test_a_report_counts_members_only_and_the_joined_as_one(name):
    kind = load_reports()[name]
    assert "segment" in kind.uses

    class Known(kind):
        """The report, building the same expressions once: that is what takes long."""

        @cache  # noqa: B019  # it lives as long as this test
        def told(self, segment_id):
            asked = msgspec.structs.replace(ASKED, segment_id=segment_id)
            return kind.expressions(self, expressions(), complete(kind, asked, {}))

        def expressions(self, tables, asked):
            return self.told(asked.segment_id)

    report = Known()

    def ask(which, segment_id=None):
        asked = msgspec.structs.replace(ASKED, segment_id=segment_id)
        return answer(report, expressions(), complete(kind, asked, {}), engine(which))

    everybody, of_segment = ask("everybody"), ask("everybody", 7)
    assert not of_segment.empty
    assert alike(of_segment, ask("members"))
    assert not alike(of_segment, everybody)
    assert alike(everybody, ask("settled"))
