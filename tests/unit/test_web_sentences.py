"""Events said in sentences: the common ones in their own words, any other by its name."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amity.store.contracts import Activity
from amity.web.customers.sentences import _TELLERS, FILTERS, tell
from amity.web.customers.words import spell, value_of
from amity.web.templatetags.amity import score_change

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ("name", "products", "total", "currency", "price", "query", "categoryPreferences", "consent")
) | st.sampled_from(("segment_id", "kind", "value", "campaign_id", "medium", "coupon", "step_name"))


def event(name: str, properties: dict[str, Any]) -> Activity:
    return Activity(
        position=1,
        profile_id=1,
        event_id=1,
        source_id=100,
        occurred_at=NOW,
        received_at=NOW,
        type="track",
        name=name,
        properties=properties,
        context={},
    )


def said(name: str, /, **properties: Any) -> str:
    return "".join(piece.text for piece in tell(event(name, properties))[1])


@pytest.mark.parametrize(
    ("sentence", "name", "properties"),
    [
        (
            "Ordered 7 items, 38.20 USD Bread, Rolls",
            "Order Completed",
            {
                "total": 38.2,
                "currency": "USD",
                "products": [{"name": "Bread", "quantity": 3}, {"name": "Rolls", "quantity": 4}],
            },
        ),
        ("Ordered an order, 5 JPY", "Order Completed", {"revenue": "5", "currency": "JPY"}),
        ("Viewed Sourdough, 3.20 USD", "Product Viewed", {"name": "Sourdough", "price": 3.2}),
        ("Viewed a product", "Product Viewed", {}),
        (
            "Joined with an earlier profile: same e-mail address a@example.com",
            "Profile Merged",
            {"kind": "email", "value": "a@example.com"},
        ),
        ("Entered the segment Bread lovers", "Segment Entered", {"segment_name": "Bread lovers"}),
        (
            "Agreed to marketing.email; declined marketing.sms",
            "Segment Consent Preference Updated",
            {"categoryPreferences": {"marketing.email": True, "marketing.sms": False}},
        ),
        ("Told us: household size, last name", "Identify", {"household_size": 2, "lastName": "x"}),
        ("Points Adjusted", "Points Adjusted", {"points": 3}),
        (
            "Was sent campaign 18 by post",
            "Campaign Received",
            {"campaign_id": 18, "medium": "post"},
        ),
    ],
)
def test_events_are_told_in_words(sentence: str, name: str, properties: dict[str, Any]) -> None:
    assert said(name, **properties) == sentence


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(_TELLERS)) | st.text(max_size=20),
    properties=st.dictionaries(KEYS | st.text(max_size=9), JSON, max_size=6),
)
def test_no_event_is_beyond_words(name: str, properties: dict[str, Any]) -> None:
    series, sentence = tell(event(name, properties))
    assert sentence
    assert all(isinstance(piece.text, str) and len(piece.text) < 500 for piece in sentence)
    assert series in {"", "s1", "s2", "s3", "s4", "s5", "s6"}


def test_every_filter_keeps_events_there_are_words_for() -> None:
    names = {name for _, kept in FILTERS.values() for name in kept}
    assert len(names & set(_TELLERS)) > 20


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "yes"),
        (None, "–"),
        (12345.5, "12,345.5"),
        (-2, "−2"),
        (2.0, "2"),
        ({"city": "Perth", "postalCode": 6000}, "city Perth, postal code 6000"),
        (["a", "b"], "a, b"),
        (list(range(10)), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more"),
        ("1974-02-03", "1974-02-03"),
        ("1974-02-03T10:00:00Z", datetime(1974, 2, 3, 10, tzinfo=UTC)),
    ],
)
def test_values_are_written_to_be_read(value: Any, words: Any) -> None:
    assert value_of(value) == words


def test_names_of_code_become_words() -> None:
    assert [spell(n) for n in ("household_size", "postalCode", "marketing.email")] == [
        "household size",
        "postal code",
        "marketing email",
    ]


def test_a_reason_that_rounds_to_nothing_is_not_told() -> None:
    assert score_change("churn", -0.021) == "−2 points"
    assert score_change("next_purchase_days", 2.04) == "+2.0 days"
    assert not any(score_change(name, 0.0004) for name in ("churn", "next_purchase_days", "clv"))
