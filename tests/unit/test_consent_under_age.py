"""Who is too young: by which trait, until when, and that no consent is a way around it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amity.infra import config
from amity.kernel.errors import Invalid
from amity.store.contracts import Consent
from amity.store.contracts_consent import Purpose
from amity.store.logic.consent.gate import judge_consents, list_ends
from amity.store.logic.consent.statements import list_windows, read_wishes, reason_of
from amity.store.logic.consent.under_age import GUARDIAN, YOUNG, mark_age, read_ages

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PURPOSES = ("marketing.email", "tracking.email", "profiling", "sharing", "never.described")
SAID = st.builds(
    Consent,
    status=st.sampled_from(["granted", "denied", "withdrawn"]),
    at=st.just(NOW - timedelta(days=9)),
    source_id=st.just(2),
    event_id=st.integers(1, 9),
    expires_at=st.none() | st.just(NOW + timedelta(days=9)),
)


def of_age(**traits):
    """Return from when traits hold nobody back: a moment, "never", or "" when they never did."""
    mark = mark_age({}, traits).get(YOUNG)
    return "" if mark is None else mark.expires_at or "never"


@pytest.mark.parametrize(
    ("traits", "wanted"),
    [
        ({"birthday": "2012-05-01"}, datetime(2028, 5, 1, 12, tzinfo=UTC)),
        ({"dob": "2012-05-01T09:00:00Z"}, datetime(2028, 5, 1, 12, tzinfo=UTC)),
        ({"birth_date": "2012-02-29"}, datetime(2028, 2, 29, 12, tzinfo=UTC)),
        ({"birthday": "2001-01-01", "dob": "2012-05-01"}, datetime(2028, 5, 1, 12, tzinfo=UTC)),
        ({"birthday": "2012-05-01", "is_minor": False}, datetime(2028, 5, 1, 12, tzinfo=UTC)),
        ({"is_minor": True, "birthday": "1970-01-01"}, "never"),
        ({"under_age": True}, "never"),
        ({"under_age": "true"}, ""),
        ({"birthday": "the first of May"}, ""),
        ({"birthday": 20120501}, ""),
        ({"birthday": "9990-01-01"}, ""),
        ({"name": "Ann"}, ""),
    ],
)
def test_age_is_known_by_a_birth_date_or_by_the_plain_word(traits, wanted):
    assert of_age(**traits) == wanted


def test_the_age_is_that_of_her_country_and_the_highest_where_that_is_not_known():
    with config.override(under_age="16 US=13 KR=14 XX=18"):
        born = {"birthday": "2012-02-29"}
        assert of_age(**born, country="us") == datetime(2025, 3, 1, 12, tzinfo=UTC)
        assert of_age(**born, address={"country": "KR"}).year == 2026
        assert of_age(**born, country="FR").year == 2028
        assert of_age(**born, country="United States").year == 2030
        assert of_age(**born).year == 2030


@pytest.mark.parametrize("text", ["", "US=13", "16 USA=13", "16 US=x", "sixteen", "16 US=99"])
def test_ages_that_cannot_be_read_are_refused(text):
    with pytest.raises(Invalid, match="AMITY_UNDER_AGE"):
        read_ages(text)


def test_the_mark_follows_the_traits():
    said = Consent(status="granted", at=NOW, source_id=2, event_id=1)
    young = mark_age({"sharing": said}, {"birthday": "2015-01-01"})
    assert set(young) == {"sharing", YOUNG}
    assert mark_age(young, {"birthday": "1975-01-01"})[YOUNG].expires_at < NOW
    assert mark_age(young, {"name": "Ann"}) == {"sharing": said}


@settings(max_examples=150, deadline=None)
@given(
    said=st.dictionaries(st.sampled_from(PURPOSES), SAID),
    guardian=st.none() | SAID,
    of_age_at=st.none() | st.just(NOW + timedelta(days=30)),
    needs=st.booleans(),
)
def test_no_consent_is_a_way_around_age_but_a_guardians(said, guardian, of_age_at, needs):
    policies = {
        key: Purpose(key=key, title="x", covers="", needs_consent=needs) for key in PURPOSES[:4]
    } | {"records": Purpose(key="records", title="x", covers="", needs_consent=False)}
    mark = Consent(status="denied", at=NOW, source_id=0, event_id=0, expires_at=of_age_at)
    marked = {**said, YOUNG: mark} | ({} if guardian is None else {GUARDIAN: guardian})
    has_guardian = guardian is not None and guardian.status == "granted"
    judged = judge_consents(consents=marked, purposes=PURPOSES, policies=policies, now=NOW)
    windows = list_windows(marked, policies)
    for purpose in PURPOSES:
        reason = reason_of(purpose, marked, policies, NOW)
        window = windows.get(purpose)
        if has_guardian:
            assert reason == reason_of(purpose, said, policies, NOW)
        else:
            assert reason == "under_age"
            assert judged[purpose] != "granted"
        assert (window is not None and window.holds(NOW)) is (reason == "")
        if window is not None and of_age_at is not None and not has_guardian:
            assert window.since == of_age_at
    assert reason_of("records", marked, policies, NOW) == ""
    ends = list_ends(consents=marked, purposes=PURPOSES, policies=policies)
    if has_guardian and guardian.expires_at is not None:
        assert all(ends[purpose] <= guardian.expires_at for purpose in PURPOSES)


def test_nobody_asks_to_be_their_own_guardian():
    assert read_wishes({"purposes": [GUARDIAN, "marketing.email"]}) == ["marketing.email"]
