"""What sets a segment apart, found among made customers of whom it is known."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from tests.fixtures.segment_town import define, send, settle, settle_in

from amity.analysis import api_segment_tools
from amity.analysis.estimator import Refused
from amity.kernel.clock import format_instant
from amity.kernel.errors import Invalid, NotFound

NOW = datetime.now(UTC)


def plan_is(value):
    return {"node": "check", "field": "trait.plan", "is": {"op": "eq", "value": value}}


@pytest.fixture
def town(db):
    rng = Random(7)
    people = [
        {
            "plan": "pro" if n % 3 == 0 else "free",
            "country": "FR" if rng.random() < (0.8 if n % 3 == 0 else 0.2) else "DE",
            "age": rng.randint(40, 60) if n % 3 == 0 else rng.randint(20, 40),
            "shoe": rng.randint(36, 46),
            "newsletter": rng.random() < 0.5,
            "email": f"p{n}@example.com",
        }
        for n in range(240)
    ]
    settle_in(people)
    send(
        *(
            {
                "messageId": f"e{n}",
                "type": "track",
                "userId": f"u{n}",
                "event": "Manual Opened",
                "timestamp": format_instant(NOW - timedelta(days=1)),
            }
            for n in range(240)
            if n % 3 == 0 and n % 4
        )
    )
    pro, free = define("Pro", plan_is("pro")), define("Free", plan_is("free"))
    settle()
    return pro, free


def test_what_differs_is_found_ranked_and_kept(town):
    pro, free = town
    assert api_segment_tools.find_differences(segment_id=pro) is None
    found = api_segment_tools.refresh_differences(segment_id=pro, now=NOW)
    assert (found.sampled_inside, found.sampled_outside, found.is_sampled) == (80, 160, False)
    told = {each.words: each for each in found.differences}
    assert set(told) >= {"mean age", "country is “FR”", "did “Manual Opened” at least once"}
    assert not any("shoe" in words or "newsletter" in words for words in told)
    assert not any("example.com" in words for words in told)
    manual = told["did “Manual Opened” at least once"]
    assert (manual.inside, manual.outside) == (60 / 80, 0)
    assert manual.low < 0.75 < manual.high
    # What the rule itself asks for stands last and is marked.
    marks = [each.is_by_rule for each in found.differences]
    assert marks == sorted(marks)
    assert told["plan is “pro”"].is_by_rule
    effects = [abs(each.effect) for each in found.differences if not each.is_by_rule]
    assert effects == sorted(effects, reverse=True)
    assert found.differences[0].words in found.sentence

    kept = api_segment_tools.find_differences(segment_id=pro)
    assert kept == found
    between = api_segment_tools.refresh_differences(segment_id=pro, against_id=free, now=NOW)
    assert between.against_name == "Free"
    assert {each.words for each in between.differences} == set(told)


def test_small_groups_and_itself_are_refused(town):
    pro, _ = town
    oldest = define(
        "Oldest",
        {
            "node": "all",
            "of": [
                plan_is("pro"),
                {"node": "check", "field": "trait.age", "is": {"op": "gte", "value": 60}},
            ],
        },
    )
    settle()
    with pytest.raises(Refused, match="fewer than 30"):
        api_segment_tools.refresh_differences(segment_id=oldest, now=NOW)
    with pytest.raises(Refused, match="those compared with"):
        api_segment_tools.refresh_differences(segment_id=pro, against_id=oldest, now=NOW)
    with pytest.raises(Invalid, match="itself"):
        api_segment_tools.refresh_differences(segment_id=pro, against_id=pro, now=NOW)
    with pytest.raises(NotFound):
        api_segment_tools.refresh_differences(segment_id=999, now=NOW)
    assert api_segment_tools.find_differences(segment_id=oldest) is None
