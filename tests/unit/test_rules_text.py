"""What people type, and what is said when it cannot be understood."""

import pytest

from amity.kernel.errors import Invalid
from amity.rules.text_reading import read_text
from amity.rules.text_writing import write_text

IDS = {"fans": 7}


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("country is FR", 'country is "FR"'),
        (
            "a is 1 or b is 2 and not (c is 3 or d is 4)",
            "a is 1 or (b is 2 and not (c is 3 or d is 4))",
        ),
        (
            "Viewed Bread at least 3 times in 30 days",
            'did "Product Viewed" at least 3 times in the last 30 days where name is "Bread"',
        ),
        (
            "viewed category “Red wine” where price is more than 9.5",
            'did "Product Viewed" where (category is "Red wine" and price is more than 9.5)',
        ),
        (
            'did not "Order Completed" within 2 weeks',
            'never did "Order Completed" in the last 14 days',
        ),
        (
            'did "Order Completed" exactly 2 times in 36 hours',
            'did "Order Completed" at least 2 times at most 2 times in the last 36 hours',
        ),
        ("number of orders is at least 3", "number of orders is at least 3"),
        ("trait number is at least 3", 'trait "number" is at least 3'),
        ("profile.last_seen_at is in the last 1 day", "last seen is in the last 1 day"),
        ("tags is one of a, b, 3", 'tags is one of "a", "b", 3'),
        ("born is on or after 2001-05-03", 'born is on or after "2001-05-03"'),
        ("in segment fans and allows email", 'is in segment 7 and allows "email" now'),
        ("is in segment 12", "is in segment 12"),
        ("a is known and not (b is 2)", "(a is known) and not b is 2"),
        ("a is known and not 3", "a is known and not 3"),
        (
            "did X at least 2 times in the last 3 whole months in zone Europe/Paris",
            'did "X" at least 2 times in the last 3 whole months in zone Europe/Paris',
        ),
        (
            "did X in this week and never Y in last year",
            'did "X" in this week and never did "Y" in last year',
        ),
        (
            "viewed Bread at least 3 times in 30 days and not bought it",
            '(did "Product Viewed" at least 3 times in the last 30 days where name is "Bread")'
            ' and not bought "Bread"',
        ),
        (
            "never bought category Tea at most 2 times in last month",
            'not bought category "Tea" at most 2 times in last month',
        ),
        (
            'did Login then "Order Completed" where total is at least 5 within 7 days without'
            " Logout in the last 30 days",
            'did "Login" then "Order Completed" where total is at least 5 within 7 days without'
            ' "Logout" in the last 30 days',
        ),
        ("score clv is at least 90", "score clv is at least 90"),
        (
            'percentile of score "churn:30" is less than 10',
            'percentile of score "churn:30" is less than 10',
        ),
        ("all(of: [(a is 1)])", "all(of: [(a is 1)])"),
    ],
)
def test_what_people_type(typed, written):
    assert write_text(read_text(typed, IDS), {}) == written


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "character 1 (“its end”): expected a condition"),
        ("country is", "character 11 (“its end”): expected a value"),
        ("country was FR", "character 9 (“was FR”): expected a test"),
        ("(a is 1", "expected `)`"),
        ("a is 1 b is 2", "character 8 (“b is 2”): expected `and`, `or` or the end"),
        ('a is "open', "a quote is opened and not closed"),
        ("in segment Nobody", "there is no segment “Nobody”"),
        ("did X at least 2", "expected `times`"),
        ("did X at least 1.5 times", "expected a whole number"),
        ("did X in 3 days in 4 days", "this is said twice: within days"),
        ("x is in the last 3 moons", "expected days, weeks, hours or minutes"),
        ("(" * 100 + "a is 1", "too many brackets"),
        ("not " * 100 + "a is 1", "too many `not`"),
        ("a is 1 and " * 30_000 + "a is 1", "characters"),
    ],
)
def test_what_cannot_be_understood(typed, reason):
    with pytest.raises(Invalid) as refused:
        read_text(typed, IDS)
    assert reason in str(refused.value)
    assert refused.value.reason == "invalid_rule"
