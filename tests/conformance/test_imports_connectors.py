import pytest

from amity.store.connector import connectors
from amity.testing import connectors_kit


@pytest.mark.parametrize("kind", list(connectors()), ids=lambda kind: kind.name)
@pytest.mark.parametrize("check", connectors_kit.CHECKS, ids=lambda check: check.__name__)
def test_connector_conforms(kind, check):
    check(kind)


def test_the_three_kinds_of_files_are_there():
    assert {"customers", "events", "orders"} <= set(connectors().names())
