"""Every condition in the registry is held to the conformance kit."""

import pytest

from amity.infra import database
from amity.rules import condition
from amity.testing import rules_kit


@pytest.mark.parametrize("name", condition.conditions.names())
def test_condition_conforms(module_db, name):
    with database.transaction("readonly") as connection:
        rules_kit.check_condition(condition.conditions[name], connection)
