"""Every condition in the registry is held to the conformance kit."""

import types
from datetime import timedelta

import pytest

from amity.infra import database
from amity.rules import Did, Look, Mentions, Subject, Where, condition, sql
from amity.rules.operator import operators
from amity.testing import rules_kit


@pytest.mark.parametrize("name", condition.conditions.names())
def test_condition_conforms(module_db, name):
    with database.transaction("readonly") as connection:
        rules_kit.check_condition(condition.conditions[name], connection)


PERSON = Subject(history={"A": [(rules_kit.NOW - timedelta(days=1), {"p": 1})]})
BROKEN = {
    "memory, compiled, loaded, SQL": {"to_sql": lambda self, selection: sql("false")},
    "nothing was to change": {"next_change": lambda self, subject, now: None},
    "the fast form": {"timing": lambda self: lambda subject, now: None},
    "must say so": {"mentions": lambda self: Mentions(looks={"A": Look(within_days=None)})},
    "is not counted": {"counts": lambda self: [("A", (Where("p", operators["eq"](2)),))]},
}


@pytest.mark.parametrize("reason", BROKEN)
def test_kit_catches_a_condition_whose_faces_differ(module_db, reason):
    broken = types.new_class(
        "Broken", (Did,), {"frozen": True, "tag": "did"}, lambda space: space.update(BROKEN[reason])
    )
    with (
        database.transaction("readonly") as connection,
        pytest.raises(AssertionError, match=reason),
    ):
        rules_kit.assert_conditions_agree(broken("A", within_days=30), [PERSON], connection)


def test_kit_catches_a_condition_that_counts_what_it_does_not_mention():
    class Silent(Did, frozen=True, tag="did"):
        def counts(self):
            return ()

    with pytest.raises(AssertionError, match="counts"):
        rules_kit.assert_counts_are_mentioned(Silent("A"))
