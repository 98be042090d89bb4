"""Every identity matcher holds to the kit."""

import pytest

from amity.store.matcher import matchers
from amity.testing import matchers_kit


@pytest.mark.parametrize("kind", list(matchers()), ids=lambda kind: kind.name)
@pytest.mark.parametrize("check", matchers_kit.CHECKS, ids=lambda check: check.__name__)
def test_matcher_conforms(kind, check):
    check(kind)


def test_no_heading_means_two_things():
    told = [heading for kind in matchers() for heading in kind.headings]
    assert sorted({heading for heading in told if told.count(heading) > 1}) == []
