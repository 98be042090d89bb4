"""Facts are enough: restricted, written down and read back they give the same decisions."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amity.personalization.contracts import DecideRequest
from amity.personalization.logic.deciding import decide
from amity.personalization.logic.decision_log import decode_result, encode_result, read_items
from amity.personalization.logic.facts import (
    Facts,
    decode_facts,
    encode_facts,
    join_needs,
    restrict,
)
from amity.personalization.logic.snapshot import (
    ArmRow,
    Definition,
    OfferDefinition,
    PlacementDefinition,
    compile_definition,
    decode_arms,
    decode_definition,
    decode_verdicts,
    encode_arms,
    encode_definition,
    make_snapshot,
)
from amity.rules import (
    All,
    Any_,
    Check,
    Did,
    HasConsent,
    InSegment,
    Not,
    Subject,
    Where,
    compile_rule,
    encode_rule,
    mentions,
)
from amity.rules.operator import operators
from amity.testing.rules_kit import NOW, values

EXAMPLES = [example for kind in operators for example in kind.examples()]
SETTINGS = settings(
    max_examples=120, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
ID = UUID("01900000-0000-7000-8000-000000000000")

instants = st.integers(-40 * 86400, 86400).map(lambda seconds: NOW + timedelta(seconds=seconds))
leaves = st.one_of(
    st.builds(
        lambda name, op: Check(field=f"trait.{name}", is_=op),
        st.sampled_from(["x", "y", "nobody's"]),
        st.sampled_from(EXAMPLES),
    ),
    st.builds(
        lambda event, op, most, days: Did(
            event=event, where=(Where("p", op),), at_most=most, within_days=days
        ),
        st.sampled_from(["A", "B"]),
        st.sampled_from(EXAMPLES),
        st.sampled_from([None, 0, 2]),
        st.sampled_from([None, 1.0, 30.0]),
    ),
    st.sampled_from([HasConsent("news"), InSegment(1), InSegment(2)]),
)
rules = st.recursive(
    leaves,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(lambda of: All(tuple(of)), st.lists(inner, max_size=3))
        | st.builds(lambda of: Any_(tuple(of)), st.lists(inner, max_size=3))
    ),
    max_leaves=5,
)
subjects = st.builds(
    Subject,
    traits=st.dictionaries(st.sampled_from(["x", "y", "z"]), values()),
    fields=st.just({}),
    consents=st.sets(st.sampled_from(["news", "sms"])),
    segments=st.sets(st.integers(1, 3)),
    history=st.dictionaries(
        st.sampled_from(["A", "B", "C"]),
        st.lists(
            st.tuples(instants, st.dictionaries(st.sampled_from(["p", "q"]), values())), max_size=3
        ),
    ),
)


def _needs(found, caps=None, purposes=()):
    return join_needs(
        1,
        [mentions(rule) for rule in found],
        purposes=frozenset(purposes),
        caps=caps or {},
        has_products=False,
    )


@SETTINGS
@given(rule=rules, subject=subjects)
def test_a_rule_says_the_same_of_what_is_left_and_logged(rule, subject):
    matcher = compile_rule(rule)
    left = restrict(subject, _needs([rule]))
    facts = Facts(profile_id=1, subject=left)
    again = decode_facts(encode_facts(facts))
    assert again == facts
    for at in (NOW, NOW + timedelta(days=40)):
        wanted = matcher.matches(subject, at)
        assert matcher.matches(left, at) == wanted
        assert matcher.matches(again.subject, at) == wanted


offer_parts = st.tuples(
    st.none() | rules,
    st.sampled_from(["", "news"]),
    st.sampled_from([(None, None), (1, 1.0), (2, 30.0)]),
    st.sampled_from([None, 3]),
    st.none() | instants,
    st.none() | instants,
    st.sampled_from(["live", "live", "live", "paused"]),
    st.tuples(st.floats(1e-3, 1e7), st.floats(1e-3, 1e7), st.integers(0, 5)),
)
people = st.builds(
    lambda subject, consents, impressions: (subject, consents, impressions),
    subjects,
    st.dictionaries(
        st.sampled_from(["news", "profiling"]), st.sampled_from(["granted", "denied", "withdrawn"])
    ),
    st.dictionaries(st.sampled_from(["o1", "o2"]), st.lists(instants, max_size=3)),
)


def _definition(parts, slots, policy):
    return Definition(
        [PlacementDefinition(1, "hero", "offers", slots, policy, "click", True)],
        [
            OfferDefinition(
                number,
                f"o{number}",
                f"Offer {number}",
                "",
                "",
                "",
                "",
                [1],
                None if rule is None else encode_rule(rule),
                purpose,
                *cap,
                budget,
                starts,
                ends,
                state,
            )
            for number, (rule, purpose, cap, budget, starts, ends, state, _) in enumerate(parts, 1)
        ],
    )


def _snapshot(definition, arms):
    return make_snapshot(
        snapshot_id=1,
        made_at=NOW,
        definition=compile_definition(1, definition),
        arms=arms,
        models={},
    )


@SETTINGS
@given(
    parts=st.lists(offer_parts, max_size=6),
    person=people,
    slots=st.integers(1, 4),
    policy=st.sampled_from(["thompson", "uniform", "gone"]),
    seed=st.integers(0, 2**62),
)
def test_a_decision_made_again_from_what_was_written_down_is_the_same(
    parts, person, slots, policy, seed
):
    definition = _definition(parts, slots, policy)
    arms = [ArmRow(1, number, *part[-1]) for number, part in enumerate(parts, 1)]
    snapshot = _snapshot(definition, arms)
    subject, consents, impressions = person
    facts = Facts(
        profile_id=7,
        subject=restrict(subject, snapshot.needs),
        consents=consents,
        impressions=impressions,
    )
    request = DecideRequest(placement="hero")
    made = decide(snapshot, facts, request, decision_id=ID, now=NOW, seed=seed)
    again = decide(
        _snapshot(decode_definition(encode_definition(definition)), decode_arms(encode_arms(arms))),
        decode_facts(encode_facts(facts)),
        msgspec.json.decode(msgspec.json.encode(request), type=DecideRequest),
        decision_id=ID,
        now=NOW,
        seed=seed,
    )
    assert again == made
    candidates = snapshot.places["hero"].candidates
    kept = decode_result(encode_result(made, candidates))
    assert read_items(kept, made.fallback) == [
        msgspec.structs.replace(item, content={}) for item in made.items
    ]
    assert decode_verdicts(kept.verdicts, candidates) == made.verdicts
    _check_sense(made, parts, slots)


def _check_sense(made, parts, slots):
    assert [verdict.item for verdict in made.verdicts] == [
        f"o{n}" for n in range(1, len(parts) + 1)
    ]
    passed = {verdict.item for verdict in made.verdicts if verdict.passed}
    chosen = [item.item for item in made.items]
    assert set(chosen) <= passed
    assert len(chosen) == len(set(chosen)) == min(slots, len(passed))
    assert all(0 < item.propensity <= 1 for item in made.items)
    assert all(verdict.reason for verdict in made.verdicts)


@pytest.mark.parametrize("raw", [b"", b"\x81", b"nonsense", msgspec.msgpack.encode({"subject": 1})])
def test_what_are_no_facts_is_refused(raw):
    with pytest.raises(msgspec.MsgspecError):
        decode_facts(raw)


def test_a_rule_that_cannot_be_read_any_more_lets_nobody_see_its_offer():
    offer = OfferDefinition(
        1,
        "o1",
        "x",
        "",
        "",
        "",
        "",
        [1],
        {"node": "gone"},
        "",
        None,
        None,
        None,
        None,
        None,
        "live",
    )
    place = PlacementDefinition(1, "hero", "offers", 1, "thompson", "click", True)
    made = decide(
        _snapshot(Definition([place], [offer]), []),
        Facts(),
        DecideRequest(placement="hero"),
        decision_id=ID,
        now=datetime(2026, 1, 1, tzinfo=UTC),
        seed=1,
    )
    assert made.items == []
    assert made.verdicts[0].stage == "eligibility"
    assert made.verdicts[0].reason.startswith("its rule cannot be read")
