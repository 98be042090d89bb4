"""The gate in memory and in SQL say the same of whatever was said, whenever it ends."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amity.infra import database
from amity.store import api
from amity.store.contracts import Consent
from amity.store.contracts_consent import Purpose
from amity.store.logic.consent.statements import later, reason_of

MOMENTS = st.datetimes(
    min_value=datetime(2023, 1, 1), max_value=datetime(2029, 12, 31), timezones=st.just(UTC)
)
SAID = st.builds(
    Consent,
    status=st.sampled_from(["granted", "granted", "granted", "denied", "withdrawn"]),
    at=MOMENTS,
    source_id=st.just(2),
    event_id=st.integers(1, 9),
    expires_at=st.none() | MOMENTS,
)
POLICIES = st.none() | st.builds(
    lambda needs, months: Purpose(
        key="news", title="x", covers="", needs_consent=needs, expiry_months=months
    ),
    st.booleans(),
    st.none() | st.integers(1, 60),
)
YOUNG = st.none() | st.builds(
    Consent,
    status=st.just("denied"),
    at=MOMENTS,
    source_id=st.just(0),
    event_id=st.just(0),
    expires_at=st.none() | MOMENTS,
)
CASES = st.lists(
    st.tuples(
        st.lists(SAID, max_size=4),
        POLICIES,
        MOMENTS,
        st.none() | MOMENTS,
        st.integers(0, 3),
        st.tuples(YOUNG, st.none() | SAID),
    ),
    min_size=50,
    max_size=50,
)
SQL = """
SELECT (c ->> 'i')::int,
       store_use_reason(c -> 'consents', 'news', (c ->> 'needs')::boolean, (c ->> 'months')::int,
                        (c ->> 'now')::timestamptz),
       store_contact_reason(c ->> 'suppression', c -> 'objections', c -> 'consents', 'news',
           (c ->> 'needs')::boolean, (c ->> 'months')::int, (c ->> 'now')::timestamptz)
FROM jsonb_array_elements(%s::jsonb) AS c ORDER BY 1
"""


def last_word(history):
    word = None
    for said in history:
        word = said if word is None else later(word, said)
    return {} if word is None else {"news": word}


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(cases=CASES)
def test_memory_and_sql_give_the_same_reasons(server, cases):
    asked, wanted = [], []
    for number, (history, policy, drawn, objected_at, kind, age) in enumerate(cases):
        consents, now = last_word(history), drawn
        marks = dict(zip(("~young", "guardian"), age, strict=True))
        consents |= {name: said for name, said in marks.items() if said is not None}
        if kind == 0 and history and policy is not None and policy.expiry_months:
            now = consents["news"].at + timedelta(days=30 * policy.expiry_months)  # near the end
        policies = {} if policy is None else {"news": policy}
        reason = reason_of("news", consents, policies, now)
        at_point = reason
        if objected_at is not None and reason not in ("objected", "under_age"):
            said = consents.get("news")
            at_point = "objected" if said is None or objected_at >= said.at else reason
        suppression = "hard_bounce" if kind == 3 else ""
        wanted.append((number, reason, "suppressed" if suppression else at_point))
        asked.append(
            {
                "i": number,
                "consents": consents,
                "needs": None if policy is None else policy.needs_consent,
                "months": None if policy is None else policy.expiry_months,
                "now": now,
                "suppression": suppression,
                "objections": {} if objected_at is None else {"news": objected_at},
            }
        )
    document = msgspec.json.encode(asked).decode()
    with database.transaction() as connection:
        assert connection.execute(SQL, [document]).fetchall() == wanted


def test_an_unknown_or_erased_customer_may_not_be_used(db):
    now = datetime.now(UTC)
    for purpose in ("marketing.email", "profiling", "records"):
        assert api.may_use(profile_ids=[1, 2], purpose=purpose, now=now) == dict.fromkeys(
            [1, 2], "unknown"
        )


def test_a_purpose_that_changes_holds_at_once_for_what_was_said_before(db):
    now = datetime.now(UTC)
    source = api.create_source(name="Shop", kind="server").source_id
    said = {
        "type": "track",
        "event": "Segment Consent Preference Updated",
        "userId": "u1",
        "properties": {"marketing.email": True},
        "timestamp": (now - timedelta(days=100)).isoformat(),
    }
    api.append_events(source_id=source, events=[msgspec.json.encode(said)], now=now)
    while api.fold_batch().events:
        pass
    who = api.find_profile(kind="user_id", value="u1").profile_id
    ask = {"profile_ids": [who], "purpose": "marketing.email", "now": now}
    assert api.may_use(**ask) == {who: ""}
    before = api.get_purpose(key="marketing.email")
    shorter = msgspec.structs.replace(before, expiry_months=3)
    api.save_purpose(purpose=shorter, by="t", now=now)
    assert api.may_use(**ask) == {who: "consent_expired"}
    api.save_purpose(purpose=before, by="t", now=now)
    assert api.may_use(**ask) == {who: ""}
    assert api.may_use(**{**ask, "purpose": "profiling"}) == {who: ""}
    assert api.may_use(**{**ask, "purpose": "sharing"}) == {who: "no_consent"}
