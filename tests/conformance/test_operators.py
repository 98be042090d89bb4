"""Every operator in the registry is held to the conformance kit."""

import pytest

from amity.infra import database
from amity.rules.operator import operators
from amity.testing import rules_kit


@pytest.mark.parametrize("name", operators.names())
def test_operator_conforms(module_db, name):
    with database.transaction("readonly") as connection:
        rules_kit.check_operator(operators[name], connection)


def test_kit_catches_an_operator_whose_faces_differ(module_db):
    class Broken(operators["gt"], frozen=True, tag="gt"):
        def matches(self, actual, now):
            return actual.__class__ in (int, float, bool) and actual > self.value

    with (
        database.transaction("readonly") as connection,
        pytest.raises(AssertionError, match="on True: memory, compiled, SQL"),
    ):
        rules_kit.assert_faces_agree(Broken(0), [True], connection)
