"""Every report of the registry keeps what the plug point promises."""

import pytest

from amity.analysis.report import load_reports
from amity.testing.reports_kit import check_report


@pytest.mark.parametrize("name", load_reports().names())
def test_report_conforms(name):
    kind = load_reports()[name]
    assert kind.name == name
    check_report(kind)
