"""How a number is said to have moved."""

import pytest

from amity.web.templatetags.amity import say_change


@pytest.mark.parametrize(
    ("value", "before", "is_share", "said"),
    [
        (0.45, 0.043, True, "+40.7 points"),
        (0.1, 0.25, True, "−15.0 points"),
        (0.1, 0.1002, True, "no change"),
        (150, 100, False, "+50 %"),
        (2_000, 100, False, "+1,900 %"),
        (-50, -100, False, "+50 %"),
        (99.8, 100, False, "no change"),
    ],
)
def test_shares_move_by_points_and_other_numbers_by_parts(value, before, is_share, said):
    assert say_change(value, before, is_share=is_share) == said
